/**
 * @file The quick way from plain integers to residues, for the arrays that inputs mostly come in: about a
 * nanosecond a value, where a bigint for each would take a hundred.
 */

import { HOST_IS_LITTLE_ENDIAN } from './kernel/keystream-words.ts';
import type { IntegerVector, Residues } from './residues.ts';

/**
 * Stores the leading values into `residues` as far as they are known to be integers in [0, maximum].
 * @param residues as long as `values`, with a modulus above `maximum`.
 * @returns how many it stored. It stops at a value that is not in range, and at the start of an array
 * that it knows no quick way for; the caller takes the rest one by one and finds what is wrong.
 */
export function takeIntegers(values: IntegerVector, residues: Residues, maximum: bigint): number {
  if (residues.lane === 'wide' || maximum < 0n) return 0;
  const words: Words =
    residues.lane === 'u32'
      ? { words: residues.values, step: 1, low: 0, high: 0 }
      : { words: halvesOf(residues.values), step: 2, low: LOW, high: HIGH };
  if (values instanceof BigUint64Array) return takeWords64(halvesOf(values), words, maximum);
  if (values instanceof BigInt64Array) {
    return takeWords64(halvesOf(values), words, least(maximum, LARGEST_INT64));
  }
  if (values instanceof Uint32Array) return takeWords32(values, words, Number(maximum));
  if (isShortArray(values)) {
    // Taken as unsigned, what is negative is above every signed number.
    const limit = Number(least(maximum, LARGEST_INT32));
    const signed = values instanceof Int32Array ? values : new Int32Array(values);
    return takeWords32(
      new Uint32Array(signed.buffer, signed.byteOffset, signed.length),
      words,
      limit,
    );
  }
  const limit = Number(least(maximum, LARGEST_SAFE));
  if (values instanceof Float64Array) return takeDoubles(values, words, limit);
  if (values instanceof Float32Array) return takeDoubles(new Float64Array(values), words, limit);
  return Array.isArray(values) ? takeElements(values, words, limit) : 0;
}

/** Where values go: each to one word, or to the low one of two that are still zero. */
interface Words {
  readonly words: Uint32Array;
  readonly step: 1 | 2;
  readonly low: 0 | 1;
  readonly high: 0 | 1;
}

function takeWords32(values: Uint32Array, { words, step, low }: Words, limit: number): number {
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    if (value > limit) return i;
    words[step * i + low] = value;
  }
  return values.length;
}

/** @param halves two words for each value. */
function takeWords64(halves: Uint32Array, to: Words, limit: bigint): number {
  const { words, step, low, high } = to;
  const limitHigh = Number(limit >> 32n);
  const limitLow = Number(BigInt.asUintN(32, limit));
  const length = halves.length / 2;
  for (let i = 0; i < length; i += 1) {
    const valueHigh = halves[2 * i + HIGH]!;
    const valueLow = halves[2 * i + LOW]!;
    if (valueHigh > limitHigh || (valueHigh === limitHigh && valueLow > limitLow)) return i;
    words[step * i + low] = valueLow;
    if (step === 2) words[step * i + high] = valueHigh;
  }
  return length;
}

/** @param limit at most 2^53 - 1. */
function takeDoubles(values: Float64Array, to: Words, limit: number): number {
  const { words, step, low, high } = to;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!;
    if (!(value >= 0 && value <= limit) || Math.floor(value) !== value) return i;
    words[step * i + low] = value >>> 0;
    if (step === 2) words[step * i + high] = value / 2 ** 32;
  }
  return values.length;
}

/** The same for an ordinary array, which may hold anything. Apart, so that each loop sees one kind. */
function takeElements(values: readonly unknown[], to: Words, limit: number): number {
  const { words, step, low, high } = to;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    if (typeof value !== 'number') return i;
    if (!(value >= 0 && value <= limit) || Math.floor(value) !== value) return i;
    words[step * i + low] = value >>> 0;
    if (step === 2) words[step * i + high] = value / 2 ** 32;
  }
  return values.length;
}

function isShortArray(
  values: IntegerVector,
): values is Int32Array | Uint16Array | Int16Array | Uint8Array | Uint8ClampedArray | Int8Array {
  return (
    values instanceof Int32Array ||
    values instanceof Uint16Array ||
    values instanceof Int16Array ||
    values instanceof Uint8Array ||
    values instanceof Uint8ClampedArray ||
    values instanceof Int8Array
  );
}

function halvesOf({ buffer, byteOffset, length }: BigUint64Array | BigInt64Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, 2 * length);
}

function least(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}

const LARGEST_INT32 = 2n ** 31n - 1n;
const LARGEST_INT64 = 2n ** 63n - 1n;
const LARGEST_SAFE = 2n ** 53n - 1n;
const LOW = HOST_IS_LITTLE_ENDIAN ? 0 : 1;
const HIGH = HOST_IS_LITTLE_ENDIAN ? 1 : 0;
