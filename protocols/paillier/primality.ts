/** @file Probable primes (Miller and Rabin) and small factors (one gcd with a primorial). */

import { bitLength } from '../crypto/bytes.ts';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow } from '../crypto/random.ts';
import { gcd, modPow, primesBelow } from './number-theory.ts';

/** Every factor below this is found. */
export const SMALL_FACTOR_BITS = 20;

/**
 * Miller and Rabin with 64 bases drawn from `rng`: a composite, even one made to deceive, passes
 * with a probability of at most 2^-128, because its maker cannot foresee the bases.
 */
export function isProbablePrime(candidate: bigint, rng: Rng): boolean {
  if (candidate < 4n) return candidate === 2n || candidate === 3n;
  if (candidate % 2n === 0n) return false;
  for (const prime of FIRST_PRIMES) {
    if (candidate === prime) return true;
    if (candidate % prime === 0n) return false;
  }
  for (let round = 0; round < 64; round += 1) {
    if (!passesMillerRabin(candidate, 2n + uniformBelow(rng, candidate - 3n))) return false;
  }
  return true;
}

/** Whether `base` fails to prove that the odd `candidate` is composite. A prime always passes. */
export function passesMillerRabin(candidate: bigint, base: bigint): boolean {
  let odd = candidate - 1n;
  let halvings = 0;
  while (odd % 2n === 0n) {
    odd /= 2n;
    halvings += 1;
  }
  let power = modPow(base, odd, candidate);
  if (power === 1n || power === candidate - 1n) return true;
  for (let i = 1; i < halvings; i += 1) {
    power = (power * power) % candidate;
    if (power === candidate - 1n) return true;
  }
  return false;
}

/** Whether a prime below 2^20 divides `value`. */
export function hasSmallFactor(value: bigint): boolean {
  return bitLength(value) > SMALL_FACTOR_BITS && productOfSmallFactors(value) !== 1n;
}

/** The product of the primes below 2^20 that divide `value`, each once. */
export function productOfSmallFactors(value: bigint): bigint {
  primorial ??= productOf(primesBelow(2 ** SMALL_FACTOR_BITS).map(BigInt));
  return gcd(value, primorial % value);
}

/** `value` without the primes below 2^20 in it, however often they divide it. @param value 1 or more */
export function withoutSmallFactors(value: bigint): bigint {
  let rest = value;
  for (let factor = productOfSmallFactors(rest); factor !== 1n; factor = gcd(rest, factor)) {
    rest /= factor;
  }
  return rest;
}

/** 1.5 million bits, made at the first use in some 20 ms. */
let primorial: bigint | undefined;

function productOf(factors: readonly bigint[]): bigint {
  if (factors.length === 1) return factors[0]!;
  const middle = factors.length >> 1;
  return productOf(factors.slice(0, middle)) * productOf(factors.slice(middle));
}

const FIRST_PRIMES = primesBelow(256).map(BigInt);
