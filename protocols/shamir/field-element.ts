/**
 * @file Elements of F_p, p = 2^255 - 19, as bytes: 32 of them, big-endian and less than p, so that an
 * element has one encoding. The field holds a secret of 255 bits, and its prime makes reduction cheap.
 */

import { drawBytes } from '../crypto/checks.ts';
import type { Rng } from '../crypto/interface.ts';
import { SecretBytes } from '../crypto/secret.ts';
import { ProtocolError } from '../errors.ts';
import { PrimeField } from './prime-field.ts';

export const ELEMENT_LENGTH = 32;

export const SHARING_FIELD = new PrimeField((1n << 255n) - 19n);

/**
 * A uniform element, by rejection. As an X25519 secret key it is as good as 32 random bytes: RFC 7748
 * sets or clears five bits of those, and this has one bit less.
 * @throws ProtocolError `invalid-argument` where `rng` is broken.
 */
export function randomFieldElement(rng: Rng): SecretBytes {
  const bytes = drawBytes(rng, ELEMENT_LENGTH);
  makeUniform(bytes, rng);
  return new SecretBytes(bytes);
}

/**
 * Turns 32 uniform bytes into a uniform element in place. With the highest bit cleared, all but 19 of
 * 2^255 values are below p; for those others fresh bytes are drawn.
 */
export function makeUniform(bytes: Uint8Array, rng: Rng): void {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    bytes[0] = bytes[0]! & 0x7f;
    if (isElement(bytes)) return;
    const fresh = drawBytes(rng, ELEMENT_LENGTH);
    bytes.set(fresh);
    fresh.fill(0);
  }
  throw new ProtocolError(
    'invalid-argument',
    'rng is not random: it keeps giving the 19 values that have no place in the field',
  );
}

/**
 * Whether the bytes encode an element. Looks at all 32 whatever they are, since most callers hold a
 * secret.
 */
export function isElement(bytes: Uint8Array): boolean {
  if (bytes.length !== ELEMENT_LENGTH) return false;
  let ones = bytes[0]! | 0x80;
  for (let i = 1; i < ELEMENT_LENGTH - 1; i += 1) ones &= bytes[i]!;
  const atLeastPrime = ones === 0xff && bytes[ELEMENT_LENGTH - 1]! >= 0xed;
  return bytes[0]! < 0x80 && !atLeastPrime;
}

/** @throws ProtocolError `invalid-length`, `non-canonical` */
export function checkElement(what: string, bytes: Uint8Array): void {
  if (bytes.length !== ELEMENT_LENGTH) {
    throw new ProtocolError(
      'invalid-length',
      `${what} has ${ELEMENT_LENGTH} bytes, got ${bytes.length}`,
    );
  }
  if (!isElement(bytes)) {
    throw new ProtocolError(
      'non-canonical',
      `${what} is a big-endian number below 2^255 - 19; draw secrets with randomFieldElement`,
    );
  }
}

/** @param bytes 32 */
export function elementToBigInt(bytes: Uint8Array): bigint {
  const words = new DataView(bytes.buffer, bytes.byteOffset, ELEMENT_LENGTH);
  let value = 0n;
  for (let offset = 0; offset < ELEMENT_LENGTH; offset += 8) {
    value = (value << 64n) | words.getBigUint64(offset);
  }
  return value;
}

/** @param value in [0, p) */
export function elementFromBigInt(value: bigint): Uint8Array {
  const words = new DataView(new ArrayBuffer(ELEMENT_LENGTH));
  let rest = value;
  for (let offset = ELEMENT_LENGTH - 8; offset >= 0; offset -= 8) {
    words.setBigUint64(offset, BigInt.asUintN(64, rest));
    rest >>= 64n;
  }
  return new Uint8Array(words.buffer);
}

/** A sound source needs a second attempt once in 2^250 draws. */
const ATTEMPTS = 100;
