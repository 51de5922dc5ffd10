/** @file Matrix products, and arithmetic on integers. */

import type { ValueId } from '../graph.ts';
import { broadcast } from '../kernels/definition.ts';
import type { LoweredNode, LoweringRule } from './rule.ts';

export const product: LoweringRule = (node) => ownBatches(node) ?? transposedProduct(node);

/**
 * The kernels go through the matrices of both factors one by one, from the first again when there are no
 * more. That is right where one has all axes of the other's batch and more before them; other batches that
 * broadcast are written out before.
 */
const ownBatches: LoweringRule = (node) => {
  if (node.target.name === 'native') return null;
  const { a, b } = node.inputs() as Readonly<Record<'a' | 'b', ValueId>>;
  const batchOf = (x: ValueId): readonly number[] => node.shape(x).slice(0, -2);
  const all = broadcast(node.call(), batchOf(a), batchOf(b));
  if ([a, b].every((x) => isCyclic(batchOf(x), all))) return null;
  const whole = (x: ValueId): ValueId =>
    isCyclic(batchOf(x), all) ? x : node.broadcastTo(x, [...all, ...node.shape(x).slice(-2)]);
  return [node.emit(node.kernel, { ...node.inputs(), a: whole(a), b: whole(b) }, node.attributes)];
};

/** Whether a shape is the last axes of another one, which it is repeated along. */
export function isCyclic(shape: readonly number[], all: readonly number[]): boolean {
  const first = shape.findIndex((size) => size !== 1);
  const own = first < 0 ? [] : shape.slice(first);
  return own.length === 0 || String(own) === String(all.slice(-own.length));
}

/** wasm multiplies transposed matrices some twelve times slower than it transposes them first. */
const transposedProduct: LoweringRule = (node) => {
  const { transposeA, transposeB } = node.attributes;
  if (node.target.name !== 'wasm' || (transposeA !== true && transposeB !== true)) return null;
  const inputs = {
    ...node.inputs(),
    a: transposeA === true ? swapLast(node, node.input('a')) : node.input('a'),
    b: transposeB === true ? swapLast(node, node.input('b')) : node.input('b'),
  };
  const attributes = { ...node.attributes, transposeA: false, transposeB: false };
  return [node.emit(node.kernel, inputs, attributes)];
};

/** The cpu backend multiplies int32 as doubles, which are not exact; the host does it by imul. */
export const integerProduct: LoweringRule = (node) => {
  const { a, b } = node.inputs();
  if (node.target.name !== 'cpu' || node.spec(a as ValueId).dtype !== 'int32') return null;
  return [node.emit('fl.Mul', { a: a as ValueId, b: b as ValueId }, { overflow: 'wrap' })];
};

export const integerSquare: LoweringRule = (node) => {
  const x = node.input('x');
  return node.spec(x).dtype === 'int32' ? [node.emit('Multiply', { a: x, b: x })] : null;
};

export const integerSquaredDifference: LoweringRule = (node) => {
  const { a, b } = node.inputs() as Readonly<Record<'a' | 'b', ValueId>>;
  if (node.spec(a).dtype !== 'int32') return null;
  const difference = node.emit('Sub', { a, b });
  return [node.emit('Multiply', { a: difference, b: difference })];
};

/** wasm negates an int32 as a float32, which has no room for it. */
export const integerNegation: LoweringRule = (node) => {
  const x = node.input('x');
  if (node.target.name !== 'wasm' || node.spec(x).dtype !== 'int32') return null;
  const a = node.emit('Fill', {}, { shape: [], value: 0, dtype: 'int32' });
  return [node.emit('Sub', { a, b: x })];
};

/** Neither cpu nor wasm has an absolute value of int32 that does not go through float32. */
export const integerAbsolute: LoweringRule = (node) => {
  const x = node.input('x');
  if (node.spec(x).dtype !== 'int32') return null;
  return [node.emit('Maximum', { a: x, b: node.emit('Neg', { x }) })];
};

/** wasm divides int32 as float32; a division by zero is an error on the host. */
export const integerDivision: LoweringRule = (node) => [node.emit('fl.FloorDiv', node.inputs())];

function swapLast(node: LoweredNode, x: ValueId): ValueId {
  const rank = node.shape(x).length;
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  return node.transpose(x, perm.with(rank - 2, rank - 1).with(rank - 1, rank - 2));
}
