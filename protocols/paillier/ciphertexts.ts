/** @file Ciphertexts from outside, their bytes, and what can be computed on them without a key. */

import { bigIntFromBytes, bigIntToBytes, concatBytes } from '../crypto/bytes.ts';
import { PaillierError } from './errors.ts';
import { gcd } from './number-theory.ts';
import type { PaillierPublicKey } from './public-key.ts';

/** Fixed-length big-endian, one after the other. */
export function encodeCiphertexts(
  { ciphertextBytes }: PaillierPublicKey,
  ciphertexts: readonly bigint[],
): Uint8Array {
  return concatBytes(...ciphertexts.map((value) => bigIntToBytes(value, ciphertextBytes)));
}

/**
 * Reads exactly `count` units modulo n^2.
 * @throws PaillierError `invalid-ciphertext`: another length, 0, n^2 or more, or a common factor
 * with n (such a value is no encryption, and decrypting it could reveal a prime).
 */
export function decodeCiphertexts(
  key: PaillierPublicKey,
  bytes: Uint8Array,
  count: number,
): bigint[] {
  const { ciphertextBytes } = key;
  if (bytes.length !== count * ciphertextBytes) {
    throw new PaillierError(
      'invalid-ciphertext',
      `${count} ciphertexts take ${count * ciphertextBytes} bytes, got ${bytes.length}`,
    );
  }
  const ciphertexts = Array.from({ length: count }, (_, i) =>
    bigIntFromBytes(bytes.subarray(i * ciphertextBytes, (i + 1) * ciphertextBytes)),
  );
  checkCiphertexts(key, ciphertexts);
  return ciphertexts;
}

/** @throws PaillierError `invalid-ciphertext` */
export function checkCiphertexts(
  { n, nSquared }: PaillierPublicKey,
  ciphertexts: readonly bigint[],
): void {
  // A product is a unit if and only if every factor is, so one gcd serves all.
  let product = 1n;
  for (const [i, ciphertext] of ciphertexts.entries()) {
    if (ciphertext <= 0n || ciphertext >= nSquared) {
      throw refused(i, 'is not in (0, n^2)');
    }
    product = (product * (ciphertext % n)) % n;
  }
  if (gcd(product, n) === 1n) return;
  for (const [i, ciphertext] of ciphertexts.entries()) {
    if (ciphertext % n === 0n) throw refused(i, 'is a multiple of n');
    if (gcd(ciphertext, n) !== 1n) throw refused(i, 'has a factor in common with n');
  }
}

function refused(index: number, reason: string): PaillierError {
  return new PaillierError('invalid-ciphertext', `ciphertext ${index} ${reason}`);
}

/** Ciphertexts of the sums (mod n) of two lists of plaintexts. */
export function addCiphertexts(
  { nSquared }: PaillierPublicKey,
  left: readonly bigint[],
  right: readonly bigint[],
): bigint[] {
  checkSameLength(left, right);
  return left.map((ciphertext, i) => (ciphertext * right[i]!) % nSquared);
}

/** Ciphertexts of the sums (mod n) with known integers, not refreshed. */
export function addPlaintexts(
  { n, nSquared }: PaillierPublicKey,
  ciphertexts: readonly bigint[],
  plaintexts: readonly bigint[],
): bigint[] {
  checkSameLength(ciphertexts, plaintexts);
  return ciphertexts.map((ciphertext, i) => {
    const plaintext = ((plaintexts[i]! % n) + n) % n;
    return (ciphertext * (1n + plaintext * n)) % nSquared;
  });
}

function checkSameLength(left: readonly bigint[], right: readonly bigint[]): void {
  if (left.length !== right.length) {
    throw new PaillierError(
      'invalid-ciphertext',
      `${left.length} and ${right.length} values do not add`,
    );
  }
}
