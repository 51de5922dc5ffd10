/**
 * @file Raw keys of X25519 and Ed25519 as Node's key objects (RFC 8410, RFC 8037).
 *
 * Public keys go in and out as JSON Web Keys: OpenSSL 3 takes 64 µs to decode one from DER and 4
 * from there (measured). Secret keys stay in DER, at 300 µs: a JSON Web Key holds them in a string,
 * which cannot be overwritten.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { SecretBytes } from './secret.ts';

export type Curve = 'X25519' | 'Ed25519';

/** Parsing costs more than most uses, so the key object is kept for as long as the secret is. */
export function secretKeyObject(curve: Curve, secretKey: SecretBytes): KeyObject {
  // Revealed first: a secret that was erased is not to be used through its key object either.
  const bytes = secretKey.reveal();
  let keyObject = keyObjects[curve].get(secretKey);
  if (keyObject === undefined) {
    const encoded = Buffer.concat([PKCS8_PREFIX[curve], bytes]);
    keyObject = createPrivateKey({ key: encoded, format: 'der', type: 'pkcs8' });
    encoded.fill(0);
    keyObjects[curve].set(secretKey, keyObject);
  }
  return keyObject;
}

/** @param publicKey 32 bytes, of any value. */
export function publicKeyObject(curve: Curve, publicKey: Uint8Array): KeyObject {
  const { buffer, byteOffset, byteLength } = publicKey;
  const x = Buffer.from(buffer, byteOffset, byteLength).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: curve, x }, format: 'jwk' });
}

/** The 32 bytes of the public key that belongs to a secret one. */
export function publicKeyOf(curve: Curve, secretKey: SecretBytes): Uint8Array {
  const { x } = createPublicKey(secretKeyObject(curve, secretKey)).export({ format: 'jwk' });
  return new Uint8Array(Buffer.from(x!, 'base64url'));
}

const keyObjects: Readonly<Record<Curve, WeakMap<SecretBytes, KeyObject>>> = {
  X25519: new WeakMap(),
  Ed25519: new WeakMap(),
};

/** RFC 8410, section 7: the DER in front of a raw secret key. */
const PKCS8_PREFIX: Readonly<Record<Curve, Uint8Array>> = {
  X25519: pkcs8Prefix(0x6e),
  Ed25519: pkcs8Prefix(0x70),
};

/** @param identifier the last arc of the curve's object identifier, 1.3.101.x */
function pkcs8Prefix(identifier: number): Uint8Array {
  return Uint8Array.from([
    0x30,
    0x2e,
    0x02,
    0x01,
    0x00,
    0x30,
    0x05,
    0x06,
    0x03,
    0x2b,
    0x65,
    identifier,
    0x04,
    0x22,
    0x04,
    0x20,
  ]);
}
