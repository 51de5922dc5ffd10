/** @file What follows from R alone: the lane that holds its residues, and the bits that one takes. */

import { bitLength } from '../crypto/bytes.ts';
import { ProtocolError } from '../errors.ts';

export const TWO_32 = 1n << 32n;
export const TWO_64 = 1n << 64n;

/** The smallest power of two above every sum of `clients` values of at most `maximum`. */
export function modulusForSum(maximum: bigint, clients: number): bigint {
  if (maximum < 0n || !Number.isSafeInteger(clients) || clients < 1) {
    throw new ProtocolError(
      'invalid-argument',
      `a sum has a maximum of 0 or more and at least one client, got ${maximum} and ${clients}`,
    );
  }
  const bits = bitLength(maximum * BigInt(clients));
  return 1n << BigInt(Math.max(1, bits));
}

/** Words of 32 bits for R up to 2^32, of 64 bits up to 2^64, bigint above. */
export function laneOf(modulus: bigint): 'u32' | 'u64' | 'wide' {
  if (modulus < 2n) {
    throw new ProtocolError('invalid-modulus', `a modulus is at least 2, got ${modulus}`);
  }
  if (modulus <= TWO_32) return 'u32';
  return modulus <= TWO_64 ? 'u64' : 'wide';
}

/** Bits of the largest residue: ceil(log2 R). */
export function bitsPerValue(modulus: bigint): number {
  return bitLength(modulus - 1n);
}

export function isPowerOfTwo(modulus: bigint): boolean {
  return modulus > 0n && (modulus & (modulus - 1n)) === 0n;
}
