/** @file X25519 (RFC 7748) with the keys of others: some of them make no secret. */

import { x25519SharedSecret } from '#crypto';
import { SecretBytes } from '../crypto/secret.ts';
import { ProtocolError } from '../errors.ts';

/** @returns `undefined` if the key is of low order: its secret would be zero, whoever computes it. */
export function agreedSecret(own: SecretBytes, key: Uint8Array): SecretBytes | undefined {
  try {
    return x25519SharedSecret(own, key);
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'low-order-key') return undefined;
    throw error;
  }
}

/** Whether a key makes secrets: every scalar gives zero with one of low order, and no other does. */
export function makesSecrets(key: Uint8Array): boolean {
  const secret = agreedSecret(ANY_SCALAR, key);
  secret?.erase();
  return secret !== undefined;
}

const ANY_SCALAR = new SecretBytes(new Uint8Array(32).fill(1));
