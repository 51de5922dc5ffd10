/**
 * @file Exact integers on typed arrays: arithmetic, comparison, sums, and the halves of int64 with
 * which sums are carried in 96 bits and more. A result that its dtype does not hold is an error
 * unless the node says that it wraps.
 */

import { type DType, type IntegerDType, integerRange } from '../../types/dtypes.ts';
import { type ConcreteSpec, shapeSize } from '../graph.ts';
import type { ConcreteAttributes } from '../kernels/definition.ts';
import {
  allocateOutput,
  broadcastIndex,
  type HostKernel,
  type HostTensor,
  stridesOf,
  type TensorData,
} from './arrays.ts';
import { failWith } from './failure.ts';

type Arithmetic = 'add' | 'sub' | 'mul';

function arithmetic(operation: Arithmetic): HostKernel {
  return ([a, b], attributes, [output]) => {
    const [x, y, out] = [a as HostTensor, b as HostTensor, output as ConcreteSpec];
    return [
      out.dtype === 'int64'
        ? bigArithmetic(operation, x, y, out, attributes)
        : smallArithmetic(operation, x, y, out, attributes),
    ];
  };
}

function smallArithmetic(
  operation: Arithmetic,
  a: HostTensor,
  b: HostTensor,
  output: ConcreteSpec,
  attributes: ConcreteAttributes,
): TensorData {
  const [x, y] = [a.data as Int32Array, b.data as Int32Array];
  const out = allocateOutput(output) as Int32Array;
  const [atA, atB] = [broadcastIndex(a.shape, output.shape), broadcastIndex(b.shape, output.shape)];
  const wrap = attributes.overflow === 'wrap';
  for (let i = 0; i < out.length; i++) {
    const left = x[atA === null ? i : atA(i)] as number;
    const right = y[atB === null ? i : atB(i)] as number;
    if (operation === 'mul') {
      out[i] = Math.imul(left, right);
      // The product in doubles is off by rounding only, far less than the 2^31 of a wrap.
      if (!wrap && Math.abs(left * right - (out[i] as number)) > 1) overflow(attributes, output);
    } else {
      const exact = operation === 'add' ? left + right : left - right;
      out[i] = exact;
      if (!wrap && out[i] !== exact) overflow(attributes, output);
    }
  }
  return out;
}

function bigArithmetic(
  operation: Arithmetic,
  a: HostTensor,
  b: HostTensor,
  output: ConcreteSpec,
  attributes: ConcreteAttributes,
): TensorData {
  const [x, y] = [a.data as BigInt64Array, b.data as BigInt64Array];
  const out = allocateOutput(output) as BigInt64Array;
  const [atA, atB] = [broadcastIndex(a.shape, output.shape), broadcastIndex(b.shape, output.shape)];
  const wrap = attributes.overflow === 'wrap';
  for (let i = 0; i < out.length; i++) {
    const left = x[atA === null ? i : atA(i)] as bigint;
    const right = y[atB === null ? i : atB(i)] as bigint;
    const exact =
      operation === 'mul' ? left * right : operation === 'add' ? left + right : left - right;
    const kept = BigInt.asIntN(64, exact);
    out[i] = kept;
    if (!wrap && kept !== exact) overflow(attributes, output);
  }
  return out;
}

function overflow(attributes: ConcreteAttributes, { dtype }: ConcreteSpec): never {
  return failWith(attributes, 'overflow', `The result does not fit ${dtype}.`);
}

/** A kernel that works the same way on numbers and on bigints. */
function pairwise(
  combine: (a: number | bigint, b: number | bigint) => number | bigint | boolean,
): HostKernel {
  return ([a, b], _, [output]) => {
    const [x, y, spec] = [a as HostTensor, b as HostTensor, output as ConcreteSpec];
    const out = allocateOutput(spec) as unknown[];
    const [atA, atB] = [broadcastIndex(x.shape, spec.shape), broadcastIndex(y.shape, spec.shape)];
    for (let i = 0; i < out.length; i++) {
      const left = x.data[atA === null ? i : atA(i)] as number | bigint;
      const right = y.data[atB === null ? i : atB(i)] as number | bigint;
      out[i] = combine(left, right);
    }
    return [out as TensorData];
  };
}

// Math.min takes no bigints.
function smaller(a: number | bigint, b: number | bigint): number | bigint {
  if (a < b) return a;
  return b;
}

/** The quotient, rounded down. */
function floorDiv(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if (b === 0n) return failWith({}, '', 'Division by zero.');
    const quotient = a / b;
    return quotient * b !== a && a < 0n !== b < 0n ? quotient - 1n : quotient;
  }
  const [x, y] = [Number(a), Number(b)];
  // Doubles hold the quotient of two int32 exactly enough to round it down.
  return y === 0 ? failWith({}, '', 'Division by zero.') : Math.floor(x / y);
}

/** The remainder with the sign of the divisor. */
function floorMod(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if (b === 0n) return failWith({}, '', 'Division by zero.');
    const rest = a % b;
    return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
  }
  const [x, y] = [Number(a), Number(b)];
  if (y === 0) return failWith({}, '', 'Division by zero.');
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

const sum: HostKernel = ([input], attributes, [output]) => {
  const x = input as HostTensor;
  const spec = output as ConcreteSpec;
  const cells = shapeSize(spec.shape);
  const target = reductionIndex(x.shape, attributes);
  const totals =
    x.dtype === 'int64' || x.data.length > EXACT_TERMS
      ? bigTotals(x, cells, target)
      : Array.from(numberTotals(x, cells, target), BigInt);
  const { min, max } = integerRange(spec.dtype as IntegerDType);
  const bits = spec.dtype === 'uint8' ? 8 : spec.dtype === 'int32' ? 32 : 64;
  const out = allocateOutput(spec);
  totals.forEach((total, i) => {
    const fits = total >= min && total <= max;
    if (!fits && attributes.overflow !== 'wrap') overflow(attributes, spec);
    const kept = spec.dtype === 'uint8' ? BigInt.asUintN(bits, total) : BigInt.asIntN(bits, total);
    out[i] = (spec.dtype === 'int64' ? kept : Number(kept)) as never;
  });
  return [out];
};

