/**
 * @file Decryption by the Chinese remainder theorem (Paillier 1999, section 7), blinded before and
 * verified after: a fault in one half would otherwise give away a prime (Boneh, DeMillo, Lipton,
 * EUROCRYPT 1997).
 *
 * What verifies it convinces others as well. Of ciphertexts c with plaintexts m, c (1 + n)^-m is an
 * n-th power modulo n^2; one root of a product of all of these, with exponents from a hash, shows
 * that all plaintexts are right but for one chance in 2^128 (Bellare, Garay, Rabin, EUROCRYPT 1998;
 * the order of 1 + n has no prime below 2^20, and none below 2^1000 where the key was proven). The
 * root tells no more than the plaintexts: anybody can make it together with such ciphertexts.
 */

import { randomBytes } from '#crypto';
import { concatBytes, utf8 } from '../crypto/bytes.ts';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow, uniformBits } from '../crypto/random.ts';
import { checkCiphertexts, encodeCiphertexts } from './ciphertexts.ts';
import { PaillierError } from './errors.ts';
import { hashStream } from './hash-stream.ts';
import { modInverse, modPow, modulo } from './number-theory.ts';
import { encodePlaintexts } from './plaintexts.ts';
import type { PaillierPrivateKey, PrimeHalf, PrivateParameters } from './private-key.ts';
import type { PaillierPublicKey } from './public-key.ts';
import { modPowSquare, multiPowSquare } from './square-ring.ts';

export interface Decryption {
  readonly plaintexts: readonly bigint[];
  /** For `verifyDecryption`. */
  readonly root: bigint;
}

/**
 * All plaintexts, or none.
 * @throws PaillierError `invalid-ciphertext`, `decryption-fault`
 */
export function decrypt(
  privateKey: PaillierPrivateKey,
  ciphertexts: readonly bigint[],
  options: { readonly rng?: Rng } = {},
): bigint[] {
  return [...decryptVerifiably(privateKey, ciphertexts, options).plaintexts];
}

/** Like `decrypt`, with what shows to others that the plaintexts are right. */
export function decryptVerifiably(
  privateKey: PaillierPrivateKey,
  ciphertexts: readonly bigint[],
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): Decryption {
  const { publicKey } = privateKey;
  checkCiphertexts(publicKey, ciphertexts);
  const parameters = privateKey.reveal();
  const { p, q } = parameters;
  const modP = decryptHalf(p, ciphertexts, rng);
  const modQ = decryptHalf(q, ciphertexts, rng);
  const plaintexts = modP.map((residue, i) => combine(parameters, residue, modQ[i]!));
  const power = powerOfRoot(publicKey, ciphertexts, plaintexts);
  const root = takeRoot(publicKey, parameters, power, rng);
  // Without the remainder theorem, so that a fault on the way here is seen.
  if (modPowSquare(root, publicKey.n, publicKey.n) !== power) {
    throw new PaillierError(
      'decryption-fault',
      'the decrypted values do not belong to the ciphertexts; nothing is released',
    );
  }
  return { plaintexts, root };
}

/** Whether `plaintexts` are those of `ciphertexts`, by whoever does not have the private key. */
export function verifyDecryption(
  publicKey: PaillierPublicKey,
  ciphertexts: readonly bigint[],
  { plaintexts, root }: Decryption,
): boolean {
  if (plaintexts.length !== ciphertexts.length || root <= 0n || root >= publicKey.n) return false;
  const power = powerOfRoot(publicKey, ciphertexts, plaintexts);
  return modPowSquare(root, publicKey.n, publicKey.n) === power;
}

/**
 * Decrypts modulo one prime. Every base is blinded by a power that the exponent kills,
 * (t^prime)^(prime - 1) = 1 modulo prime^2, so its timing does not follow the sender's choice; the
 * next blinding is the square of the last.
 */
function decryptHalf(
  { prime, primeSquared, factor }: PrimeHalf,
  ciphertexts: readonly bigint[],
  rng: Rng,
): bigint[] {
  let blinding = modPowSquare(1n + uniformBelow(rng, prime - 1n), prime, prime);
  return ciphertexts.map((ciphertext) => {
    const blinded = ((ciphertext % primeSquared) * blinding) % primeSquared;
    blinding = (blinding * blinding) % primeSquared;
    const power = modPowSquare(blinded, prime - 1n, prime);
    return (((power - 1n) / prime) * factor) % prime;
  });
}

function combine({ p, q, pInverse }: PrivateParameters, modP: bigint, modQ: bigint): bigint {
  return modP + p.prime * modulo((modQ - modP) * pInverse, q.prime);
}

/** The product of (c (1 + n)^-m)^e for all ciphertexts, with exponents that depend on all of it. */
function powerOfRoot(
  key: PaillierPublicKey,
  ciphertexts: readonly bigint[],
  plaintexts: readonly bigint[],
): bigint {
  const { n, nSquared, fingerprint } = key;
  const stream = hashStream(
    concatBytes(
      utf8('fedloom paillier decryption v1'),
      fingerprint,
      encodeCiphertexts(key, ciphertexts),
      encodePlaintexts(key, plaintexts),
    ),
  );
  const exponents = ciphertexts.map(() => uniformBits(stream, EXPONENT_BITS));
  const residues = ciphertexts.map(
    (ciphertext, i) => (ciphertext * modulo(1n - plaintexts[i]! * n, nSquared)) % nSquared,
  );
  return multiPowSquare(residues, exponents, n);
}

/** The n-th root modulo n, blinded by a random n-th power. */
function takeRoot(
  { n }: PaillierPublicKey,
  parameters: PrivateParameters,
  power: bigint,
  rng: Rng,
): bigint {
  const halves = [parameters.p, parameters.q].map(({ prime }) => {
    const blinding = 1n + uniformBelow(rng, prime - 1n);
    const blinded = ((power % prime) * modPow(blinding, n % (prime - 1n), prime)) % prime;
    const root = modPow(blinded, modInverse(n, prime - 1n)!, prime);
    return (root * modInverse(blinding, prime)!) % prime;
  });
  return combine(parameters, halves[0]!, halves[1]!);
}

const EXPONENT_BITS = 128;
