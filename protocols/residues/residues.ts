/**
 * @file Vectors of integers modulo R, in one of three lanes: `Uint32Array` for R up to 2^32,
 * `BigUint64Array` for R up to 2^64, an array of bigint above. Every value is below R at all times.
 */

import { ProtocolError } from '../errors.ts';
import { wordKernel } from './kernel/index.ts';
import { laneOf } from './modulus.ts';
import { takeIntegers } from './plain-integers.ts';

export * from './modulus.ts';

export interface Residues32 {
  readonly lane: 'u32';
  /** R, at least 2. */
  readonly modulus: bigint;
  readonly values: Uint32Array;
}

export interface Residues64 {
  readonly lane: 'u64';
  readonly modulus: bigint;
  readonly values: BigUint64Array;
}

export interface ResiduesWide {
  readonly lane: 'wide';
  readonly modulus: bigint;
  readonly values: bigint[];
}

export type Residues = Residues32 | Residues64 | ResiduesWide;

/** Plain integers from outside: typed arrays, or arrays of number or bigint. */
export type IntegerVector = ArrayLike<number> | ArrayLike<bigint>;

export function zeroResidues(modulus: bigint, length: number): Residues {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new ProtocolError('invalid-length', `a length is a whole number, got ${length}`);
  }
  switch (laneOf(modulus)) {
    case 'u32':
      return { lane: 'u32', modulus, values: new Uint32Array(length) };
    case 'u64':
      return { lane: 'u64', modulus, values: new BigUint64Array(length) };
    case 'wide':
      return { lane: 'wide', modulus, values: new Array<bigint>(length).fill(0n) };
  }
}

/**
 * Takes integers in [0, maximum], where `maximum` is below R and may differ by element.
 * @param maximum R - 1 by default.
 * @throws ProtocolError `not-an-integer`, `out-of-range` naming the position (not the value: it
 * may be somebody's secret), `invalid-length`.
 */
export function residuesFrom(
  values: IntegerVector,
  modulus: bigint,
  maximum: bigint | ArrayLike<bigint> = modulus - 1n,
): Residues {
  const { length } = values;
  if (typeof maximum !== 'bigint' && maximum.length !== length) {
    throw new ProtocolError(
      'invalid-length',
      `${length} values have ${maximum.length} maxima; give one each or one for all`,
    );
  }
  const residues = zeroResidues(modulus, length);
  const taken =
    typeof maximum === 'bigint' && maximum < modulus ? takeIntegers(values, residues, maximum) : 0;
  for (let i = taken; i < length; i += 1) {
    const bound = typeof maximum === 'bigint' ? maximum : maximum[i]!;
    const value = integerAt(values, i);
    if (value < 0n || value > bound || bound >= modulus) {
      throw new ProtocolError(
        'out-of-range',
        `the value at position ${i} is not in [0, ${bound}] with a modulus of ${modulus}`,
      );
    }
    setValue(residues, i, value);
  }
  return residues;
}

/** The values as bigint, whatever the lane. */
export function toBigInts(residues: Residues): bigint[] {
  const values: ArrayLike<number | bigint> = residues.values;
  return Array.from(values, (value) => BigInt(value));
}

/** @throws ProtocolError `out-of-range` where a value exceeds 2^53 - 1. */
export function toNumbers(residues: Residues): number[] {
  const values: ArrayLike<number | bigint> = residues.values;
  return Array.from(values, (value, i) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) {
      throw new ProtocolError('out-of-range', `the value at position ${i} exceeds 2^53 - 1`);
    }
    return number;
  });
}

export function copyResidues(residues: Residues): Residues {
  switch (residues.lane) {
    case 'u32':
      return { ...residues, values: residues.values.slice() };
    case 'u64':
      return { ...residues, values: residues.values.slice() };
    case 'wide':
      return { ...residues, values: residues.values.slice() };
  }
}

export function equalResidues(left: Residues, right: Residues): boolean {
  if (left.modulus !== right.modulus || left.values.length !== right.values.length) return false;
  for (let i = 0; i < left.values.length; i += 1) {
    if (left.values[i] !== right.values[i]) return false;
  }
  return true;
}

/**
 * Whether lane and array are the ones of R and every value is an integer below R, as of an object built
 * elsewhere.
 */
export function isCanonical(residues: Residues): boolean {
  const { lane, modulus, values } = residues;
  if (modulus < 2n || lane !== laneOf(modulus)) return false;
  if (lane === 'wide') {
    return values.every((value) => typeof value === 'bigint' && value >= 0n && value < modulus);
  }
  const bytes = lane === 'u32' ? 4 : 8;
  if (!ArrayBuffer.isView(values) || values.BYTES_PER_ELEMENT !== bytes) return false;
  return wordKernel().firstNotBelow(residues) < 0;
}

/** Stores a canonical value; the caller has checked it. */
export function setValue(residues: Residues, index: number, value: bigint): void {
  if (residues.lane === 'u32') residues.values[index] = Number(value);
  else residues.values[index] = value;
}

function integerAt(values: IntegerVector, index: number): bigint {
  const value = values[index];
  if (typeof value === 'bigint') return value;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new ProtocolError(
      'not-an-integer',
      `the value at position ${index} is not an integer within 2^53`,
    );
  }
  return BigInt(value);
}
