/** @file The kernels under test, and what they must compute, in bigint and without haste. */

import fc from 'fast-check';
import { laneOf } from '../../../protocols/index.ts';
import type { Mask, WordKernel, WordResidues } from '../../../protocols/residues/kernel/index.ts';
import { plainKernel } from '../../../protocols/residues/kernel/plain-kernel.ts';
import {
  createSimdKernel,
  type SimdKernel,
} from '../../../protocols/residues/kernel/simd-kernel.ts';

export const simdKernel: SimdKernel = (() => {
  const kernel = createSimdKernel(WebAssembly);
  if (kernel === undefined) throw new Error('this Node has no WebAssembly SIMD');
  return kernel;
})();

export const kernels: readonly WordKernel[] = [simdKernel, plainKernel];

/** The values of a chunk of the widest lane and of the narrow one. */
export const CHUNK_64 = 8192;
export const CHUNK_32 = 16_384;

/** Every width in bits once, each as a power of two and as three others. */
export const widths = Array.from({ length: 64 }, (_, i) => i + 1);

export function moduliOfWidth(bits: number): bigint[] {
  const top = 1n << BigInt(bits);
  const others = [top / 2n + 1n, top - 1n, top - top / 4n + 1n];
  return [top, ...others.filter((modulus) => modulus > top / 2n && modulus < top)];
}

/** Residues that begin `offset` words into their buffer, as a view on a larger array does. */
export function residuesOf(modulus: bigint, values: readonly bigint[], offset = 0): WordResidues {
  const lane = laneOf(modulus);
  if (lane === 'wide') throw new Error('not in machine words');
  if (lane === 'u32') {
    const words = new Uint32Array(values.length + offset).subarray(offset);
    words.set(values.map(Number));
    return { lane, modulus, values: words };
  }
  const words = new BigUint64Array(values.length + offset).subarray(offset);
  words.set(values);
  return { lane, modulus, values: words };
}

export function valuesOf({ values }: WordResidues): bigint[] {
  return Array.from<number | bigint, bigint>(values, BigInt);
}

/** Residues mod R, with the extremes more often than by chance. */
export function valuesBelow(modulus: bigint, length: number): fc.Arbitrary<bigint[]> {
  const value = fc.oneof(
    { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: modulus - 1n }) },
    { weight: 1, arbitrary: fc.constantFrom(0n, 1n, modulus - 1n) },
  );
  return fc.array(value, { minLength: length, maxLength: length });
}

export function modulo(value: bigint, modulus: bigint): bigint {
  return ((value % modulus) + modulus) % modulus;
}

export function packedReference(bits: number, values: readonly bigint[]): Uint8Array {
  let all = 0n;
  for (const [i, value] of values.entries()) all |= value << BigInt(i * bits);
  return Uint8Array.from({ length: Math.ceil((bits * values.length) / 8) }, (_, i) =>
    Number((all >> BigInt(8 * i)) & 255n),
  );
}

/** A stream over fixed bytes that counts what was read of it. */
export class FixedStream {
  position = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  read(byteLength: number): Uint8Array {
    const part = this.bytes.slice(this.position, this.position + byteLength);
    this.position += byteLength;
    return part;
  }
}

/** The first `length` values of the mask that a stream gives mod R, and the bytes they take. */
export function maskReference(
  modulus: bigint,
  length: number,
  bytes: Uint8Array,
): { readonly values: bigint[]; readonly read: number } {
  const width = laneOf(modulus) === 'u32' ? 4 : 8;
  const words = 1n << BigInt(8 * width);
  const limit = words - (words % modulus);
  const values: bigint[] = [];
  let read = 0;
  for (; values.length < length; read += width) {
    let word = 0n;
    for (let i = width - 1; i >= 0; i -= 1) word = (word << 8n) | BigInt(bytes[read + i]!);
    if (word < limit) values.push(word % modulus);
  }
  return { values, read };
}

export function masksOver(streams: readonly FixedStream[]): Mask[] {
  return streams.map((keystream, i) => ({ keystream, sign: i % 2 === 0 ? 1 : -1 }));
}
