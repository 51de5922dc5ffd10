/** @file Exactly uniform integers from a source of bytes, and a source that replays from a seed. */

import { aesCtrKeystream, sha256 } from '#crypto';
import { ProtocolError } from '../errors.ts';
import { bigIntFromBytes, bitLength } from './bytes.ts';
import { drawBytes } from './checks.ts';
import { KEYSTREAM_CHUNK, type Rng } from './interface.ts';

/** A uniform integer of at most `bits` bits. */
export function uniformBits(rng: Rng, bits: number): bigint {
  if (!Number.isInteger(bits) || bits < 0) {
    throw new ProtocolError('invalid-argument', `a number of bits is a whole number, got ${bits}`);
  }
  return BigInt.asUintN(bits, bigIntFromBytes(drawBytes(rng, Math.ceil(bits / 8))));
}

/**
 * A uniform integer in [0, bound), by rejection: no value is favoured by a remainder.
 * @throws ProtocolError `invalid-argument` where there is no such integer, or `rng` is broken.
 */
export function uniformBelow(rng: Rng, bound: bigint): bigint {
  if (bound < 1n) throw new ProtocolError('invalid-argument', `no integer lies in [0, ${bound})`);
  const bits = bitLength(bound - 1n);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const candidate = uniformBits(rng, bits);
    if (candidate < bound) return candidate;
  }
  throw new ProtocolError(
    'invalid-argument',
    `rng is not random: ${ATTEMPTS} draws of ${bits} bits were all at least ${bound}`,
  );
}

/**
 * A source that gives the same bytes for the same seed, so that a failing run can be replayed.
 * For tests and simulations: whoever knows the seed knows every secret drawn from it.
 */
export function deterministicRng(seed: Uint8Array): Rng {
  const stream = aesCtrKeystream(sha256(seed), new Uint8Array(16));
  return (length) => {
    const bytes = new Uint8Array(length);
    for (let start = 0; start < length; start += KEYSTREAM_CHUNK) {
      bytes.set(stream.read(Math.min(KEYSTREAM_CHUNK, length - start)), start);
    }
    return bytes;
  };
}

/** More than half of all draws succeed, so a sound source fails once in 2^256 calls. */
const ATTEMPTS = 256;
