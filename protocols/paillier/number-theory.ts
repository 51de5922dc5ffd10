/**
 * @file Integers modulo n on bigint. None of it runs in constant time: JavaScript's bigint cannot.
 * Callers blind what an adversary chose before a secret exponent touches it.
 */

import { bitLength } from '../crypto/bytes.ts';
import { modulo } from '../residues/arithmetic.ts';

export { modulo };

/** base^exponent mod modulus by a sliding window. @param exponent 0 or more. */
export function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  if (modulus === 1n) return 0n;
  const bits = exponent.toString(2);
  const window = bits.length > 512 ? 6 : bits.length > 64 ? 4 : 1;
  const square = modulo(base * base, modulus);
  const oddPowers = [modulo(base, modulus)];
  for (let i = 1; i < 1 << (window - 1); i += 1) {
    oddPowers.push((oddPowers[i - 1]! * square) % modulus);
  }
  let result = 1n;
  for (let i = 0; i < bits.length; ) {
    if (bits[i] === '0') {
      result = (result * result) % modulus;
      i += 1;
      continue;
    }
    let end = Math.min(i + window, bits.length);
    while (bits[end - 1] === '0') end -= 1;
    for (let j = i; j < end; j += 1) result = (result * result) % modulus;
    const digit = Number.parseInt(bits.slice(i, end), 2);
    result = (result * oddPowers[digit >> 1]!) % modulus;
    i = end;
  }
  return exponent === 0n ? 1n : result;
}

export function gcd(left: bigint, right: bigint): bigint {
  let a = left < 0n ? -left : left;
  let b = right < 0n ? -right : right;
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

export function lcm(left: bigint, right: bigint): bigint {
  return (left / gcd(left, right)) * right;
}

/** The inverse of `value` modulo `modulus`, or nothing where they share a factor. */
export function modInverse(value: bigint, modulus: bigint): bigint | undefined {
  let [previous, current] = [modulo(value, modulus), modulus];
  let [coefficient, next] = [1n, 0n];
  while (current !== 0n) {
    const quotient = previous / current;
    [previous, current] = [current, previous - quotient * current];
    [coefficient, next] = [next, coefficient - quotient * next];
  }
  return previous === 1n ? modulo(coefficient, modulus) : undefined;
}

/** The Jacobi symbol of `value` over an odd `modulus` of 3 or more, by Euclid's algorithm. */
export function jacobi(value: bigint, modulus: bigint): -1 | 0 | 1 {
  let [upper, lower] = [modulo(value, modulus), modulus];
  let negative = false;
  while (upper !== 0n) {
    while ((upper & 1n) === 0n) {
      upper >>= 1n;
      const rest = lower & 7n;
      if (rest === 3n || rest === 5n) negative = !negative;
    }
    // Quadratic reciprocity.
    if ((upper & 3n) === 3n && (lower & 3n) === 3n) negative = !negative;
    [upper, lower] = [lower % upper, upper];
  }
  if (lower !== 1n) return 0;
  return negative ? -1 : 1;
}

/** The largest integer whose `degree`-th power is at most `value`, by Newton's iteration. */
export function integerRoot(value: bigint, degree: number): bigint {
  if (value < 2n) return value;
  const k = BigInt(degree);
  let estimate = 1n << BigInt(Math.ceil(bitLength(value) / degree));
  for (;;) {
    const better = ((k - 1n) * estimate + value / estimate ** (k - 1n)) / k;
    if (better >= estimate) return estimate;
    estimate = better;
  }
}

/** Whether `value` is a^k with k >= 2. @param leastFactorBits Bits that a is known to have. */
export function isPerfectPower(value: bigint, leastFactorBits = 2): boolean {
  const largestDegree = Math.ceil(bitLength(value) / (leastFactorBits - 1));
  for (const degree of primesBelow(largestDegree + 1)) {
    if (integerRoot(value, degree) ** BigInt(degree) === value) return true;
  }
  return false;
}

/** The sieve of Eratosthenes. */
export function primesBelow(limit: number): number[] {
  const composite = new Uint8Array(Math.max(limit, 2));
  const primes: number[] = [];
  for (let candidate = 2; candidate < limit; candidate += 1) {
    if (composite[candidate] === 1) continue;
    primes.push(candidate);
    for (let multiple = candidate * candidate; multiple < limit; multiple += candidate) {
      composite[multiple] = 1;
    }
  }
  return primes;
}
