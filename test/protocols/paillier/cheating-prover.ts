/**
 * @file A maker of a key who cannot prove it, and tries: it knows the primes of its modulus, answers
 * every challenge that has an answer, and makes up the rest.
 */

import { uniformBits } from '../../../protocols/crypto/random.ts';
import {
  importPublicKey,
  type KeyProof,
  type PaillierPublicKey,
} from '../../../protocols/index.ts';
import {
  challengedBases,
  keyChallenges,
  rootExponents,
} from '../../../protocols/paillier/key-challenges.ts';
import {
  commitmentBits,
  RESPONSE_COUNT,
  type TwistedRoot,
} from '../../../protocols/paillier/key-proof.ts';
import {
  gcd,
  jacobi,
  lcm,
  modInverse,
  modPow,
  modulo,
} from '../../../protocols/paillier/number-theory.ts';
import { seeded } from '../support.ts';

export interface Cheat {
  /** The prime powers of n. */
  readonly factors: readonly { readonly prime: bigint; readonly exponent?: number }[];
  /** A short number that is n modulo the orders of most units, if there is one. */
  readonly short?: bigint;
  readonly context: Uint8Array;
}

export function cheat({ factors, short, context }: Cheat): {
  readonly key: PaillierPublicKey;
  readonly proof: KeyProof;
} {
  const parts = factors.map(({ prime, exponent = 1 }) => {
    const power = prime ** BigInt(exponent);
    return { power, order: (power / prime) * (prime - 1n) };
  });
  const n = parts.reduce((product, { power }) => product * power, 1n);
  const key = importPublicKey({ n }, { allowInsecureModulus: true });
  const phi = parts.reduce((product, { order }) => product * order, 1n);
  const lambda = parts.reduce((product, { order }) => lcm(product, order), 1n);
  const { large, small } = rootExponents(n)!;
  const rng = seeded('cheat');
  let twist = 2n;
  while (jacobi(twist, n) !== -1) twist += 1n;

  const nonces = Array.from({ length: RESPONSE_COUNT }, () =>
    uniformBits(rng, commitmentBits(key.modulusBits)),
  );
  const commitments = challengedBases(key, context).map((base, i) => modPow(base, nonces[i]!, n));
  const challenges = keyChallenges(key, context, { twist, commitments });
  /** A root of this degree modulo every prime power where there is one, by the remainder theorem. */
  const rootOf = (value: bigint, degree: bigint): bigint =>
    parts.reduce((combined, { power, order }) => {
      const root = rootModulo(value, degree, power, order) ?? 1n;
      const rest = n / power;
      return modulo(combined + root * rest * modInverse(rest, power)!, n);
    }, 0n);
  const proof: KeyProof = {
    twist,
    roots: challenges.roots.map((value) => rootOf(value, large)),
    fourthRoots: challenges.fourthRoots.map((challenge) => {
      let attempt: TwistedRoot = { root: 1n, negated: false, twisted: false };
      for (const choice of [0, 1, 2, 3]) {
        const [negated, twisted] = [choice % 2 === 1, choice > 1];
        const candidate = twisted ? challenge * twist : challenge;
        const value = modulo(negated ? -candidate : candidate, n);
        attempt = { root: rootOf(value, small), negated, twisted };
        if (modPow(attempt.root, small, n) === value) break;
      }
      return attempt;
    }),
    commitments,
    responses: challenges.responses.map(
      (challenge, i) => nonces[i]! + challenge * (short ?? modulo(n - phi, lambda)),
    ),
  };
  return { key, proof };
}

/** In a cyclic group of this order: the degree splits into what has an inverse and what has not. */
function rootModulo(
  value: bigint,
  degree: bigint,
  modulus: bigint,
  order: bigint,
): bigint | undefined {
  let coprime = order;
  for (let common = gcd(coprime, degree); common !== 1n; common = gcd(coprime, degree)) {
    coprime /= common;
  }
  // A value of an order that is prime to the degree has exactly one such root of such an order.
  if (modPow(value, coprime, modulus) !== 1n) return undefined;
  return modPow(value, modInverse(degree, coprime)!, modulus);
}
