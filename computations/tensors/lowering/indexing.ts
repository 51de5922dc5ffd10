/** @file Kernels that go by indices: one-hot, segment sums, gathering and scattering. */

import { type ConcreteSpec, shapeSize, type ValueId } from '../graph.ts';
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
 * A sum of rows by segment on the host, in the order of the rows: wasm has none, and the one of cpu
 * passes over segments that there are not, and gives float32 for int32.
 */
export const segmentSum: LoweringRule = (node) => {
  const floats = node.spec(node.input('x')).dtype === 'float32';
  if (floats && node.target.name === 'native') return null;
  return [
    node.emit('fl.SegmentSum', node.inputs(), { numSegments: node.call().int('numSegments') }),
  ];
};

/**
 * wasm takes the batches of its indices for rows of `x`. An index in which each names its batch, too,
 * does what is meant. tfjs-node counts the indices along an axis from the end wrongly.
 */
export const gatherInBatches: LoweringRule = (node) => {
  const { x, indices } = node.inputs() as Readonly<Record<'x' | 'indices', ValueId>>;
  const call = node.call();
  const shape = node.shape(x);
  const axis = call.axis(call.int('axis'), shape.length);
  const depth = call.int('batchDims');
  if (depth === 0 || node.target.name !== 'wasm') {
    if (call.int('axis') === axis) return null;
    return [node.emit(node.kernel, node.inputs(), { ...node.attributes, axis })];
  }
  const [output] = node.outputs() as readonly [ConcreteSpec];
  const batches = shapeSize(shape.slice(0, depth));
  const outer = shapeSize(shape.slice(depth, axis));
  const size = shape[axis] ?? 0;
  const inner = shapeSize(shape.slice(axis + 1));
  const count = shapeSize(node.shape(indices)) / batches;
  const bounds = { start: 0, stop: batches, step: 1, dtype: 'int32' };
  const batch = node.reshape(node.emit('Range', {}, bounds), [batches, 1, 1]);
  const pairs = node.emit(
    'Concat',
    [node.broadcastTo(batch, [batches, count, 1]), node.reshape(indices, [batches, count, 1])],
    { axis: 2 },
  );
  const turned = node.transpose(node.reshape(x, [batches, outer, size, inner]), [0, 2, 1, 3]);
  const rows = node.emit('GatherNd', { params: turned, indices: pairs });
  return [node.reshape(node.transpose(rows, [0, 2, 1, 3]), output.shape)];
};

/** The kernels take a list of indices, and a single one for a list of shorter ones. */
export const scatterOfList: LoweringRule = (node) => {
  const { indices, updates, ...others } = node.inputs() as Readonly<
    Record<'indices' | 'updates', ValueId>
  >;
  const shape = node.shape(indices);
  if (shape.length > 1) return null;
  const inputs = {
    ...others,
    indices: node.reshape(indices, [1, ...shape]),
    updates: node.reshape(updates, [1, ...node.shape(updates)]),
  };
  return [node.emit(node.kernel, inputs, node.attributes)];
};
