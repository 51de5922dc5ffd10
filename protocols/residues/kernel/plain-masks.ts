/**
 * @file Masks in plain JavaScript: the words of a keystream as values that are exactly uniform modulo R,
 * added to residues or taken off them, mask by mask.
 */

import { KEYSTREAM_CHUNK } from '../../crypto/interface.ts';
import { TWO_32, TWO_64 } from '../modulus.ts';
import type { Residues32, Residues64 } from '../residues.ts';
import { keystreamWords32, keystreamWords64 } from './keystream-words.ts';
import type { Mask } from './word-kernel.ts';

/** Adds whole words, wrapping around; the caller reduces them once after the last mask. */
export function maskWords32(target: Uint32Array, { keystream, sign }: Mask): void {
  for (let start = 0; start < target.length; start += WORDS_32) {
    const part = target.subarray(start, start + WORDS_32);
    const words = keystreamWords32(keystream, part.length);
    if (sign === 1) addWords(part, words);
    else subtractWords(part, words);
  }
}

export function maskWords64(target: BigUint64Array, { keystream, sign }: Mask): void {
  for (let start = 0; start < target.length; start += WORDS_64) {
    const part = target.subarray(start, start + WORDS_64);
    const words = keystreamWords64(keystream, part.length);
    // V8 compiles this form to one machine addition.
    if (sign === 1) {
      for (let i = 0; i < part.length; i += 1) part[i] = BigInt.asUintN(64, part[i]! + words[i]!);
    } else {
      for (let i = 0; i < part.length; i += 1) part[i] = BigInt.asUintN(64, part[i]! - words[i]!);
    }
  }
}

/** Takes a word below the largest multiple of R that fits, modulo R: every residue as often. */
export function maskByRejection32(
  { values, modulus }: Residues32,
  { keystream, sign }: Mask,
): void {
  const limit = Number(TWO_32 - (TWO_32 % modulus));
  for (let next = 0; next < values.length; ) {
    const words = keystreamWords32(keystream, Math.min(WORDS_32, values.length - next));
    next += addAccepted32(values.subarray(next), words, Number(modulus), limit, sign);
  }
}

export function maskByRejection64(
  { values, modulus }: Residues64,
  { keystream, sign }: Mask,
): void {
  const limit = TWO_64 - (TWO_64 % modulus);
  for (let next = 0; next < values.length; ) {
    const words = keystreamWords64(keystream, Math.min(WORDS_64, values.length - next));
    next += addAccepted64(values.subarray(next), words, modulus, limit, sign);
  }
}

/** Adds the words below `limit` to the leading values, as many as there are; returns how many. */
function addAccepted32(
  values: Uint32Array,
  words: Uint32Array,
  modulus: number,
  limit: number,
  sign: 1 | -1,
): number {
  let next = 0;
  if (modulus < 2 ** 31) {
    for (let i = 0; i < words.length; i += 1) {
      const word = words[i]!;
      if (word >= limit) continue;
      // word % modulus in integers; the quotient is exact as below.
      const mask = (word - Math.imul(word / modulus, modulus)) | 0;
      values[next] = signedModulo(values[next]! + (sign === 1 ? mask - modulus : -mask), modulus);
      next += 1;
    }
    return next;
  }
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!;
    if (word >= limit) continue;
    // word % modulus, four times as fast; exact because both are below 2^32 and a double's
    // quotient errs by less than the distance to the next integer.
    const mask = word - Math.floor(word / modulus) * modulus;
    const value = values[next]! + (sign === 1 ? mask : modulus - mask);
    values[next] = value >= modulus ? value - modulus : value;
    next += 1;
  }
  return next;
}

/**
 * The residue of a value in [-modulus, modulus), where modulus < 2^31. Without a branch, which on masked
 * values would be mispredicted half of the time.
 */
export function signedModulo(value: number, modulus: number): number {
  return (value + (modulus & (value >> 31))) | 0;
}

function addAccepted64(
  values: BigUint64Array,
  words: BigUint64Array,
  modulus: bigint,
  limit: bigint,
  sign: 1 | -1,
): number {
  let next = 0;
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!;
    if (word >= limit) continue;
    const mask = word % modulus;
    const value = values[next]! + (sign === 1 ? mask : modulus - mask);
    values[next] = value >= modulus ? value - modulus : value;
    next += 1;
  }
  return next;
}

/**
 * Eight additions a turn: V8 does not unroll, and the bookkeeping of a turn costs as much as an
 * addition.
 */
function addWords(target: Uint32Array, words: Uint32Array): void {
  const { length } = words;
  const whole = length - (length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    target[i] = (target[i]! + words[i]!) | 0;
    target[i + 1] = (target[i + 1]! + words[i + 1]!) | 0;
    target[i + 2] = (target[i + 2]! + words[i + 2]!) | 0;
    target[i + 3] = (target[i + 3]! + words[i + 3]!) | 0;
    target[i + 4] = (target[i + 4]! + words[i + 4]!) | 0;
    target[i + 5] = (target[i + 5]! + words[i + 5]!) | 0;
    target[i + 6] = (target[i + 6]! + words[i + 6]!) | 0;
    target[i + 7] = (target[i + 7]! + words[i + 7]!) | 0;
  }
  for (; i < length; i += 1) target[i] = (target[i]! + words[i]!) | 0;
}

function subtractWords(target: Uint32Array, words: Uint32Array): void {
  const { length } = words;
  const whole = length - (length % 8);
  let i = 0;
  for (; i < whole; i += 8) {
    target[i] = (target[i]! - words[i]!) | 0;
    target[i + 1] = (target[i + 1]! - words[i + 1]!) | 0;
    target[i + 2] = (target[i + 2]! - words[i + 2]!) | 0;
    target[i + 3] = (target[i + 3]! - words[i + 3]!) | 0;
    target[i + 4] = (target[i + 4]! - words[i + 4]!) | 0;
    target[i + 5] = (target[i + 5]! - words[i + 5]!) | 0;
    target[i + 6] = (target[i + 6]! - words[i + 6]!) | 0;
    target[i + 7] = (target[i + 7]! - words[i + 7]!) | 0;
  }
  for (; i < length; i += 1) target[i] = (target[i]! - words[i]!) | 0;
}

const WORDS_32 = KEYSTREAM_CHUNK / 4;
const WORDS_64 = KEYSTREAM_CHUNK / 8;
