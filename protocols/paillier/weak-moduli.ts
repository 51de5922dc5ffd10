/** @file What is wrong with a modulus that anybody can see without its primes. */

import { bitLength } from '../crypto/bytes.ts';
import { integerRoot, isPerfectPower } from './number-theory.ts';
import { hasSmallFactor, passesMillerRabin, SMALL_FACTOR_BITS } from './primality.ts';

/** Why a modulus is refused at sight, or nothing. */
export function weaknessOf(n: bigint): string | undefined {
  const bits = bitLength(n);
  if (bits > LARGEST_MODULUS_BITS) return `has ${bits} bits, beyond ${LARGEST_MODULUS_BITS}`;
  if (n % 2n === 0n) return 'is even';
  if (hasSmallFactor(n)) return `has a prime factor below 2^${SMALL_FACTOR_BITS}`;
  if (isPerfectPower(n, SMALL_FACTOR_BITS)) return 'is a power';
  // A prime passes to every base, so one base is enough to refuse all primes.
  if (passesMillerRabin(n, 2n)) return 'is prime';
  if (hasCloseFactors(n)) return 'has two factors close to its square root';
  return undefined;
}

/**
 * Fermat's method: n = a^2 - b^2 with a from the square root of n on. 2^18 steps find factors whose
 * distance is less than 2^10 times the fourth root of n.
 */
export function hasCloseFactors(n: bigint): boolean {
  const root = integerRoot(n, 2);
  const start = root * root === n ? root : root + 1n;
  // Few squares pass for one modulo all of these; for the others no bigint is touched.
  const sieves = SIEVE_MODULI.map((modulus) => ({
    modulus,
    squares: squaresModulo(modulus),
    offset: Number(start % BigInt(modulus)),
    n: Number(n % BigInt(modulus)),
  }));
  for (let step = 0; step < FERMAT_STEPS; step += 1) {
    const passes = sieves.every(({ modulus, squares, offset, n: residue }) => {
      const a = (offset + step) % modulus;
      return squares[(a * a - residue + modulus) % modulus] === 1;
    });
    if (!passes) continue;
    const a = start + BigInt(step);
    const square = a * a - n;
    const b = integerRoot(square, 2);
    if (b * b === square) return true;
  }
  return false;
}

function squaresModulo(modulus: number): Uint8Array {
  const squares = new Uint8Array(modulus);
  for (let i = 0; i < modulus; i += 1) squares[(i * i) % modulus] = 1;
  return squares;
}

export const LARGEST_MODULUS_BITS = 16_384;
const FERMAT_STEPS = 2 ** 18;
const SIEVE_MODULI = [64, 63, 65, 11, 17, 19, 23, 31, 29, 37, 41, 43, 47];
