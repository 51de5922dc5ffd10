/** @file Kernels that some backends lack, or do wrongly: one-hot, segment sums, padding, joining. */

import { type ConcreteSpec, shapeSize, type ValueId } from '../graph.ts';
import { stridedRanges } from '../kernels/shaping.ts';
import { isCyclic } from './products.ts';
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
 * does what is meant.
 */
export const gatherInBatches: LoweringRule = (node) => {
  const { x, indices } = node.inputs() as Readonly<Record<'x' | 'indices', ValueId>>;
  const call = node.call();
  const shape = node.shape(x);
  const axis = call.axis(call.int('axis'), shape.length);
  const depth = call.int('batchDims');
  if (depth === 0 || node.target.name !== 'wasm') return null;
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

/** wasm takes float32 only, where moving elements is all the same for others. */
export const integerDepthToSpace: LoweringRule = (node) => {
  const x = node.input('x');
  if (node.target.name !== 'wasm' || node.spec(x).dtype === 'float32') return null;
  const [output] = node.outputs() as readonly [ConcreteSpec];
  const block = node.call().int('blockSize');
  const [batch = 0, height = 0, width = 0] = node.shape(x);
  const channels = output.shape[3] ?? 0;
  const blocks = node.reshape(x, [batch, height, width, block, block, channels]);
  return [node.reshape(node.transpose(blocks, [0, 1, 3, 2, 4, 5]), output.shape)];
};

/**
 * The kernels fail where every axis is left out of the result, so all of them are kept first; what is
 * taken of each is stated in full.
 */
export const stridedSlice: LoweringRule = (node) => {
  const x = node.input('x');
  const ranges = stridedRanges(node.call(), node.shape(x));
  const [slice] = node.keep(
    { x },
    {
      ...node.attributes,
      begin: ranges.map(({ from }) => from),
      end: ranges.map(({ to }) => to),
      strides: ranges.map(({ stride }) => stride),
      beginMask: 0,
      // An end of -1 would count from the end.
      endMask: ranges.reduce((mask, { to }, axis) => mask | (to < 0 ? 1 << axis : 0), 0),
      shrinkAxisMask: 0,
    },
  );
  const kept = ranges.filter(({ shrunk }) => !shrunk);
  return [
    node.reshape(
      slice as ValueId,
      kept.map(({ count }) => count),
    ),
  ];
};

/** The kernels take no scalar. */
export const mirrorOfScalar: LoweringRule = (node) => {
  const x = node.input('x');
  return node.shape(x).length === 0 ? [x] : null;
};

/** wasm keeps a padding operator for each constant, and takes -0 for 0. */
export const negativeZeroPadding: LoweringRule = (node) => {
  const { constantValue } = node.attributes;
  if (node.target.name !== 'wasm' || !Object.is(constantValue, -0)) return null;
  let x = node.input('x');
  const { dtype } = node.spec(x);
  if (dtype === 'int32') {
    return [node.emit('PadV2', { x }, { ...node.attributes, constantValue: 0 })];
  }
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

/** The same, of wasm. */
export const softmaxAlongLast: LoweringRule = (node) => {
  if (node.call().int('dim') >= 0) return null;
  const logits = node.input('logits');
  return [node.emit('Softmax', { logits }, { dim: node.shape(logits).length - 1 })];
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

/** The native kernel wants two tensors at least. */
export const concatenationOfOne: LoweringRule = (node) => {
  const [x, ...others] = Object.values(node.inputs());
  if (x === undefined || others.length > 0) return null;
  return [node.emit('Identity', { x })];
};
