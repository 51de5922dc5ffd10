/** @file What can be wrong with Paillier keys, plaintexts, ciphertexts and plans. */

export type PaillierErrorCode =
  | 'modulus-too-small'
  | 'weak-modulus'
  | 'invalid-private-key'
  | 'unproven-key'
  | 'invalid-key-proof'
  | 'unprovable-key'
  | 'key-proof-fault'
  | 'invalid-plaintext'
  | 'invalid-ciphertext'
  | 'decryption-fault'
  | 'invalid-plan'
  | 'slot-overflow';

/** A key, plaintext, ciphertext or plan that must not be used. */
export class PaillierError extends Error {
  override readonly name: string = 'PaillierError';
  readonly code: PaillierErrorCode;

  constructor(code: PaillierErrorCode, message: string, options?: ErrorOptions) {
    super(`[${code}] ${message}`, options);
    this.code = code;
  }
}
