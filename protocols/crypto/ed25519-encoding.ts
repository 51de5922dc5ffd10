/**
 * @file Which Ed25519 signatures are valid (RFC 8032, section 5.1.7), the same on every platform.
 *
 * Implementations differ where the RFC leaves a choice or is not followed (Chalkias, Garillot and
 * Nikolaenko, "Taming the many EdDSAs", 2020). Parties who disagree about a signature would split a
 * round, so every platform accepts exactly this:
 * - a public key A of 32 bytes and a signature R || S of 64;
 * - S < L, so that nobody can turn a signature into another one of the same message;
 * - A and R encode points canonically: y < p, and no sign where x = 0;
 * - neither is of small order: under such a key one signature fits many messages;
 * - [S]B = R + [k]A without the cofactor, compared as encodings, as OpenSSL and BoringSSL do. The
 *   RFC calls this form "sufficient, but not required"; the one with the cofactor accepts more.
 *
 * This file checks all but the equation. Everything in it is public, so none takes constant time.
 */

import { fromHex } from './bytes.ts';
import { ED25519_KEY_LENGTH } from './checks.ts';

/** Whether key and signature are encoded such that only the equation is left to check. */
export function isEd25519Encoding(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return (
    publicKey.length === ED25519_KEY_LENGTH &&
    signature.length === 2 * ED25519_KEY_LENGTH &&
    isPointEncoding(publicKey) &&
    isPointEncoding(signature.subarray(0, ED25519_KEY_LENGTH)) &&
    isBelow(signature.subarray(ED25519_KEY_LENGTH), GROUP_ORDER)
  );
}

/**
 * Whether y < p and the point is not of small order. The points with x = 0, whose sign must be
 * absent, are among the latter. Whether y belongs to a point at all is left to the equation.
 */
function isPointEncoding(bytes: Uint8Array): boolean {
  const y = bytes.slice();
  y[31] = y[31]! & 0x7f;
  return isBelow(y, FIELD_PRIME) && !SMALL_ORDER_Y.some((small) => isSame(y, small));
}

/** Compares little-endian numbers. */
function isBelow(number: Uint8Array, bound: Uint8Array): boolean {
  for (let i = bound.length - 1; i >= 0; i -= 1) {
    if (number[i] !== bound[i]) return number[i]! < bound[i]!;
  }
  return false;
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  for (let i = 0; i < right.length; i += 1) if (left[i] !== right[i]) return false;
  return true;
}

/** p = 2^255 - 19, little-endian like all that follow. */
const FIELD_PRIME = fromHex(`ed${'ff'.repeat(30)}7f`);

/** L = 2^252 + 27742317777372353535851937790883648493, the order of the base point. */
const GROUP_ORDER = fromHex('edd3f55c1a631258d69cf7a2def9de14'.padEnd(62, '0').concat('10'));

/** The y of the eight points whose order divides the cofactor 8: orders 1, 2, 4, 8 and 8. */
const SMALL_ORDER_Y = [
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(fromHex);
