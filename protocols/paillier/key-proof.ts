/**
 * @file What the maker of a Paillier key proves about its modulus n, and the bytes of the proof.
 *
 * Nobody needs a set-up to check it: everything happens in the units modulo n, with challenges from
 * a hash (Fiat and Shamir). A verifier divides by all primes below 2^20 first. Then, but for about
 * one in 2^128 attempts of a cheating maker:
 *
 * 1. `roots`: n and the rest of n - 1 without small primes have no factor in common with phi(n), as
 *    7 random units have such roots, and in any other group one in 2^20 has at most (Goldberg,
 *    Reyzin, Sagga, Baldimtsi, ASIACRYPT 2019). In particular no square divides n.
 * 2. `fourthRoots`: n has two prime factors, both 3 modulo 4, as 128 random units have fourth roots
 *    up to a sign and a twist, and in any other group half of them at most (Paillier-Blum modulus
 *    proof of Canetti, Gennaro, Goldfeder, Makriyannis, Peled, eprint 2021/060, figure 16; van de
 *    Graaf and Peralta, CRYPTO '87). The roots are of order 4 S, with S the small odd primes of
 *    n - 1, so that with 1 no odd prime divides both p - 1 and q - 1: those are primes of n - 1.
 * 3. `responses`: both primes are large, within a factor of 2^294 of the square root of n (1242 bits
 *    of 3072, 730 of 2048). They show that every g of 12 random ones has g^n = g^s with a short s,
 *    which is p + q - 1 (after Poupard and Stern, "Short proofs of knowledge for factoring",
 *    PKC 2000). Were q long and p short, then n = p modulo q - 1 would make a difference of two
 *    responses be p times that of their challenges, and modulo p - 1 one of their differences must
 *    then divide by half the order of g there, because of 2. With p above 2^20 that leaves one
 *    challenge in 2^11 on average, for each g.
 *
 * What it does not show: that p and q are far apart (a few Fermat steps at import find close ones),
 * that p - 1 has a large factor, or that the primes were drawn at random. The maker of a key can
 * always give its secret away; these are ways of doing so.
 */

import { bigIntFromBytes, bigIntToBytes, concatBytes } from '../crypto/bytes.ts';
import { PaillierError } from './errors.ts';
import type { PaillierPublicKey } from './public-key.ts';

export interface KeyProof {
  /** A unit of Jacobi symbol -1. */
  readonly twist: bigint;
  readonly roots: readonly bigint[];
  readonly fourthRoots: readonly TwistedRoot[];
  /** g^r for each g. */
  readonly commitments: readonly bigint[];
  /** r + challenge * s for each g, below 2^`responseBits`. */
  readonly responses: readonly bigint[];
}

/** root^(4 S) is the challenge, or its negative, times the twist or not. */
export interface TwistedRoot {
  readonly root: bigint;
  readonly negated: boolean;
  readonly twisted: boolean;
}

/** 20 bits of certainty each: no factor below 2^20 is left to cheat with. */
export const ROOT_COUNT = 7;
export const FOURTH_ROOT_COUNT = 128;
/** 11 bits of certainty each. */
export const RESPONSE_COUNT = 12;
export const RESPONSE_CHALLENGE_BITS = 32;
/** A response tells s no better than one chance in 2^128. */
const HIDING_BITS = 128;

/** Of the r behind a response. p + q - 1 may take two bits more than half of n. */
export function commitmentBits(modulusBits: number): number {
  return Math.ceil(modulusBits / 2) + 2 + RESPONSE_CHALLENGE_BITS + HIDING_BITS;
}

export function responseBits(modulusBits: number): number {
  return commitmentBits(modulusBits) + 1;
}

/** Of one length for all keys of a size: some 59 kB for 3072 bits. */
export function encodeKeyProof(key: PaillierPublicKey, proof: KeyProof): Uint8Array {
  const { unitBytes, responseBytes } = lengthsOf(key);
  const units = (values: readonly bigint[]): Uint8Array =>
    concatBytes(...values.map((value) => bigIntToBytes(value, unitBytes)));
  const flags = new Uint8Array(FLAG_BYTES);
  for (const [i, { negated, twisted }] of proof.fourthRoots.entries()) {
    flags[i >> 2]! |= ((negated ? 1 : 0) | (twisted ? 2 : 0)) << (2 * (i & 3));
  }
  return concatBytes(
    units([proof.twist, ...proof.roots, ...proof.fourthRoots.map(({ root }) => root)]),
    flags,
    units(proof.commitments),
    ...proof.responses.map((value) => bigIntToBytes(value, responseBytes)),
  );
}

/** @throws PaillierError `invalid-key-proof` for another length than that of proofs for this key. */
export function decodeKeyProof(key: PaillierPublicKey, bytes: Uint8Array): KeyProof {
  const { unitBytes, responseBytes } = lengthsOf(key);
  const length = UNIT_COUNT * unitBytes + FLAG_BYTES + RESPONSE_COUNT * responseBytes;
  if (bytes.length !== length) {
    throw new PaillierError(
      'invalid-key-proof',
      `a proof for ${key.modulusBits} bits takes ${length} bytes, got ${bytes.length}`,
    );
  }
  let offset = 0;
  const take = (size: number): Uint8Array => {
    offset += size;
    return bytes.subarray(offset - size, offset);
  };
  const integers = (count: number, size: number): bigint[] =>
    Array.from({ length: count }, () => bigIntFromBytes(take(size)));
  const twist = bigIntFromBytes(take(unitBytes));
  const roots = integers(ROOT_COUNT, unitBytes);
  const fourthRoots = integers(FOURTH_ROOT_COUNT, unitBytes);
  const flags = take(FLAG_BYTES);
  return {
    twist,
    roots,
    fourthRoots: fourthRoots.map((root, i) => {
      const flag = flags[i >> 2]! >> (2 * (i & 3));
      return { root, negated: (flag & 1) === 1, twisted: (flag & 2) === 2 };
    }),
    commitments: integers(RESPONSE_COUNT, unitBytes),
    responses: integers(RESPONSE_COUNT, responseBytes),
  };
}

function lengthsOf({ modulusBits }: PaillierPublicKey): {
  readonly unitBytes: number;
  readonly responseBytes: number;
} {
  return {
    unitBytes: Math.ceil(modulusBits / 8),
    responseBytes: Math.ceil(responseBits(modulusBits) / 8),
  };
}

const UNIT_COUNT = 1 + ROOT_COUNT + FOURTH_ROOT_COUNT + RESPONSE_COUNT;
const FLAG_BYTES = FOURTH_ROOT_COUNT / 4;
