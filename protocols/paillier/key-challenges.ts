/**
 * @file The challenges of a key proof, by hashing (Fiat and Shamir, CRYPTO '86), and the exponents
 * of the roots that it shows. Prover and verifier derive them alike.
 */

import { bigIntToBytes, bitLength, utf8 } from '../crypto/bytes.ts';
import type { Rng } from '../crypto/interface.ts';
import { uniformBelow, uniformBits } from '../crypto/random.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { hashStream } from './hash-stream.ts';
import {
  FOURTH_ROOT_COUNT,
  type KeyProof,
  RESPONSE_CHALLENGE_BITS,
  RESPONSE_COUNT,
  ROOT_COUNT,
} from './key-proof.ts';
import { productOfSmallFactors, withoutSmallFactors } from './primality.ts';
import type { PaillierPublicKey } from './public-key.ts';

export interface RootExponents {
  /** n times what is left of n - 1 without its primes below 2^20. */
  readonly large: bigint;
  /** 4 S, with S the odd primes below 2^20 that divide n - 1. */
  readonly small: bigint;
}

/** Undefined where S has more than 256 bits, which chance makes less than once in 2^30 moduli. */
export function rootExponents(n: bigint): RootExponents | undefined {
  const smooth = productOfSmallFactors(n - 1n);
  const odd = smooth % 2n === 0n ? smooth / 2n : smooth;
  if (bitLength(odd) > LARGEST_SMOOTH_BITS) return undefined;
  return { large: n * withoutSmallFactors(n - 1n), small: 4n * odd };
}

/** The units g, chosen before the proof has a commitment. */
export function challengedBases(
  { n, fingerprint }: PaillierPublicKey,
  context: Uint8Array,
): bigint[] {
  const seed = new ByteWriter()
    .raw(utf8('fedloom paillier key proof v1 bases'))
    .raw(fingerprint)
    .bytes(context);
  return integersBelow(n, hashStream(seed.finish()), RESPONSE_COUNT);
}

export interface KeyChallenges {
  readonly roots: readonly bigint[];
  readonly fourthRoots: readonly bigint[];
  readonly responses: readonly bigint[];
}

/** What must be answered, once everything that the prover chooses beforehand is known. */
export function keyChallenges(
  { n, fingerprint, plaintextBytes }: PaillierPublicKey,
  context: Uint8Array,
  { twist, commitments }: Pick<KeyProof, 'twist' | 'commitments'>,
): KeyChallenges {
  const seed = new ByteWriter()
    .raw(utf8('fedloom paillier key proof v1 challenges'))
    .raw(fingerprint)
    .bytes(context);
  for (const value of [twist, ...commitments]) seed.raw(bigIntToBytes(value, plaintextBytes));
  const stream = hashStream(seed.finish());
  return {
    roots: integersBelow(n, stream, ROOT_COUNT),
    fourthRoots: integersBelow(n, stream, FOURTH_ROOT_COUNT),
    responses: Array.from({ length: RESPONSE_COUNT }, () =>
      uniformBits(stream, RESPONSE_CHALLENGE_BITS),
    ),
  };
}

function integersBelow(bound: bigint, rng: Rng, count: number): bigint[] {
  return Array.from({ length: count }, () => uniformBelow(rng, bound));
}

const LARGEST_SMOOTH_BITS = 256;
