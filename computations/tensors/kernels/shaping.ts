/** @file Kernels that move elements: reshape, transpose, join, split, slice, pad, gather, scatter. */

import type { DType } from '../../types/dtypes.ts';
import { shapeSize } from '../graph.ts';
import { DEVICE_DTYPES, type KernelCall, type KernelTable, NUMERIC, spec } from './definition.ts';

/** The shape of a reshape of `shape`, after a check that it keeps the number of elements. */
function reshaped(call: KernelCall, shape: readonly number[]): readonly number[] {
  const target = call.ints('shape');
  call.require(
    target.every((size) => size >= 0) && shapeSize(target) === shapeSize(shape),
    `[${shape.join(',')}] cannot take the shape [${target.join(',')}]`,
  );
  return target;
}

/** The shape of a concatenation; works for kernels of the device and of the host. */
export function concatenated(
  call: KernelCall,
  dtypes: readonly DType[],
): readonly [DType, number[]] {
  const [first, ...others] = call.list();
  if (first === undefined || !dtypes.includes(first.dtype)) {
    return call.fail(`it takes one or more tensors of dtype ${dtypes.join(' or ')}`);
  }
  const axis = call.axis(call.int('axis'), first.shape.length);
  let size = first.shape[axis] ?? 0;
  for (const { dtype, shape } of others) {
    const fits =
      dtype === first.dtype &&
      shape.length === first.shape.length &&
      shape.every((n, i) => i === axis || n === first.shape[i]);
    call.require(fits, 'the inputs must have one dtype, and one shape but for the joined axis');
    size += shape[axis] ?? 0;
  }
  return [first.dtype, first.shape.with(axis, size)];
}

/** The shape of a slice; a size of -1 reaches to the end. */
export function sliced(call: KernelCall, shape: readonly number[]): readonly number[] {
  const begin = call.ints('begin');
  const size = call.ints('size');
  call.require(
    begin.length === shape.length && size.length === shape.length,
    'begin and size must have one entry for each axis',
  );
  return shape.map((extent, axis) => {
    const from = begin[axis] ?? 0;
    const length = size[axis] === -1 ? extent - from : (size[axis] ?? 0);
    call.require(
      from >= 0 && length >= 0 && from + length <= extent,
      `the slice leaves axis ${axis} of size ${extent}`,
    );
    return length;
  });
}

