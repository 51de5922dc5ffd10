/**
 * @file Primes for keys that can be proven well-formed: 3 modulo 4 (Blum), and p - 1 and q - 1 with
 * no factor but 2 in common; see `key-proof.ts`.
 */

import { generatePrime } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { uniformBits } from '../crypto/random.ts';
import { primesBelow } from './number-theory.ts';
import { isProbablePrime, passesMillerRabin } from './primality.ts';
import { unprovable } from './prove-key.ts';

/**
 * A pair whose product has exactly `modulusBits` bits: 5 primes on average, drawn by the platform
 * where it makes them (OpenSSL, some 0.1 s each for a modulus of 3072 bits), else from `rng`.
 */
export async function drawBlumPrimes(
  modulusBits: number,
  rng: Rng,
): Promise<{ readonly p: bigint; readonly q: bigint }> {
  const half = Math.floor(modulusBits / 2);
  let [p, q] = await Promise.all([
    drawBlumPrime(modulusBits - half, rng),
    drawBlumPrime(half, rng),
  ]);
  while (unprovable(p, q) !== undefined) q = await drawBlumPrime(half, rng);
  return { p, q };
}

/** With both top bits set, so that the product of two has all its bits. */
async function drawBlumPrime(bits: number, rng: Rng): Promise<bigint> {
  if (generatePrime === undefined) return searchBlumPrime(bits, rng);
  for (;;) {
    const prime = await generatePrime(bits);
    if (prime % 4n === 3n) return prime;
  }
}

/**
 * Takes random candidates until one is prime. It lets others run between two of them: at 1536 bits
 * a search tests some 70 candidates for 4 ms each.
 */
export async function searchBlumPrime(bits: number, rng: Rng): Promise<bigint> {
  const top = 3n << BigInt(bits - 2);
  for (;;) {
    const candidate = uniformBits(rng, bits) | top | 3n;
    if (SIEVING_PRIMES.some((prime) => candidate % prime === 0n && candidate !== prime)) continue;
    await new Promise<void>((resolve) => setTimeout(resolve));
    if (passesMillerRabin(candidate, 2n) && isProbablePrime(candidate, rng)) return candidate;
  }
}

const SIEVING_PRIMES = primesBelow(4096).map(BigInt);
