/** @file Plaintexts and other integers below n, as bytes. */

import { bigIntFromBytes, bigIntToBytes, concatBytes } from '../crypto/bytes.ts';
import { PaillierError } from './errors.ts';
import type { PaillierPublicKey } from './public-key.ts';

/** Fixed-length big-endian, one after the other. */
export function encodePlaintexts(
  { plaintextBytes }: PaillierPublicKey,
  plaintexts: readonly bigint[],
): Uint8Array {
  return concatBytes(...plaintexts.map((value) => bigIntToBytes(value, plaintextBytes)));
}

/** @throws PaillierError `invalid-plaintext` */
export function decodePlaintexts(
  { n, plaintextBytes }: PaillierPublicKey,
  bytes: Uint8Array,
  count: number,
): bigint[] {
  if (bytes.length !== count * plaintextBytes) {
    throw new PaillierError(
      'invalid-plaintext',
      `${count} plaintexts take ${count * plaintextBytes} bytes, got ${bytes.length}`,
    );
  }
  return Array.from({ length: count }, (_, i) => {
    const value = bigIntFromBytes(bytes.subarray(i * plaintextBytes, (i + 1) * plaintextBytes));
    if (value >= n) throw new PaillierError('invalid-plaintext', `plaintext ${i} is not below n`);
    return value;
  });
}