export const SHAPING: KernelTable = {
  Reshape: {
    inputs: ['x'],
    attributes: { shape: 'ints' },
    infer: (call) => {
      const x = call.typed('x', DEVICE_DTYPES);
      return [spec(x.dtype, reshaped(call, x.shape))];
    },
  },
  ExpandDims: {
    inputs: ['input'],
    attributes: { dim: 'int' },
    infer: (call) => {
      const { dtype, shape } = call.typed('input', DEVICE_DTYPES);
      return [spec(dtype, shape.toSpliced(call.axis(call.int('dim'), shape.length + 1), 0, 1))];
    },
  },
  Transpose: {
    inputs: ['x'],
    attributes: { perm: 'ints' },
    infer: (call) => {
      const x = call.typed('x', DEVICE_DTYPES);
      const perm = call.ints('perm');
      call.require(
        // The kernels take a list only.
        Array.isArray(call.attribute('perm')) &&
          perm.length === x.shape.length &&
          new Set(perm).size === perm.length,
        'perm must name each axis once',
      );
      return [
        spec(
          x.dtype,
          perm.map((axis) => {
            call.require(axis >= 0, 'perm must name each axis once');
            return x.shape[call.axis(axis, x.shape.length)] ?? 0;
          }),
        ),
      ];
    },
  },
  Concat: {
    inputs: 'list',
    attributes: { axis: 'int' },
    infer: (call) => [spec(...concatenated(call, DEVICE_DTYPES))],
  },
  Pack: {
    inputs: 'list',
    attributes: { axis: 'int' },
    infer: (call) => {
      const inputs = call.list();
      const first = inputs[0] ?? call.fail('it takes one or more tensors');
      for (const { dtype, shape } of inputs) {
        call.require(
          DEVICE_DTYPES.includes(dtype) &&
            dtype === first.dtype &&
            String(shape) === String(first.shape),
          'the inputs must have one dtype and one shape',
        );
      }
      const axis = call.axis(call.int('axis'), first.shape.length + 1);
      return [spec(first.dtype, first.shape.toSpliced(axis, 0, inputs.length))];
    },
  },
  Unpack: {
    inputs: ['value'],
    attributes: { axis: 'int' },
    infer: (call) => {
      const { dtype, shape } = call.typed('value', DEVICE_DTYPES);
      const axis = call.axis(call.int('axis'), shape.length);
      const count = shape[axis] ?? 0;
      call.require(count <= MAX_OUTPUTS, `more than ${MAX_OUTPUTS} outputs`);
      return Array.from({ length: count }, () => spec(dtype, shape.toSpliced(axis, 1)));
    },
  },
  SplitV: {
    inputs: ['x'],
    attributes: { numOrSizeSplits: 'ints', axis: 'int' },
    infer: (call) => {
      const { dtype, shape } = call.typed('x', DEVICE_DTYPES);
      const axis = call.axis(call.int('axis'), shape.length);
      return splitSizes(call, shape[axis] ?? 0).map((size) => spec(dtype, shape.with(axis, size)));
    },
  },
  Slice: {
    inputs: ['x'],
    attributes: { begin: 'ints', size: 'ints' },
    infer: (call) => {
      const x = call.typed('x', DEVICE_DTYPES);
      return [spec(x.dtype, sliced(call, x.shape))];
    },
  },
  StridedSlice: {
    inputs: ['x'],
    attributes: {
      begin: 'ints',
      end: 'ints',
      strides: 'ints',
      beginMask: 'int?',
      endMask: 'int?',
      ellipsisMask: 'int?',
      newAxisMask: 'int?',
      shrinkAxisMask: 'int?',
    },
    infer: (call) => {
      // The cpu backend gives float32 whatever it takes.
      const x = call.typed('x', ['float32']);
      const kept = stridedRanges(call, x.shape).filter(({ shrunk }) => !shrunk);
      return [
        spec(
          x.dtype,
          kept.map(({ count }) => count),
        ),
      ];
    },
  },
  Tile: {
    inputs: ['x'],
    attributes: { reps: 'ints' },
    infer: (call) => {
      const x = call.typed('x', DEVICE_DTYPES);
      const reps = call.ints('reps');
      call.require(
        reps.length === x.shape.length && reps.every((n) => n >= 0),
        'reps must have one count for each axis',
      );
      return [
        spec(
          x.dtype,
          x.shape.map((size, axis) => size * (reps[axis] ?? 1)),
        ),
      ];
    },
  },
  PadV2: {
    inputs: ['x'],
    attributes: { paddings: 'pairs', constantValue: 'number' },
    infer: (call) => {
      const x = call.typed('x', NUMERIC);
      const value = call.number('constantValue');
      call.require(x.dtype === 'float32' || isInt32(value), `${value} is no int32`);
      return [
        spec(
          x.dtype,
          padded(call, x.shape, () => Number.POSITIVE_INFINITY),
        ),
      ];
    },
  },
  MirrorPad: {
    inputs: ['x'],
    attributes: { paddings: 'pairs', mode: 'text' },
    infer: (call) => {
      const x = call.typed('x', NUMERIC);
      const edge = call.text('mode', ['reflect', 'symmetric']) === 'reflect' ? 1 : 0;
      return [
        spec(
          x.dtype,
          padded(call, x.shape, (size) => size - edge),
        ),
      ];
    },
  },
  Reverse: {
    inputs: ['x'],
    attributes: { dims: 'ints' },
    infer: (call) => {
      const x = call.typed('x', NUMERIC);
      const dims = call.ints('dims').map((axis) => call.axis(axis, x.shape.length));
      call.require(new Set(dims).size === dims.length, 'an axis is reversed twice');
      return [x];
    },
  },
  GatherV2: {
    inputs: ['x', 'indices'],
    attributes: { axis: 'int', batchDims: 'int?' },
    infer: (call) => {
      const x = call.typed('x', DEVICE_DTYPES);
      const indices = call.typed('indices', ['int32']);
      const axis = call.axis(call.int('axis'), x.shape.length);
      const batch = call.int('batchDims', 0);
      const rows = indices.shape.slice(0, batch);
      call.require(
        batch >= 0 && batch <= axis && String(rows) === String(x.shape.slice(0, batch)),
        'batchDims does not fit x, indices and axis',
      );
      return [
        spec(x.dtype, [
          ...x.shape.slice(0, axis),
          ...indices.shape.slice(batch),
          ...x.shape.slice(axis + 1),
        ]),
      ];
    },
  },
  GatherNd: {
    inputs: ['params', 'indices'],
    attributes: {},
    infer: (call) => {
      const params = call.typed('params', DEVICE_DTYPES);
      const { shape } = call.typed('indices', ['int32']);
      const depth = shape.at(-1) ?? call.fail('indices must have at least one axis');
      call.require(depth >= 1 && depth <= params.shape.length, 'an index has too many entries');
      return [spec(params.dtype, [...shape.slice(0, -1), ...params.shape.slice(depth)])];
    },
  },
  ScatterNd: {
    inputs: ['indices', 'updates'],
    attributes: { shape: 'ints' },
    infer: (call) => {
      const updates = call.typed('updates', NUMERIC);
      const shape = call.ints('shape');
      checkScatter(call, shape, updates.shape);
      return [spec(updates.dtype, shape)];
    },
  },
  TensorScatterUpdate: {
    inputs: ['tensor', 'indices', 'updates'],
    attributes: {},
    infer: (call) => {
      const tensor = call.typed('tensor', NUMERIC);
      const updates = call.typed('updates', [tensor.dtype]);
      checkScatter(call, tensor.shape, updates.shape);
      return [tensor];
    },
  },
  OneHot: {
    inputs: ['indices'],
    attributes: { depth: 'int', onValue: 'number', offValue: 'number', dtype: 'dtype?' },
    infer: (call) => {
      const { shape } = call.typed('indices', ['int32']);
      const depth = call.int('depth');
      call.require(depth >= 1, 'depth must be positive');
      const dtype = call.text('dtype', DEVICE_DTYPES, 'int32') as DType;
      for (const name of ['onValue', 'offValue']) {
        const value = call.number(name);
        const fits =
          dtype === 'float32' || (dtype === 'int32' ? isInt32(value) : value === 0 || value === 1);
        call.require(fits, `${name} is no ${dtype}`);
      }
      return [spec(dtype, [...shape, depth])];
    },
  },
  DepthToSpace: {
    inputs: ['x'],
    attributes: { blockSize: 'int', dataFormat: 'text' },
    infer: (call) => {
      const x = call.typed('x', NUMERIC);
      call.text('dataFormat', ['NHWC']);
      const block = call.int('blockSize');
      const [batch, height, width, depth, ...more] = x.shape;
      if (batch === undefined || height === undefined || width === undefined || !depth) {
        return call.fail('x must have four axes, the last not empty');
      }
      call.require(more.length === 0, 'x must have four axes');
      call.require(block > 1 && depth % (block * block) === 0, 'blockSize does not divide depth');
      return [spec(x.dtype, [batch, height * block, width * block, depth / (block * block)])];
    },
  },
};