// 2^21 terms of 2^31 are exact in a double.
const EXACT_TERMS = 2 ** 21;

function numberTotals(x: HostTensor, cells: number, target: (i: number) => number): Float64Array {
  const totals = new Float64Array(cells);
  const data = x.data as Int32Array;
  for (let i = 0; i < data.length; i++) totals[target(i)]! += data[i] as number;
  return totals;
}

function bigTotals(x: HostTensor, cells: number, target: (i: number) => number): bigint[] {
  const totals = new Array<bigint>(cells).fill(0n);
  const data = x.data as Int32Array | BigInt64Array;
  for (let i = 0; i < data.length; i++) {
    const cell = target(i);
    totals[cell] = (totals[cell] as bigint) + BigInt(data[i] as number | bigint);
  }
  return totals;
}

/** The index in the reduced tensor for each index of `shape`. */
function reductionIndex(
  shape: readonly number[],
  attributes: ConcreteAttributes,
): (index: number) => number {
  const given = attributes.axis;
  if (given === undefined) return () => 0;
  const axes = new Set(
    (typeof given === 'number' ? [given] : (given as readonly number[])).map((axis) =>
      axis < 0 ? axis + shape.length : axis,
    ),
  );
  const kept = stridesOf(shape.filter((_, axis) => !axes.has(axis)));
  let next = 0;
  const strides = shape.map((_, axis) => (axes.has(axis) ? 0 : (kept[next++] as number)));
  return (index) => {
    let rest = index;
    let position = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] as number;
      position += (rest % size) * (strides[axis] as number);
      rest = Math.floor(rest / size);
    }
    return position;
  };
}

const cast: HostKernel = ([input], attributes, [output]) => {
  const { dtype, data } = input as HostTensor;
  const spec = output as ConcreteSpec;
  return [castData(data, dtype, spec, attributes)];
};

function castData(
  data: TensorData,
  from: DType,
  spec: ConcreteSpec,
  attributes: ConcreteAttributes,
): TensorData {
  if (from === spec.dtype) return data;
  const out = allocateOutput(spec);
  const fail = (value: unknown): never =>
    failWith(
      attributes,
      'code',
      `The value ${value} cannot be cast from ${from} to ${spec.dtype}.`,
    );
  for (let i = 0; i < out.length; i++) {
    const value = data[i] as number | bigint;
    switch (spec.dtype) {
      case 'bool':
        // biome-ignore lint/suspicious/noDoubleEquals: 0 and 0n are both false
        out[i] = value == 0 ? 0 : 1;
        break;
      case 'float32':
        out[i] = Number(value);
        break;
      case 'int64':
        if (!Number.isSafeInteger(value)) {
          if (!Number.isInteger(value) || Math.abs(Number(value)) >= 2 ** 63) fail(value);
        }
        out[i] = BigInt(value);
        break;
      default: {
        const { min, max } = integerRange(spec.dtype as IntegerDType);
        const small = Number(value);
        if (!Number.isInteger(small) || value < min || value > max) fail(value);
        out[i] = small;
      }
    }
  }
  return out;
}

const splitInt64: HostKernel = ([input], _, [output]) => {
  const { data } = input as HostTensor;
  const hi = allocateOutput(output as ConcreteSpec) as BigInt64Array;
  const lo = allocateOutput(output as ConcreteSpec) as BigInt64Array;
  (data as BigInt64Array).forEach((value, i) => {
    hi[i] = value >> 32n;
    lo[i] = value & 0xffffffffn;
  });
  return [hi, lo];
};

const joinInt64: HostKernel = ([first, second], attributes, [output]) => {
  const hi = (first as HostTensor).data as BigInt64Array;
  const lo = (second as HostTensor).data as BigInt64Array;
  const out = allocateOutput(output as ConcreteSpec) as BigInt64Array;
  for (let i = 0; i < out.length; i++) {
    const whole = ((hi[i] as bigint) << 32n) + (lo[i] as bigint);
    if (BigInt.asIntN(64, whole) !== whole) {
      failWith(attributes, 'code', `The result ${whole} does not fit int64.`);
    }
    out[i] = whole;
  }
  return [out];
};

export const INTEGER_KERNELS: Readonly<Record<string, HostKernel>> = {
  'fl.Add': arithmetic('add'),
  'fl.Sub': arithmetic('sub'),
  'fl.Mul': arithmetic('mul'),
  'fl.FloorDiv': pairwise(floorDiv),
  'fl.FloorMod': pairwise(floorMod),
  'fl.Min': pairwise(smaller),
  'fl.Max': pairwise((a, b) => (smaller(a, b) === a ? b : a)),
  'fl.Equal': pairwise((a, b) => Number(a === b)),
  'fl.NotEqual': pairwise((a, b) => Number(a !== b)),
  'fl.Less': pairwise((a, b) => Number(a < b)),
  'fl.LessEqual': pairwise((a, b) => Number(a <= b)),
  'fl.Greater': pairwise((a, b) => Number(a > b)),
  'fl.GreaterEqual': pairwise((a, b) => Number(a >= b)),
  'fl.Sum': sum,
  'fl.Cast': cast,
  'fl.CheckedCast': cast,
  'fl.SplitInt64': splitInt64,
  'fl.JoinInt64': joinInt64,
};
