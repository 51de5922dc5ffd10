/** @file Functions of the elements, and along an axis, where a kernel takes few of its attributes. */

import type { ConcreteSpec, ValueId } from '../graph.ts';
import { isCyclic } from './products.ts';
import type { LoweringRule } from './rule.ts';

/**
 * wasm reads the weights again and again until it is through with `x`, so weights that broadcast in
 * another way, or further than `x` reaches, are written out before.
 */
export const preluOfWhole: LoweringRule = (node) => {
  const { x, alpha } = node.inputs() as Readonly<Record<'x' | 'alpha', ValueId>>;
  if (node.target.name !== 'wasm') return null;
  const [{ shape }] = node.outputs() as readonly [ConcreteSpec];
  const cyclic = isCyclic(node.shape(alpha), shape);
  if (cyclic && String(node.shape(x)) === String(shape)) return null;
  const inputs = {
    x: node.broadcastTo(x, shape),
    alpha: cyclic ? alpha : node.broadcastTo(alpha, shape),
  };
  return [node.emit('Prelu', inputs)];
};

/** wasm leaves its output as it was in memory where the bounds, as float32, are no interval. */
export const clipToOne: LoweringRule = (node) => {
  const [least, most] = [node.call().number('clipValueMin'), node.call().number('clipValueMax')];
  if (node.target.name !== 'wasm' || Math.fround(least) < Math.fround(most)) return null;
  const bound = (value: number): ValueId =>
    node.emit('Fill', {}, { shape: [], value, dtype: 'float32' });
  const raised = node.emit('Maximum', { a: node.input('x'), b: bound(least) });
  return [node.emit('Minimum', { a: raised, b: bound(most) })];
};

/** The kernels take an axis that counts from the end for another one, and read beside the tensor. */
export const scanFromFirstAxis: LoweringRule = (node) => {
  const axis = node.call().int('axis');
  if (axis >= 0) return null;
  const x = node.input('x');
  const attributes = { ...node.attributes, axis: axis + node.shape(x).length };
  return [node.emit(node.kernel, { x }, attributes)];
};

/** So does the kernel of wasm, which leaves its output as it was in memory. */
export const softmaxAlongLast: LoweringRule = (node) => {
  if (node.call().int('dim') >= 0) return null;
  const logits = node.input('logits');
  return [node.emit('Softmax', { logits }, { dim: node.shape(logits).length - 1 })];
};