const isInt32 = (value: number): boolean => value === (value | 0);

/** The most outputs one node may have. */
export const MAX_OUTPUTS = 4096;

function splitSizes(call: KernelCall, extent: number): readonly number[] {
  const given = call.attribute('numOrSizeSplits');
  if (typeof given === 'number') {
    const divides = given >= 1 && given <= MAX_OUTPUTS && extent % given === 0;
    call.require(divides, `an axis of size ${extent} does not split into ${given} equal parts`);
    return new Array<number>(given).fill(extent / given);
  }
  const sizes = call.ints('numOrSizeSplits');
  call.require(sizes.length >= 1 && sizes.length <= MAX_OUTPUTS, 'bad number of parts');
  const known = sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  call.require(sizes.filter((size) => size < 0).length <= 1, 'only one part may be -1');
  const parts = sizes.map((size) => (size < 0 ? extent - known : size));
  call.require(
    parts.every((size) => size >= 0) && parts.reduce((sum, size) => sum + size, 0) === extent,
    `the parts do not add up to ${extent}`,
  );
  return parts;
}

/** What a strided slice takes along one axis: every `stride`-th element from `from`, up to `to`. */
export interface StridedRange {
  readonly from: number;
  /** Not taken itself; -1 to take the first element when going backwards. */
  readonly to: number;
  readonly stride: number;
  readonly count: number;
  /** True if the axis, of one element, is left out of the result. */
  readonly shrunk: boolean;
}

