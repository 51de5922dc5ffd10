/** @file Kernels that some backends lack, or do wrongly: one-hot, segment sums, padding, joining. */

import type { ValueId } from '../graph.ts';
import type { LoweringRule } from './rule.ts';

/**
 * wasm writes integers into a float32 one-hot, and writes outside its output for an index that is
 * out of range. A comparison with 0 … depth-1 does neither.
 */
export const oneHot: LoweringRule = (node) => {
  if (node.target.name !== 'wasm') return null;
  const call = node.call();
  const indices = node.input('indices');
  const depth = call.int('depth');
  const dtype = call.text('dtype', undefined, 'int32');
  const [on, off] = [call.number('onValue'), call.number('offValue')];
  const a = node.reshape(indices, [...node.shape(indices), 1]);
  const b = node.emit('Range', {}, { start: 0, stop: depth, step: 1, dtype: 'int32' });
  const hit = node.emit('Equal', { a, b });
  if (on === 1 && off === 0) {
    return [dtype === 'bool' ? hit : node.emit('Cast', { x: hit }, { dtype })];
  }
  const shape = node.shape(hit);
  const fill = (value: number): ValueId => node.emit('Fill', {}, { shape, value, dtype });
  return [node.emit('Select', { condition: hit, t: fill(on), e: fill(off) })];
};

/**
 * A sum of rows by segment on the host, in the order of the rows, for backends without one; the cpu
 * backend gives float32 for int32.
 */
export const segmentSum: LoweringRule = (node) => {
  const floats = node.spec(node.input('x')).dtype === 'float32';
  if (floats && node.target.has('UnsortedSegmentSum')) return null;
  return [
    node.emit('fl.SegmentSum', node.inputs(), { numSegments: node.call().int('numSegments') }),
  ];
};

/** wasm keeps a padding operator for each constant, and takes -0 for 0. */
export const negativeZeroPadding: LoweringRule = (node) => {
  const { constantValue, dtype = 'float32' } = node.attributes;
  if (node.target.name !== 'wasm' || !Object.is(constantValue, -0)) return null;
  let x = node.input('x');
  node
    .call()
    .pairs('paddings')
    .forEach(([before, after], axis) => {
      const border = (size: number): readonly ValueId[] => {
        const shape = node.shape(x).with(axis, size);
        return size === 0 ? [] : [node.emit('Fill', {}, { shape, value: -0, dtype })];
      };
      const parts = [...border(before), x, ...border(after)];
      if (parts.length > 1) x = node.emit('Concat', parts, { axis });
    });
  return [x];
};

/** The kernels take an axis that counts from the end for another one, and read beside the tensor. */
export const scanFromFirstAxis: LoweringRule = (node) => {
  const axis = node.call().int('axis');
  if (axis >= 0) return null;
  const x = node.input('x');
  const attributes = { ...node.attributes, axis: axis + node.shape(x).length };
  return [node.emit(node.kernel, { x }, attributes)];
};

/** wasm leaves its output as it was in memory where the bounds are no interval. */
export const clipToOne: LoweringRule = (node) => {
  const [least, most] = [node.call().number('clipValueMin'), node.call().number('clipValueMax')];
  if (node.target.name !== 'wasm' || least < most) return null;
  const bound = (value: number): ValueId =>
    node.emit('Fill', {}, { shape: [], value, dtype: 'float32' });
  const raised = node.emit('Maximum', { a: node.input('x'), b: bound(least) });
  return [node.emit('Minimum', { a: raised, b: bound(most) })];
};

/** The native kernel wants two tensors at least. */
export const concatenationOfOne: LoweringRule = (node) => {
  const [x, ...others] = Object.values(node.inputs());
  if (x === undefined || others.length > 0) return null;
  return [node.emit('Identity', { x })];
};
