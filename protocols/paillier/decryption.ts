/**
 * @file Decryption by the Chinese remainder theorem (Paillier 1999, section 7), blinded before and
 * verified after: a fault in one half would otherwise give away a prime (Boneh, DeMillo, Lipton,
 * EUROCRYPT 1997).
 */

import { randomBytes } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow, uniformBits } from '../crypto/random.ts';
import { checkCiphertexts } from './ciphertexts.ts';
import { PaillierError } from './errors.ts';
import { modulo } from './number-theory.ts';
import type { PaillierPrivateKey, PrimeHalf, PrivateParameters } from './private-key.ts';
import type { PaillierPublicKey } from './public-key.ts';
import { modPowSquare } from './square-ring.ts';

/**
 * All plaintexts, or none.
 * @throws PaillierError `invalid-ciphertext`, `decryption-fault`
 */
export function decrypt(
  privateKey: PaillierPrivateKey,
  ciphertexts: readonly bigint[],
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): bigint[] {
  const { publicKey } = privateKey;
  checkCiphertexts(publicKey, ciphertexts);
  const parameters = privateKey.reveal();
  const { p, q, pInverse } = parameters;
  const modP = decryptHalf(p, ciphertexts, rng);
  const modQ = decryptHalf(q, ciphertexts, rng);
  const plaintexts = modP.map((residue, i) => {
    const difference = modulo((modQ[i]! - residue) * pInverse, q.prime);
    return residue + p.prime * difference;
  });
  verify(publicKey, parameters, ciphertexts, plaintexts, rng);
  return plaintexts;
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

/**
 * Without the remainder theorem: c * (1 + n)^-m must be an n-th power, which lambda takes to 1.
 * All at once, by a product with random exponents of 64 bits: if any plaintext were wrong modulo a
 * prime, it would pass with a probability of 2^-64 (Bellare, Garay, Rabin, EUROCRYPT 1998).
 */
function verify(
  { n, nSquared }: PaillierPublicKey,
  { lambda }: PrivateParameters,
  ciphertexts: readonly bigint[],
  plaintexts: readonly bigint[],
  rng: Rng,
): void {
  const exponents = ciphertexts.map(() => uniformBits(rng, VERIFICATION_BITS));
  const residues = ciphertexts.map(
    (ciphertext, i) => (ciphertext * modulo(1n - plaintexts[i]! * n, nSquared)) % nSquared,
  );
  let product = 1n;
  for (let bit = VERIFICATION_BITS - 1; bit >= 0; bit -= 1) {
    product = (product * product) % nSquared;
    for (const [i, exponent] of exponents.entries()) {
      if ((exponent >> BigInt(bit)) & 1n) product = (product * residues[i]!) % nSquared;
    }
  }
  if (modPowSquare(product, lambda, n) !== 1n) {
    throw new PaillierError(
      'decryption-fault',
      'the decrypted values do not belong to the ciphertexts; nothing is released',
    );
  }
}

const VERIFICATION_BITS = 64;