/** Like tf.strided_slice, without ellipsis and new axes, which tfjs rewrites in few cases only. */
export function stridedRanges(call: KernelCall, shape: readonly number[]): readonly StridedRange[] {
  const begin = call.ints('begin');
  const end = call.ints('end');
  const strides = call.ints('strides');
  call.require(
    call.int('ellipsisMask', 0) === 0 && call.int('newAxisMask', 0) === 0,
    'ellipsis and new axes are not supported; use reshape',
  );
  call.require(
    begin.length === end.length && begin.length === strides.length && begin.length <= shape.length,
    'begin, end and strides must have the same length, one entry an axis',
  );
  const masked = (name: string, axis: number): boolean => ((call.int(name, 0) >> axis) & 1) === 1;
  return shape.map((extent, axis) => {
    const stride = strides[axis] ?? 1;
    call.require(stride !== 0, 'a stride is 0');
    if (masked('shrinkAxisMask', axis)) {
      const index = begin[axis] ?? 0;
      call.require(stride > 0 && index >= -extent && index < extent, `no index ${index}`);
      const from = index < 0 ? index + extent : index;
      return { from, to: from + 1, stride: 1, count: 1, shrunk: true };
    }
    const [low, high] = stride > 0 ? [0, extent] : [-1, extent - 1];
    const clamp = (value: number): number =>
      Math.min(high, Math.max(low, value < 0 ? value + extent : value));
    const whole = axis >= begin.length;
    const from =
      whole || masked('beginMask', axis) ? (stride > 0 ? low : high) : clamp(begin[axis] ?? 0);
    const to = whole || masked('endMask', axis) ? (stride > 0 ? high : low) : clamp(end[axis] ?? 0);
    return { from, to, stride, count: Math.max(0, Math.ceil((to - from) / stride)), shrunk: false };
  });
}

function padded(
  call: KernelCall,
  shape: readonly number[],
  most: (size: number) => number,
): readonly number[] {
  const paddings = call.pairs('paddings');
  call.require(paddings.length === shape.length, 'paddings must have a pair for each axis');
  return shape.map((size, axis) => {
    const [before, after] = paddings[axis] ?? [0, 0];
    call.require(
      before >= 0 && after >= 0 && before <= most(size) && after <= most(size),
      `the padding of axis ${axis} does not fit its size ${size}`,
    );
    return size + before + after;
  });
}

function checkScatter(
  call: KernelCall,
  shape: readonly number[],
  updates: readonly number[],
): void {
  const indices = call.typed('indices', ['int32']).shape;
  const depth = indices.at(-1) ?? call.fail('indices must have at least one axis');
  call.require(
    shape.every((size) => size >= 0) && depth >= 1 && depth <= shape.length,
    'an index has too many entries',
  );
  const expected = [...indices.slice(0, -1), ...shape.slice(depth)];
  call.require(String(updates) === String(expected), `updates must have the shape [${expected}]`);
  call.require(
    shapeSize(shape) > 0 || shapeSize(indices) === 0 || shapeSize(shape.slice(0, depth)) > 0,
    'an empty tensor has no element to update',
  );
}
