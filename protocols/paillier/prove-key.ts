/** @file Makes the proof that a Paillier modulus is well-formed; see `key-proof.ts`. */

import { randomBytes } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow, uniformBits } from '../crypto/random.ts';
import { PaillierError } from './errors.ts';
import {
  challengedBases,
  keyChallenges,
  type RootExponents,
  rootExponents,
} from './key-challenges.ts';
import { commitmentBits, type KeyProof, RESPONSE_COUNT, type TwistedRoot } from './key-proof.ts';
import { gcd, jacobi, modInverse, modPow, modulo } from './number-theory.ts';
import type { PaillierPrivateKey } from './private-key.ts';
import { verifyKeyProof } from './verify-key-proof.ts';

/**
 * Why no proof can be made of the product of these primes, or nothing: they are to be 3 modulo 4,
 * p - 1 and q - 1 to have no factor but 2 in common, and n - 1 to have few small primes in it.
 */
export function unprovable(p: bigint, q: bigint): string | undefined {
  if (p % 4n !== 3n || q % 4n !== 3n) return 'p and q are not both 3 modulo 4';
  if (gcd(p - 1n, q - 1n) !== 2n) return 'p - 1 and q - 1 have an odd factor in common';
  if (rootExponents(p * q) === undefined) return 'n - 1 has too many small factors';
  return undefined;
}

/**
 * Some two seconds for 3072 bits, half of them for verifying it: a fault in one prime's half would
 * otherwise give the prime away, as in decryption.
 * @param context names the maker; the proof is worth nothing in another one.
 * @throws PaillierError `unprovable-key`, `key-proof-fault`
 */
export function proveKey(
  privateKey: PaillierPrivateKey,
  context: Uint8Array,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): KeyProof {
  const { publicKey } = privateKey;
  const { n, modulusBits } = publicKey;
  const { p, q, pInverse } = privateKey.reveal();
  const exponents = rootExponents(n);
  const problem = unprovable(p.prime, q.prime);
  if (problem !== undefined || exponents === undefined) {
    throw new PaillierError('unprovable-key', `no proof can be made for this key: ${problem}`);
  }
  const primes = new PrimePair(p.prime, q.prime, pInverse);

  const twist = primes.drawTwist(rng);
  const nonces = Array.from({ length: RESPONSE_COUNT }, () =>
    uniformBits(rng, commitmentBits(modulusBits)),
  );
  const commitments = challengedBases(publicKey, context).map((base, i) =>
    primes.power(base, nonces[i]!, nonces[i]!),
  );
  const challenges = keyChallenges(publicKey, context, { twist, commitments });
  const short = p.prime + q.prime - 1n;
  const proof: KeyProof = {
    twist,
    roots: primes.roots(challenges.roots, exponents),
    fourthRoots: primes.fourthRoots(challenges.fourthRoots, twist, exponents),
    commitments,
    responses: challenges.responses.map((challenge, i) => nonces[i]! + challenge * short),
  };
  try {
    verifyKeyProof(publicKey, proof, context);
  } catch (cause) {
    throw new PaillierError(
      'key-proof-fault',
      'the proof that was made for this key does not hold; nothing of it is released',
      { cause },
    );
  }
  return proof;
}

/** Powers modulo n = p q by the Chinese remainder theorem. */
class PrimePair {
  readonly #p: bigint;
  readonly #q: bigint;
  /** 1 / p mod q. */
  readonly #pInverse: bigint;

  constructor(p: bigint, q: bigint, pInverse: bigint) {
    this.#p = p;
    this.#q = q;
    this.#pInverse = pInverse;
  }

  power(base: bigint, exponentP: bigint, exponentQ: bigint): bigint {
    const [p, q] = [this.#p, this.#q];
    const modP = modPow(base % p, exponentP % (p - 1n), p);
    const modQ = modPow(base % q, exponentQ % (q - 1n), q);
    return modP + p * modulo((modQ - modP) * this.#pInverse, q);
  }

  /** A random unit that is a square modulo one prime and not modulo the other. */
  drawTwist(rng: Rng): bigint {
    const n = this.#p * this.#q;
    for (;;) {
      const candidate = uniformBelow(rng, n);
      if (jacobi(candidate, n) === -1) return candidate;
    }
  }

  /** The one root of each, as the exponent has no factor in common with phi(n). */
  roots(challenges: readonly bigint[], { large }: RootExponents): bigint[] {
    const exponentP = modInverse(large, this.#p - 1n)!;
    const exponentQ = modInverse(large, this.#q - 1n)!;
    return challenges.map((challenge) => this.power(challenge, exponentP, exponentQ));
  }

  /**
   * Of the four fourth roots (and odd ones with them) the one that is a square itself: two different
   * ones of one number would tell the primes.
   */
  fourthRoots(
    challenges: readonly bigint[],
    twist: bigint,
    { small }: RootExponents,
  ): TwistedRoot[] {
    const [p, q] = [this.#p, this.#q];
    // Squares form a group of odd order (p - 1) / 2 modulo p, where 4 S has an inverse.
    const exponentP = modInverse(small, (p - 1n) / 2n)!;
    const exponentQ = modInverse(small, (q - 1n) / 2n)!;
    return challenges.map((challenge) => {
      const twisted = jacobi(challenge, p) !== jacobi(challenge, q);
      const candidate = twisted ? challenge * twist : challenge;
      // -1 is a square modulo neither prime.
      const negated = jacobi(candidate, p) === -1;
      const square = negated ? -candidate : candidate;
      const root = this.power(modulo(square, p * q), exponentP, exponentQ);
      return { root, negated, twisted };
    });
  }
}
