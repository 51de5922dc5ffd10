/**
 * @file Adds masks to residues: a keystream, read as exactly uniform values modulo R, added or
 * subtracted in place. The hot loop of every masking protocol.
 *
 * A power of two takes whole machine words (uniform words are uniform modulo any smaller power of
 * two) and reduces once after the last mask. Any other R rejects words that would favour some
 * residue, so both ends of a pair read the same values wherever the chunks end.
 */

import { KEYSTREAM_CHUNK, type Keystream } from '../crypto/interface.ts';
import { reduceWords } from '../residues/arithmetic.ts';
import {
  bitsPerValue,
  isPowerOfTwo,
  type Residues,
  type Residues32,
  type Residues64,
  type ResiduesWide,
  TWO_32,
  TWO_64,
} from '../residues/residues.ts';
import { addWords32 } from './word-adder.ts';

export interface Mask {
  readonly keystream: Keystream;
  /** +1 adds the mask, -1 takes it off. */
  readonly sign: 1 | -1;
}

/** target += sum of sign * mask (mod R). */
export function applyMasks(target: Residues, masks: Iterable<Mask>): void {
  const powerOfTwo = isPowerOfTwo(target.modulus);
  for (const { keystream, sign } of masks) {
    if (target.lane === 'u32') {
      if (powerOfTwo) maskWords32(target.values, keystream, sign);
      else maskByRejection32(target, keystream, sign);
    } else if (target.lane === 'u64') {
      if (powerOfTwo) maskWords64(target.values, keystream, sign);
      else maskByRejection64(target, keystream, sign);
    } else {
      maskWide(target, keystream, sign);
    }
  }
  if (powerOfTwo && target.lane !== 'wide') reduceWords(target);
}

function maskWords32(target: Uint32Array, keystream: Keystream, sign: 1 | -1): void {
  for (let start = 0; start < target.length; start += WORDS_32) {
    const count = Math.min(WORDS_32, target.length - start);
    addWords32(target, start, words32(keystream, count), sign);
  }
}

function maskWords64(target: BigUint64Array, keystream: Keystream, sign: 1 | -1): void {
  for (let start = 0; start < target.length; start += WORDS_64) {
    const count = Math.min(WORDS_64, target.length - start);
    const words = words64(keystream, count);
    if (sign === 1) {
      for (let i = 0; i < count; i += 1) {
        target[start + i] = BigInt.asUintN(64, target[start + i]! + words[i]!);
      }
    } else {
      for (let i = 0; i < count; i += 1) {
        target[start + i] = BigInt.asUintN(64, target[start + i]! - words[i]!);
      }
    }
  }
}

/** Takes a word below the largest multiple of R that fits, modulo R: every residue as often. */
function maskByRejection32(target: Residues32, keystream: Keystream, sign: 1 | -1): void {
  const { values } = target;
  const modulus = Number(target.modulus);
  const limit = Number(TWO_32 - (TWO_32 % target.modulus));
  let next = 0;
  while (next < values.length) {
    const words = words32(keystream, Math.min(WORDS_32, values.length - next));
    for (let i = 0; i < words.length && next < values.length; i += 1) {
      const word = words[i]!;
      if (word >= limit) continue;
      // word % modulus, four times as fast; exact because both are below 2^32 and a double's
      // quotient errs by less than the distance to the next integer.
      const mask = word - Math.floor(word / modulus) * modulus;
      const value = values[next]! + (sign === 1 ? mask : modulus - mask);
      values[next] = value >= modulus ? value - modulus : value;
      next += 1;
    }
  }
}

function maskByRejection64(target: Residues64, keystream: Keystream, sign: 1 | -1): void {
  const { values, modulus } = target;
  const limit = TWO_64 - (TWO_64 % modulus);
  let next = 0;
  while (next < values.length) {
    const words = words64(keystream, Math.min(WORDS_64, values.length - next));
    for (let i = 0; i < words.length && next < values.length; i += 1) {
      const word = words[i]!;
      if (word >= limit) continue;
      const mask = word % modulus;
      const value = values[next]! + (sign === 1 ? mask : modulus - mask);
      values[next] = value >= modulus ? value - modulus : value;
      next += 1;
    }
  }
}

/** Takes 64-bit words, cuts them to the bits of R - 1 and rejects R and above (never, for 2^k). */
function maskWide(target: ResiduesWide, keystream: Keystream, sign: 1 | -1): void {
  const { values, modulus } = target;
  const bits = bitsPerValue(modulus);
  const wordsPerValue = Math.ceil(bits / 64);
  for (let next = 0; next < values.length; ) {
    let candidate = 0n;
    for (let done = 0; done < wordsPerValue; ) {
      const words = words64(keystream, Math.min(WORDS_64, wordsPerValue - done));
      for (const word of words) {
        candidate |= word << BigInt(64 * done);
        done += 1;
      }
    }
    candidate = BigInt.asUintN(bits, candidate);
    if (candidate >= modulus) continue;
    const value = values[next]! + (sign === 1 ? candidate : modulus - candidate);
    values[next] = value >= modulus ? value - modulus : value;
    next += 1;
  }
}

function words32(keystream: Keystream, count: number): Uint32Array {
  const bytes = littleEndian(keystream.read(4 * count), 4);
  return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
}

function words64(keystream: Keystream, count: number): BigUint64Array {
  const bytes = littleEndian(keystream.read(8 * count), 8);
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, count);
}

/** The words of a keystream are little-endian on every machine, or two ends would not cancel. */
function littleEndian(bytes: Uint8Array, width: 4 | 8): Uint8Array {
  if (HOST_IS_LITTLE_ENDIAN) return bytes;
  const swapped = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i += 1)
    swapped[i] = bytes[i - (i % width) + width - 1 - (i % width)]!;
  return swapped;
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
const WORDS_32 = KEYSTREAM_CHUNK / 4;
const WORDS_64 = KEYSTREAM_CHUNK / 8;
