/**
 * @file A Paillier public key that was checked: what every encryptor needs to know before it
 * entrusts its values to a modulus somebody else chose (Paillier, EUROCRYPT 1999; the attacks on
 * unchecked moduli known as BitForge, CVE-2023-33241).
 */

import { sha256 } from '#crypto';
import { bigIntToBytes, bitLength, utf8 } from '../crypto/bytes.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { PaillierError } from './errors.ts';
import { weaknessOf } from './weak-moduli.ts';

export const DEFAULT_MODULUS_BITS = 3072;
export const LEAST_MODULUS_BITS = 2048;

export interface KeyPolicy {
  /** Refuse any other size. @default any of at least 2048 bits */
  readonly modulusBits?: number;
  /** Accept moduli that can be factored, to keep tests quick. @default false */
  readonly allowInsecureModulus?: boolean;
}

/** `PublicKey` of paillier-bigint, or anything with its modulus. The generator here is 1 + n. */
export interface PublicKeyLike {
  readonly n: bigint;
}

/** Made by `importPublicKey` only, so holding one means that it was checked. */
export class PaillierPublicKey {
  readonly n: bigint;
  readonly nSquared: bigint;
  readonly modulusBits: number;
  /** Bytes of a plaintext on the wire. */
  readonly plaintextBytes: number;
  /** Bytes of a ciphertext on the wire. */
  readonly ciphertextBytes: number;
  /** SHA-256 of the modulus, 32 bytes: names the key in messages. */
  readonly fingerprint: Uint8Array;

  /** @internal */
  constructor(n: bigint) {
    this.n = n;
    this.nSquared = n * n;
    this.modulusBits = bitLength(n);
    this.plaintextBytes = Math.ceil(this.modulusBits / 8);
    this.ciphertextBytes = Math.ceil((2 * this.modulusBits) / 8);
    const modulus = bigIntToBytes(n, this.plaintextBytes);
    this.fingerprint = sha256(
      new ByteWriter().raw(utf8('fedloom paillier key v1')).bytes(modulus).finish(),
    );
  }
}

/**
 * Checks size and form of a modulus: of the size asked for, odd, without a factor below 2^20, no
 * prime, no power and no product of two factors close to each other. That it is the product of two
 * large primes cannot be seen from outside: that takes a proof by its maker, which
 * `handleAnnouncedKey` asks for, or trust.
 * @throws PaillierError `modulus-too-small`, `weak-modulus`
 */
export function importPublicKey({ n }: PublicKeyLike, policy: KeyPolicy = {}): PaillierPublicKey {
  requireModulusSize({ n }, policy);
  const weakness = weaknessOf(n);
  if (weakness !== undefined) throw new PaillierError('weak-modulus', `the modulus ${weakness}`);
  return new PaillierPublicKey(n);
}

/** @throws PaillierError `modulus-too-small` for any other size than the policy's. */
export function requireModulusSize(
  { n }: PublicKeyLike,
  { modulusBits, allowInsecureModulus = false }: KeyPolicy,
): void {
  if (typeof n !== 'bigint' || n < 4n) {
    throw new PaillierError('modulus-too-small', 'a Paillier key has a bigint modulus n');
  }
  const bits = bitLength(n);
  if (bits < LEAST_MODULUS_BITS && !allowInsecureModulus) {
    throw new PaillierError(
      'modulus-too-small',
      `a modulus of ${bits} bits can be factored; use ${DEFAULT_MODULUS_BITS}, or at least ${LEAST_MODULUS_BITS}`,
    );
  }
  if (modulusBits !== undefined && bits !== modulusBits) {
    throw new PaillierError(
      'modulus-too-small',
      `a modulus of ${modulusBits} bits was agreed on, got ${bits}`,
    );
  }
}
