/**
 * @file Kernels of our own, which run on the host on plain typed arrays: exact integers of every
 * dtype, and random bits. They give the same numbers, bit for bit, with every backend.
 */

import type { DType } from '../../types/dtypes.ts';
import { shapeSize } from '../graph.ts';
import {
  broadcast,
  type KernelCall,
  type KernelDefinition,
  type KernelTable,
  spec,
} from './definition.ts';
import { reducedAxes } from './reductions.ts';
import { concatenated, sliced } from './shaping.ts';

const INTEGERS: readonly DType[] = ['uint8', 'int32', 'int64'];
const ALL: readonly DType[] = ['bool', 'uint8', 'int32', 'int64', 'float32', 'string'];
const CASTABLE: readonly DType[] = ['bool', 'uint8', 'int32', 'int64', 'float32'];
const KEY: readonly DType[] = ['int32'];

/** Codes with which a kernel may say why data made it fail. */
export const FAILURE_CODES = [
  'execution.sum_overflow',
  'execution.empty_mean',
  'execution.zero_weight',
  'execution.secure_sum_range',
  'execution.key_out_of_range',
  'execution.kernel_failed',
] as const;

/**
 * Integer arithmetic. Attribute `overflow` is `'wrap'`, or the code of the error that a result
 * outside the dtype gives; it is `execution.kernel_failed` if left out.
 */
const arithmetic: KernelDefinition = {
  inputs: ['a', 'b'],
  attributes: { overflow: 'text?' },
  pure: false,
  infer: (call) => {
    overflow(call);
    return [sameDtype(call)];
  },
};

const comparison: KernelDefinition = {
  inputs: ['a', 'b'],
  attributes: {},
  infer: (call) => [spec('bool', sameDtype(call).shape)],
};

const choice: KernelDefinition = {
  inputs: ['a', 'b'],
  attributes: {},
  infer: (call) => [sameDtype(call)],
};

function sameDtype(call: KernelCall) {
  const a = call.typed('a', INTEGERS);
  const b = call.typed('b', [a.dtype]);
  return spec(a.dtype, broadcast(call, a.shape, b.shape));
}

function overflow(call: KernelCall): void {
  call.text('overflow', ['wrap', ...FAILURE_CODES], 'execution.kernel_failed');
}

function keyOf(call: KernelCall): void {
  const { shape } = call.typed('key', KEY);
  call.require(shape.length === 1 && shape[0] === 2, 'a random key is an int32[2]');
}

function shapeOf(call: KernelCall): readonly number[] {
  const shape = call.ints('shape');
  call.require(
    shape.every((size) => size >= 0),
    'a size is negative',
  );
  return shape;
}

function draw(dtype: DType): KernelDefinition {
  return {
    inputs: ['key'],
    attributes: { shape: 'ints' },
    infer: (call) => {
      keyOf(call);
      return [spec(dtype, shapeOf(call))];
    },
    flops: (_, outputs) => 100 * shapeSize(outputs[0]?.shape ?? []),
  };
}

const split64: KernelDefinition = {
  inputs: ['x'],
  attributes: {},
  infer: (call) => {
    const { shape } = call.typed('x', ['int64']);
    return [spec('int64', shape), spec('int64', shape)];
  },
};

