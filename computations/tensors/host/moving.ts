/** @file Host kernels that move, select or make elements of any dtype, and the check of a condition. */

import { ExecutionError, type ExecutionErrorCode } from '../../types/errors.ts';
import { type ConcreteSpec, shapeSize } from '../graph.ts';
import type { ConcreteAttribute } from '../kernels/definition.ts';
import {
  allocateOutput,
  broadcastIndex,
  copyRun,
  type HostKernel,
  type HostTensor,
  type MutableData,
  stridesOf,
} from './arrays.ts';
import { failWith } from './failure.ts';

const select: HostKernel = ([condition, a, b], _, [output]) => {
  const spec = output as ConcreteSpec;
  const out = allocateOutput(spec);
  const [c, x, y] = [condition as HostTensor, a as HostTensor, b as HostTensor];
  const [atC, atX, atY] = [c, x, y].map(({ shape }) => broadcastIndex(shape, spec.shape)) as [
    Index,
    Index,
    Index,
  ];
  for (let i = 0; i < out.length; i++) {
    const chosen = c.data[atC === null ? i : atC(i)] === 1;
    out[i] = (
      chosen ? x.data[atX === null ? i : atX(i)] : y.data[atY === null ? i : atY(i)]
    ) as never;
  }
  return [out];
};

type Index = ReturnType<typeof broadcastIndex>;

const concat: HostKernel = (inputs, attributes, [output]) => {
  const spec = output as ConcreteSpec;
  const out = allocateOutput(spec);
  const axis = axisOf(attributes.axis, spec.shape.length);
  const inner = shapeSize(spec.shape.slice(axis + 1));
  const rows = shapeSize(spec.shape.slice(0, axis));
  let position = 0;
  for (let row = 0; row < rows; row++) {
    for (const { data, shape } of inputs) {
      const length = (shape[axis] ?? 0) * inner;
      copyRun(out, position, data, row * length, length);
      position += length;
    }
  }
  return [out];
};

const slice: HostKernel = ([input], attributes, [output]) => {
  const { data, shape } = input as HostTensor;
  const spec = output as ConcreteSpec;
  const out = allocateOutput(spec);
  const strides = stridesOf(shape);
  const begin = listOf(attributes.begin);
  const inner = spec.shape.at(-1) ?? 1;
  for (let start = 0; start < out.length; start += inner) {
    let rest = inner === 0 ? 0 : start / inner;
    let source = begin.at(-1) ?? 0;
    for (let axis = shape.length - 2; axis >= 0; axis--) {
      const size = spec.shape[axis] as number;
      source += ((rest % size) + (begin[axis] ?? 0)) * (strides[axis] as number);
      rest = Math.floor(rest / size);
    }
    copyRun(out, start, data, source, inner);
  }
  return [out];
};

const gather: HostKernel = ([input, positions], attributes, [output]) => {
  const { data, shape } = input as HostTensor;
  const indices = (positions as HostTensor).data as Int32Array;
  const out = allocateOutput(output as ConcreteSpec);
  const rows = shape[0] ?? 0;
  const inner = shapeSize(shape.slice(1));
  indices.forEach((index, i) => {
    if (index < 0 || index >= rows) {
      failWith(attributes, 'code', `The index ${index} is not within [0, ${rows}).`);
    }
    copyRun(out, i * inner, data, index * inner, inner);
  });
  return [out];
};

const segmentSum: HostKernel = ([input, segments], attributes, [output]) => {
  const x = (input as HostTensor).data as Float32Array | Int32Array;
  const ids = (segments as HostTensor).data as Int32Array;
  const spec = output as ConcreteSpec;
  const out = allocateOutput(spec) as Float32Array | Int32Array;
  const rows = spec.shape[0] ?? 0;
  const inner = shapeSize(spec.shape.slice(1));
  ids.forEach((segment, row) => {
    if (segment < 0) return;
    if (segment >= rows) failWith(attributes, '', `The segment ${segment} is not below ${rows}.`);
    for (let i = 0; i < inner; i++) {
      const at = segment * inner + i;
      out[at] = (out[at] as number) + (x[row * inner + i] as number);
    }
  });
  return [out];
};

const fill: HostKernel = (_, attributes, [output]) => {
  const spec = output as ConcreteSpec;
  const out = allocateOutput(spec) as Exclude<MutableData, string[]>;
  const { value } = attributes;
  return [out.fill((spec.dtype === 'int64' ? BigInt(value as string) : Number(value)) as never)];
};

const require: HostKernel = ([condition, data], attributes) => {
  if ((condition as HostTensor).data[0] !== 1) {
    throw new ExecutionError(attributes.code as ExecutionErrorCode, String(attributes.message));
  }
  return [(data as HostTensor).data];
};

export const MOVING_KERNELS: Readonly<Record<string, HostKernel>> = {
  'fl.Select': select,
  'fl.Concat': concat,
  'fl.Slice': slice,
  'fl.Gather': gather,
  'fl.SegmentSum': segmentSum,
  'fl.Fill': fill,
  'fl.Require': require,
  'fl.Reshape': ([x]) => [(x as HostTensor).data],
  'fl.ZerosLike': (_, __, [output]) => [allocateOutput(output as ConcreteSpec)],
};

function axisOf(axis: ConcreteAttribute | undefined, rank: number): number {
  const value = axis as number;
  return value < 0 ? value + rank : value;
}

function listOf(value: ConcreteAttribute | undefined): readonly number[] {
  return typeof value === 'number' ? [value] : (value as readonly number[]);
}
