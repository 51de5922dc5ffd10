/**
 * @file Kernels of tfjs that the host computes to the same bits as every backend: IEEE addition,
 * subtraction, multiplication, division and square root, comparisons, and moves. Small graphs made
 * of these run here, because a call into a backend costs more than the work.
 */

import type { ConcreteSpec } from '../graph.ts';
import {
  allocateOutput,
  broadcastIndex,
  type HostKernel,
  type HostTensor,
  type MutableData,
} from './arrays.ts';
import { MOVING_KERNELS } from './moving.ts';

type Numbers = Float32Array | Int32Array | Uint8Array;

function unary(
  onFloats: (x: number) => number,
  onIntegers: (x: number) => number = onFloats,
): HostKernel {
  return ([input], _, [output]) => {
    const x = (input as HostTensor).data as Numbers;
    const compute = (input as HostTensor).dtype === 'int32' ? onIntegers : onFloats;
    const out = allocateOutput(output as ConcreteSpec) as Numbers;
    // Storing in a Float32Array rounds to nearest; a double has bits enough that rounding twice
    // gives the float32 result (Figueroa 1995).
    for (let i = 0; i < out.length; i++) out[i] = compute(x[i] as number);
    return [out];
  };
}

function binary(
  compute: (a: number, b: number) => number,
  onIntegers: (a: number, b: number) => number = compute,
): HostKernel {
  return ([a, b], _, [output]) => {
    const spec = output as ConcreteSpec;
    const [x, y] = [a as HostTensor, b as HostTensor];
    const out = allocateOutput(spec) as Numbers;
    const apply = x.dtype === 'int32' ? onIntegers : compute;
    const [atX, atY] = [broadcastIndex(x.shape, spec.shape), broadcastIndex(y.shape, spec.shape)];
    for (let i = 0; i < out.length; i++) {
      const left = x.data[atX === null ? i : atX(i)] as number;
      const right = y.data[atY === null ? i : atY(i)] as number;
      out[i] = apply(left, right);
    }
    return [out];
  };
}

const copy: HostKernel = ([x]) => [(x as HostTensor).data];

const range: HostKernel = (_, { start, step }, [output]) => {
  const out = allocateOutput(output as ConcreteSpec) as Int32Array;
  return [out.map((_, i) => (start as number) + i * (step as number))];
};

const cast: HostKernel = ([input], _, [output]) => {
  const { data, dtype } = input as HostTensor;
  const spec = output as ConcreteSpec;
  if (dtype === spec.dtype) return [data];
  const out = allocateOutput(spec) as Numbers;
  const numbers = data as Numbers;
  for (let i = 0; i < out.length; i++) {
    const value = numbers[i] as number;
    out[i] = spec.dtype === 'bool' ? Number(value !== 0) : value;
  }
  return [out];
};

export const EXACT_KERNELS: Readonly<Record<string, HostKernel>> = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Multiply: binary((a, b) => a * b, Math.imul),
  RealDiv: binary((a, b) => a / b),
  Equal: binary((a, b) => Number(a === b)),
  NotEqual: binary((a, b) => Number(a !== b)),
  Less: binary((a, b) => Number(a < b)),
  LessEqual: binary((a, b) => Number(a <= b)),
  Greater: binary((a, b) => Number(a > b)),
  GreaterEqual: binary((a, b) => Number(a >= b)),
  LogicalAnd: binary((a, b) => a & b),
  LogicalOr: binary((a, b) => a | b),
  LogicalNot: unary((x) => 1 - x),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Square: unary(
    (x) => x * x,
    (x) => Math.imul(x, x),
  ),
  Sqrt: unary(Math.sqrt),
  Cast: cast,
  Identity: copy,
  Reshape: copy,
  ExpandDims: copy,
  Fill: MOVING_KERNELS['fl.Fill'] as HostKernel,
  Range: range,
  ZerosLike: (_, __, [output]) => [allocateOutput(output as ConcreteSpec)],
  OnesLike: (_, __, [output]) => {
    const out = allocateOutput(output as ConcreteSpec) as Exclude<MutableData, string[]>;
    return [out.fill(1 as never)];
  },
  Concat: MOVING_KERNELS['fl.Concat'] as HostKernel,
  Slice: MOVING_KERNELS['fl.Slice'] as HostKernel,
};
