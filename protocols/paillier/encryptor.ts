/**
 * @file Fast Paillier encryption after Damgård, Jurik and Nielsen ("A generalization of Paillier's
 * public-key system with applications to electronic voting", 2010, section 4.2):
 * c = (1 + m n) * h^a mod n^2 with h = (-x^2)^n fixed and a uniform, half as long as n.
 *
 * Semantic security rests on Paillier's assumption and on that of the paper, that such a short
 * power of h looks like any power. Every encryptor draws its own x, because an h of small order,
 * chosen by somebody else, would hide nothing.
 */

import { randomBytes } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow } from '../crypto/random.ts';
import { PaillierError } from './errors.ts';
import { FixedBase } from './fixed-base.ts';
import { gcd } from './number-theory.ts';
import type { PaillierPublicKey } from './public-key.ts';
import { modPowSquare, SquareRing } from './square-ring.ts';

export interface Encryptor {
  readonly publicKey: PaillierPublicKey;
  /**
   * Encrypts plaintexts in [0, n), each with fresh randomness.
   * @throws PaillierError `invalid-plaintext`
   */
  encrypt(plaintexts: readonly bigint[]): bigint[];
  /** Other ciphertexts of the same plaintexts, which nobody can match with the given ones. */
  refresh(ciphertexts: readonly bigint[]): bigint[];
}

export interface EncryptorOptions {
  /** @default the platform's `randomBytes` */
  readonly rng?: Rng;
}

/** One for each key, kept as long as the key: it holds a table of some MB (see `FixedBase`). */
export function createEncryptor(
  publicKey: PaillierPublicKey,
  { rng = randomBytes }: EncryptorOptions = {},
): Encryptor {
  const { n, nSquared } = publicKey;
  const exponentBits = Math.ceil(publicKey.modulusBits / 2);
  const exponentLimit = (1n << BigInt(exponentBits)) - 1n;
  let base: FixedBase | undefined;

  return {
    publicKey,
    encrypt(plaintexts) {
      checkPlaintexts(publicKey, plaintexts);
      const hiding = randomizers(plaintexts.length);
      return plaintexts.map((plaintext, i) => ((1n + plaintext * n) * hiding[i]!) % nSquared);
    },
    refresh(ciphertexts) {
      const hiding = randomizers(ciphertexts.length);
      return ciphertexts.map((ciphertext, i) => (ciphertext * hiding[i]!) % nSquared);
    },
  };

  function randomizers(count: number): bigint[] {
    base ??= new FixedBase(new SquareRing(n), drawGenerator(publicKey, rng), exponentBits);
    base.reserve(count);
    // 1 to 2^exponentBits - 1: an exponent of 0 would hide nothing.
    return Array.from({ length: count }, () => base!.power(1n + uniformBelow(rng, exponentLimit)));
  }
}

/** h = (-x^2)^n mod n^2 for a random unit x: of Jacobi symbol 1 where both primes are 3 mod 4. */
function drawGenerator({ n }: PaillierPublicKey, rng: Rng): bigint {
  for (;;) {
    const x = uniformBelow(rng, n);
    if (x < 2n || gcd(x, n) !== 1n) continue;
    const generator = modPowSquare(n - ((x * x) % n), n, n);
    if (generator !== 1n) return generator;
  }
}

function checkPlaintexts({ n }: PaillierPublicKey, plaintexts: readonly bigint[]): void {
  for (const [i, plaintext] of plaintexts.entries()) {
    if (plaintext < 0n || plaintext >= n) {
      throw new PaillierError('invalid-plaintext', `plaintext ${i} is not in [0, n)`);
    }
  }
}
