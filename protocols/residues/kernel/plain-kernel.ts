/** @file The kernel in plain JavaScript, for where there is no WebAssembly SIMD: loops for each lane. */

import { BitReader, BitWriter } from '../bit-cursor.ts';
import { bitsPerValue, isPowerOfTwo, TWO_32, TWO_64 } from '../modulus.ts';
import type { Residues32, Residues64 } from '../residues.ts';
import { HOST_IS_LITTLE_ENDIAN } from './keystream-words.ts';
import {
  maskByRejection32,
  maskByRejection64,
  maskWords32,
  maskWords64,
  signedModulo,
} from './plain-masks.ts';
import type { WordKernel, WordResidues } from './word-kernel.ts';

export const plainKernel: WordKernel = {
  name: 'plain',

  applyMasks(target, masks) {
    const wraps = isPowerOfTwo(target.modulus);
    for (const mask of masks) {
      if (target.lane === 'u32') {
        if (wraps) maskWords32(target.values, mask);
        else maskByRejection32(target, mask);
      } else if (wraps) maskWords64(target.values, mask);
      else maskByRejection64(target, mask);
    }
    if (wraps) reduce(target);
  },

  add(target, addend) {
    combine(target, addend, 1);
  },

  subtract(target, subtrahend) {
    combine(target, subtrahend, -1);
  },

  reduce,

  firstNotBelow({ lane, modulus, values }) {
    if (modulus === TWO_32 || modulus === TWO_64) return -1;
    const limit = lane === 'u32' ? Number(modulus) : modulus;
    return values.findIndex((value: number | bigint) => value >= limit);
  },

  pack({ lane, modulus, values }, packed) {
    const bits = bitsPerValue(modulus);
    const writer = new BitWriter(packed);
    if (lane === 'u32') {
      for (let i = 0; i < values.length; i += 1) writer.write(values[i]!, bits);
    } else {
      const halves = halvesOf(values);
      for (let i = 0; i < halves.length; i += 2) {
        writer.write(halves[i + LOW]!, Math.min(bits, 32));
        if (bits > 32) writer.write(halves[i + HIGH]!, bits - 32);
      }
    }
    writer.finish();
  },

  unpack,

  addPacked(target, packed) {
    const addend: WordResidues =
      target.lane === 'u32'
        ? { ...target, values: new Uint32Array(target.values.length) }
        : { ...target, values: new BigUint64Array(target.values.length) };
    const excess = unpack(packed, addend);
    if (excess < 0) combine(target, addend, 1);
    return excess;
  },
};

function reduce({ lane, modulus, values }: WordResidues): void {
  if (lane === 'u32') {
    const mask = Number(modulus - 1n) | 0;
    for (let i = 0; i < values.length; i += 1) values[i] = values[i]! & mask;
  } else {
    const mask = modulus - 1n;
    for (let i = 0; i < values.length; i += 1) values[i] = values[i]! & mask;
  }
}

function unpack(packed: Uint8Array, { lane, modulus, values }: WordResidues): number {
  const bits = bitsPerValue(modulus);
  const reader = new BitReader(packed);
  if (lane === 'u32') {
    const limit = Number(modulus);
    for (let i = 0; i < values.length; i += 1) {
      const value = reader.read(bits);
      if (value >= limit) return i;
      values[i] = value;
    }
    return -1;
  }
  const halves = halvesOf(values);
  for (let i = 0; i < values.length; i += 1) {
    halves[2 * i + LOW] = reader.read(Math.min(bits, 32));
    if (bits > 32) halves[2 * i + HIGH] = reader.read(bits - 32);
    if (values[i]! >= modulus) return i;
  }
  return -1;
}

function combine(target: WordResidues, operand: WordResidues, sign: 1 | -1): void {
  if (target.lane === 'u32' && operand.lane === 'u32') {
    combine32(target, operand.values, sign);
  } else if (target.lane === 'u64' && operand.lane === 'u64') {
    combine64(target, operand.values, sign);
  }
}

function combine32({ modulus, values }: Residues32, operand: Uint32Array, sign: 1 | -1): void {
  if (isPowerOfTwo(modulus)) {
    const mask = Number(modulus - 1n) | 0;
    if (sign === 1) {
      for (let i = 0; i < values.length; i += 1) values[i] = (values[i]! + operand[i]!) & mask;
    } else {
      for (let i = 0; i < values.length; i += 1) values[i] = (values[i]! - operand[i]!) & mask;
    }
    return;
  }
  const limit = Number(modulus);
  if (limit < 2 ** 31) {
    for (let i = 0; i < values.length; i += 1) {
      const change = sign === 1 ? operand[i]! - limit : -operand[i]!;
      values[i] = signedModulo(values[i]! + change, limit);
    }
    return;
  }
  // Below 2^33, so exact as doubles.
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]! + (sign === 1 ? operand[i]! : limit - operand[i]!);
    values[i] = value >= limit ? value - limit : value;
  }
}

function combine64({ modulus, values }: Residues64, operand: BigUint64Array, sign: 1 | -1): void {
  if (isPowerOfTwo(modulus)) {
    // V8 compiles the addition of 64-bit words to one machine instruction.
    const mask = modulus - 1n;
    if (sign === 1) {
      for (let i = 0; i < values.length; i += 1) {
        values[i] = BigInt.asUintN(64, values[i]! + operand[i]!) & mask;
      }
    } else {
      for (let i = 0; i < values.length; i += 1) {
        values[i] = BigInt.asUintN(64, values[i]! - operand[i]!) & mask;
      }
    }
    return;
  }
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]! + (sign === 1 ? operand[i]! : modulus - operand[i]!);
    values[i] = value >= modulus ? value - modulus : value;
  }
}

function halvesOf({ buffer, byteOffset, length }: BigUint64Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, 2 * length);
}

const LOW = HOST_IS_LITTLE_ENDIAN ? 0 : 1;
const HIGH = 1 - LOW;