export const HOST: KernelTable = {
  'fl.Add': arithmetic,
  'fl.Sub': arithmetic,
  'fl.Mul': arithmetic,
  'fl.FloorDiv': { ...choice, pure: false },
  'fl.FloorMod': { ...choice, pure: false },
  'fl.Min': choice,
  'fl.Max': choice,
  'fl.Equal': comparison,
  'fl.NotEqual': comparison,
  'fl.Less': comparison,
  'fl.LessEqual': comparison,
  'fl.Greater': comparison,
  'fl.GreaterEqual': comparison,
  'fl.Select': {
    inputs: ['condition', 'a', 'b'],
    attributes: {},
    infer: (call) => {
      const condition = call.typed('condition', ['bool']).shape;
      const a = call.typed('a', ALL);
      const b = call.typed('b', [a.dtype]);
      const shape = broadcast(call, a.shape, b.shape);
      return [spec(a.dtype, broadcast(call, condition, shape))];
    },
  },
  'fl.Sum': {
    inputs: ['x'],
    attributes: { axis: 'ints?', keepDims: 'flag?', overflow: 'text?' },
    pure: false,
    infer: (call) => {
      overflow(call);
      const { dtype, shape } = call.typed('x', INTEGERS);
      const axes = reducedAxes(call, shape.length, 'axis');
      return [
        spec(
          dtype,
          call.flag('keepDims')
            ? shape.map((size, axis) => (axes.has(axis) ? 1 : size))
            : shape.filter((_, axis) => !axes.has(axis)),
        ),
      ];
    },
  },
  /** Checked conversion: a value outside the target, or with a fraction, fails. */
  'fl.Cast': {
    inputs: ['x'],
    attributes: { dtype: 'dtype', code: 'text?' },
    pure: false,
    infer: (call) => {
      const { shape } = call.typed('x', CASTABLE);
      call.text('code', FAILURE_CODES, 'execution.kernel_failed');
      return [spec(call.text('dtype', CASTABLE) as DType, shape)];
    },
  },
  /** int64 to int32; a value outside int32 fails with the code in the attribute. */
  'fl.CheckedCast': {
    inputs: ['x'],
    attributes: { code: 'text' },
    pure: false,
    infer: (call) => {
      call.text('code', FAILURE_CODES);
      return [spec('int32', call.typed('x', ['int64']).shape)];
    },
  },
  /** `x = hi * 2^32 + lo` with `0 <= lo < 2^32`: sums of the halves do not wrap. */
  'fl.SplitInt64': split64,
  /** The inverse; the halves may be sums of halves. Fails if the whole is no int64. */
  'fl.JoinInt64': {
    inputs: ['hi', 'lo'],
    attributes: { code: 'text' },
    pure: false,
    infer: (call) => {
      call.text('code', FAILURE_CODES);
      const hi = call.typed('hi', ['int64']);
      const lo = call.typed('lo', ['int64']);
      call.require(String(hi.shape) === String(lo.shape), 'hi and lo must have one shape');
      return [hi];
    },
  },
  /** Passes `data` on if the scalar `condition` is true, else fails with code and message. */
  'fl.Require': {
    inputs: ['condition', 'data'],
    attributes: { code: 'text', message: 'text' },
    pure: false,
    infer: (call) => {
      call.text('code', FAILURE_CODES);
      call.text('message');
      call.require(call.typed('condition', ['bool']).shape.length === 0, 'condition is no scalar');
      return [call.typed('data', ALL)];
    },
  },
  'fl.Reshape': {
    inputs: ['x'],
    attributes: { shape: 'ints' },
    infer: (call) => {
      const x = call.typed('x', ALL);
      const shape = shapeOf(call);
      call.require(shapeSize(shape) === shapeSize(x.shape), 'the number of elements differs');
      return [spec(x.dtype, shape)];
    },
  },
  'fl.Concat': {
    inputs: 'list',
    attributes: { axis: 'int' },
    infer: (call) => [spec(...concatenated(call, ALL))],
  },
  'fl.Slice': {
    inputs: ['x'],
    attributes: { begin: 'ints', size: 'ints' },
    infer: (call) => {
      const x = call.typed('x', ALL);
      return [spec(x.dtype, sliced(call, x.shape))];
    },
  },
  /** Rows of `x` along its first axis; an index outside fails. */
  'fl.Gather': {
    inputs: ['x', 'indices'],
    attributes: { code: 'text?' },
    pure: false,
    infer: (call) => {
      const x = call.typed('x', ALL);
      const indices = call.typed('indices', ['int32']);
      call.text('code', FAILURE_CODES, 'execution.kernel_failed');
      call.require(x.shape.length >= 1, 'x must have at least one axis');
      return [spec(x.dtype, [...indices.shape, ...x.shape.slice(1)])];
    },
  },
  /** Rows of `x` added up by segment, in order; a row whose id is negative is left out. */
  'fl.SegmentSum': {
    inputs: ['x', 'segmentIds'],
    attributes: { numSegments: 'int' },
    pure: false,
    infer: (call) => {
      const x = call.typed('x', ['float32', 'int32']);
      const ids = call.typed('segmentIds', ['int32']);
      call.require(
        x.shape.length >= 1 && ids.shape.length === 1 && ids.shape[0] === x.shape[0],
        'segmentIds must have one entry for each row',
      );
      return [spec(x.dtype, [call.int('numSegments'), ...x.shape.slice(1)])];
    },
  },
  /** A tensor of one value; `value` is a number, or decimal digits for an int64. */
  'fl.Fill': {
    inputs: [],
    attributes: { shape: 'ints', value: 'text', dtype: 'dtype' },
    infer: (call) => {
      const dtype = call.text('dtype', INTEGERS) as 'uint8' | 'int32' | 'int64';
      const text = call.text('value');
      const valid = /^(0|-?[1-9]\d{0,18})$/.test(text) && fits(BigInt(text), dtype);
      call.require(valid, `'${text.slice(0, 40)}' is no ${dtype} in decimal digits`);
      return [spec(dtype, shapeOf(call))];
    },
  },
  'fl.ZerosLike': {
    inputs: ['x'],
    attributes: {},
    infer: (call) => [call.typed('x', CASTABLE)],
  },
  /** 32 random bits an element, by Threefry-2x32 with 20 rounds. */
  'fl.RandomBits': draw('int32'),
  /** Uniform on [0, 1), multiples of 2^-23. */
  'fl.RandomUniform': draw('float32'),
  /** Standard normal. */
  'fl.RandomNormal': draw('float32'),
  /** Uniform integers in `[minimum, maximum)`, free of bias. */
  'fl.RandomInteger': {
    ...draw('int32'),
    attributes: { shape: 'ints', minimum: 'int', maximum: 'int' },
    infer: (call) => {
      keyOf(call);
      const [low, high] = [call.int('minimum'), call.int('maximum')];
      const valid = low < high && low >= -(2 ** 31) && high <= 2 ** 31;
      call.require(valid, `[${low}, ${high}) is no range of int32`);
      return [spec('int32', shapeOf(call))];
    },
  },
  /** A random order of the integers 0 … count-1. */
  'fl.RandomPermutation': {
    ...draw('int32'),
    attributes: { count: 'int' },
    infer: (call) => {
      keyOf(call);
      const count = call.int('count');
      call.require(count >= 0 && count < 2 ** 31, `${count} is no count`);
      return [spec('int32', [count])];
    },
  },
  /** `count` new keys from one. */
  'fl.RandomSplit': {
    ...draw('int32'),
    attributes: { count: 'int' },
    infer: (call) => {
      keyOf(call);
      const count = call.int('count');
      call.require(count >= 1 && count < 2 ** 24, `${count} is no count`);
      return [spec('int32', [count, 2])];
    },
  },
  /** A new key from a key and a number. */
  'fl.RandomFold': {
    inputs: ['key', 'data'],
    attributes: {},
    infer: (call) => {
      keyOf(call);
      call.require(call.typed('data', KEY).shape.length === 0, 'data is no scalar');
      return [spec('int32', [2])];
    },
  },
};

function fits(value: bigint, dtype: 'uint8' | 'int32' | 'int64'): boolean {
  if (dtype === 'uint8') return value >= 0n && value <= 255n;
  return BigInt.asIntN(dtype === 'int32' ? 32 : 64, value) === value;
}
