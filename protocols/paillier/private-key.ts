/** @file A Paillier private key that was checked, and how one is made. */

import { randomBytes } from '#crypto';
import { bitLength } from '../crypto/bytes.ts';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow } from '../crypto/random.ts';
import { drawBlumPrimes } from './blum-primes.ts';
import { PaillierError } from './errors.ts';
import { gcd, lcm, modInverse, modPow, modulo } from './number-theory.ts';
import { isProbablePrime, withoutSmallFactors } from './primality.ts';
import {
  DEFAULT_MODULUS_BITS,
  importPublicKey,
  type KeyPolicy,
  LEAST_MODULUS_BITS,
  type PaillierPublicKey,
} from './public-key.ts';

const inspect = Symbol.for('nodejs.util.inspect.custom');

/** One prime's half of decryption by the Chinese remainder theorem (Paillier 1999, section 7). */
export interface PrimeHalf {
  readonly prime: bigint;
  readonly primeSquared: bigint;
  /** 1 / L(g^(prime - 1) mod prime^2) mod prime. */
  readonly factor: bigint;
}

export interface PrivateParameters {
  readonly p: PrimeHalf;
  readonly q: PrimeHalf;
  /** 1 / p mod q. */
  readonly pInverse: bigint;
}

/** Made by `importPrivateKey` or `generatePaillierKey`. Does not print. */
export class PaillierPrivateKey {
  readonly publicKey: PaillierPublicKey;
  readonly #parameters: PrivateParameters;

  /** @internal */
  constructor(publicKey: PaillierPublicKey, parameters: PrivateParameters) {
    this.publicKey = publicKey;
    this.#parameters = parameters;
  }

  reveal(): PrivateParameters {
    return this.#parameters;
  }

  toString(): string {
    return `[Paillier private key of ${this.publicKey.modulusBits} bits]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect](): string {
    return this.toString();
  }
}

/**
 * `PrivateKey` of paillier-bigint (which keeps its primes as `_p` and `_q`), or plain numbers.
 * Without the primes they are found from lambda.
 */
export interface PrivateKeyLike {
  readonly n: bigint;
  readonly lambda?: bigint;
  readonly p?: bigint;
  readonly q?: bigint;
}

export interface KeyGenerationOptions extends KeyPolicy {
  /**
   * For the primes where the platform does not make them, and for the check of them.
   * @default the platform's `randomBytes`
   */
  readonly rng?: Rng;
}

/**
 * Makes a key of which `proveKey` can show that it is well-formed. Its primes come from the platform
 * where that makes them (OpenSSL, from its own secure randomness; a second or so for 3072 bits), else
 * from `rng` (some seconds).
 */
export async function generatePaillierKey(
  options: KeyGenerationOptions = {},
): Promise<PaillierPrivateKey> {
  const { modulusBits = DEFAULT_MODULUS_BITS, allowInsecureModulus = false } = options;
  if (modulusBits < LEAST_MODULUS_BITS && !allowInsecureModulus) {
    throw new PaillierError(
      'modulus-too-small',
      `a modulus of ${modulusBits} bits can be factored; ask for ${LEAST_MODULUS_BITS} or more`,
    );
  }
  for (;;) {
    const { p, q } = await drawBlumPrimes(modulusBits, options.rng ?? randomBytes);
    try {
      return importPrivateKey({ n: p * q, p, q }, { ...options, modulusBits });
    } catch (error) {
      // Primes too close or sharing a factor with phi: as good as never, and a reason to draw again.
      if (!(error instanceof PaillierError) || error.code !== 'invalid-private-key') throw error;
    }
  }
}

/**
 * Checks a private key and precomputes decryption.
 * @throws PaillierError `invalid-private-key`, and what `importPublicKey` throws
 */
export function importPrivateKey(
  key: PrivateKeyLike,
  options: KeyGenerationOptions = {},
): PaillierPrivateKey {
  const { rng = randomBytes } = options;
  const publicKey = importPublicKey(key, options);
  const { n } = publicKey;
  const { p, q } = primesOf(key, rng);
  const refuse = (reason: string): PaillierError =>
    new PaillierError('invalid-private-key', reason);

  if (p * q !== n) throw refuse('p times q is not n');
  // paillier-bigint gives p one bit more than q.
  if (Math.abs(bitLength(p) - bitLength(q)) > 1) throw refuse('p and q differ in size');
  const distance = p > q ? p - q : q - p;
  // FIPS 186-5, A.1.3: or Fermat's method factors n.
  if (bitLength(distance) <= bitLength(n) / 2 - Math.min(100, bitLength(n) / 16)) {
    throw refuse('p and q are too close');
  }
  if (withoutSmallFactors(p - 1n) === 1n || withoutSmallFactors(q - 1n) === 1n) {
    // Pollard's method finds such a prime.
    throw refuse('p - 1 or q - 1 has small factors only');
  }
  if (!isProbablePrime(p, rng) || !isProbablePrime(q, rng)) throw refuse('p or q is not prime');
  if (gcd(n, (p - 1n) * (q - 1n)) !== 1n) throw refuse('n has a factor in common with phi(n)');

  const { lambda } = key;
  if (lambda !== undefined && (lambda <= 0n || lambda % lcm(p - 1n, q - 1n) !== 0n)) {
    throw refuse('lambda does not belong to p and q');
  }
  return new PaillierPrivateKey(publicKey, {
    p: primeHalf(p, q),
    q: primeHalf(q, p),
    pInverse: modInverse(p, q)!,
  });
}

/** With g = 1 + n: L(g^(p - 1) mod p^2) = (p - 1) * q = -q mod p. */
function primeHalf(prime: bigint, other: bigint): PrimeHalf {
  return { prime, primeSquared: prime * prime, factor: modInverse(-other, prime)! };
}

function primesOf(key: PrivateKeyLike, rng: Rng): { p: bigint; q: bigint } {
  const p = numberOf(key, 'p') ?? numberOf(key, '_p');
  const q = numberOf(key, 'q') ?? numberOf(key, '_q');
  if (p !== undefined && q !== undefined) return { p, q };
  if (key.lambda === undefined) {
    throw new PaillierError('invalid-private-key', 'a private key needs p and q, or lambda');
  }
  const factor = factorFromLambda(key.n, key.lambda, rng);
  return { p: factor, q: key.n / factor };
}

/** Reads a field that paillier-bigint's types call private. */
function numberOf(key: PrivateKeyLike, name: string): bigint | undefined {
  const value: unknown = Reflect.get(key, name);
  return typeof value === 'bigint' && value > 1n ? value : undefined;
}

/** x^lambda = 1 (mod n) for all x, so a square root of 1 other than 1 and -1 is soon found. */
function factorFromLambda(n: bigint, lambda: bigint, rng: Rng): bigint {
  let odd = lambda > 0n ? lambda : 1n;
  while (odd % 2n === 0n) odd /= 2n;
  for (let attempt = 0; attempt < 128; attempt += 1) {
    let root = modPow(2n + uniformBelow(rng, n - 3n), odd, n);
    for (let power = odd; power < lambda && root !== 1n; power *= 2n) {
      const square = modulo(root * root, n);
      if (square === 1n) {
        const factor = gcd(root - 1n, n);
        if (factor !== 1n && factor !== n) return factor;
      }
      root = square;
    }
  }
  throw new PaillierError('invalid-private-key', 'lambda does not belong to n');
}
