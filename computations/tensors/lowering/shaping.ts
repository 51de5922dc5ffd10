/** @file Kernels that move elements to other places: slices, padding, joining, depth to space. */

import type { ConcreteSpec, ValueId } from '../graph.ts';
import { stridedRanges } from '../kernels/shaping.ts';
import type { LoweringRule } from './rule.ts';

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

/** The native kernel wants two tensors at least. */
export const concatenationOfOne: LoweringRule = (node) => {
  const [x, ...others] = Object.values(node.inputs());
  if (x === undefined || others.length > 0) return null;
  return [node.emit('Identity', { x })];
};
