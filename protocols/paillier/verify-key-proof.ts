/** @file Checks the proof that a Paillier modulus is well-formed; see `key-proof.ts`. */

import { bitLength } from '../crypto/bytes.ts';
import { PaillierError } from './errors.ts';
import {
  challengedBases,
  type KeyChallenges,
  keyChallenges,
  type RootExponents,
  rootExponents,
} from './key-challenges.ts';
import {
  FOURTH_ROOT_COUNT,
  type KeyProof,
  RESPONSE_COUNT,
  ROOT_COUNT,
  responseBits,
} from './key-proof.ts';
import { gcd, jacobi, modPow, modulo } from './number-theory.ts';
import type { PaillierPublicKey } from './public-key.ts';

/**
 * Three quarters of a second for 3072 bits. All that is computed here is public.
 * @param key Made by `importPublicKey`: odd, composite and without a factor below 2^20.
 * @param context What the proof was made for.
 * @throws PaillierError `invalid-key-proof`
 */
export function verifyKeyProof(key: PaillierPublicKey, proof: KeyProof, context: Uint8Array): void {
  const problem = problemOf(key, proof, context);
  if (problem !== undefined) {
    throw new PaillierError('invalid-key-proof', `the proof for a key does not hold: ${problem}`);
  }
}

function problemOf(
  key: PaillierPublicKey,
  proof: KeyProof,
  context: Uint8Array,
): string | undefined {
  const { n } = key;
  if (n % 4n !== 1n) return 'two primes that are 3 modulo 4 do not have this product';
  const exponents = rootExponents(n);
  if (exponents === undefined) return 'n - 1 has too many small factors';
  if (!isWellFormed(key, proof)) return 'a number in it is out of range';
  // A twist that is no unit would make roots of it that are roots modulo some primes only.
  if (jacobi(proof.twist, n) !== -1) return 'the twist is not of Jacobi symbol -1';

  const bases = challengedBases(key, context);
  const challenges = keyChallenges(key, context, proof);
  if (!areUnits([...bases, ...challenges.roots, ...challenges.fourthRoots], n)) {
    return 'a challenge has a factor in common with n';
  }
  return (
    problemOfFourthRoots(n, proof, challenges, exponents) ??
    problemOfRoots(n, proof, challenges, exponents) ??
    problemOfResponses(n, proof, challenges, bases)
  );
}

function isWellFormed({ n, modulusBits }: PaillierPublicKey, proof: KeyProof): boolean {
  const { twist, roots, fourthRoots, commitments, responses } = proof;
  return (
    roots.length === ROOT_COUNT &&
    fourthRoots.length === FOURTH_ROOT_COUNT &&
    commitments.length === RESPONSE_COUNT &&
    responses.length === RESPONSE_COUNT &&
    [twist, ...roots, ...fourthRoots.map(({ root }) => root), ...commitments].every(
      (value) => value > 0n && value < n,
    ) &&
    // The length of the responses is what bounds the primes.
    responses.every((value) => value >= 0n && bitLength(value) <= responseBits(modulusBits))
  );
}

function areUnits(values: readonly bigint[], n: bigint): boolean {
  return (
    gcd(
      values.reduce((product, value) => (product * value) % n, 1n),
      n,
    ) === 1n
  );
}

function problemOfFourthRoots(
  n: bigint,
  { twist, fourthRoots }: KeyProof,
  challenges: KeyChallenges,
  { small }: RootExponents,
): string | undefined {
  const wrong = fourthRoots.findIndex(({ root, negated, twisted }, i) => {
    const challenge = challenges.fourthRoots[i]!;
    const candidate = twisted ? challenge * twist : challenge;
    return modPow(root, small, n) !== modulo(negated ? -candidate : candidate, n);
  });
  return wrong < 0 ? undefined : `fourth root ${wrong} is none`;
}

function problemOfRoots(
  n: bigint,
  { roots }: KeyProof,
  challenges: KeyChallenges,
  { large }: RootExponents,
): string | undefined {
  const wrong = roots.findIndex((root, i) => modPow(root, large, n) !== challenges.roots[i]);
  return wrong < 0 ? undefined : `root ${wrong} is none`;
}

/** g^response = commitment * g^(n * challenge), in one power. */
function problemOfResponses(
  n: bigint,
  { commitments, responses }: KeyProof,
  challenges: KeyChallenges,
  bases: readonly bigint[],
): string | undefined {
  const wrong = responses.findIndex((response, i) => {
    const exponent = n * challenges.responses[i]! - response;
    return exponent >= 0n
      ? (commitments[i]! * modPow(bases[i]!, exponent, n)) % n !== 1n
      : modPow(bases[i]!, -exponent, n) !== commitments[i];
  });
  return wrong < 0 ? undefined : `response ${wrong} does not fit its challenge`;
}
