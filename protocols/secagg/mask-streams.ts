/**
 * @file The masks of a round, as client and server derive them. A self mask comes from a seed of
 * its client alone; a pairwise mask from the secret of two, and what both saw (the context), so
 * that it cancels only between clients who were given the same.
 */

import type { SecretBytes } from '../crypto/secret.ts';
import type { Mask } from '../masking/mask-kernel.ts';
import { maskSeed, seedKeystream } from '../masking/mask-key.ts';

export interface MaskedRun {
  readonly session: Uint8Array;
  readonly round: number;
  readonly transcript: Uint8Array;
  /** Which vector of the round. */
  readonly vector: string;
}

/** The seed of the mask that a client adds to its own vector. */
export function selfMaskSeed(secret: SecretBytes, run: MaskedRun, client: number): SecretBytes {
  return maskSeed(secret, {
    ...run,
    adder: `client ${client}`,
    subtractor: 'nobody',
    context: NOTHING,
  });
}

/** The mask of a pair as `own` applies it: the higher number adds what the lower one takes off. */
export function pairMaskSeed(
  secret: SecretBytes,
  { contextHash, ...run }: MaskedRun & { readonly contextHash: Uint8Array },
  own: number,
  peer: number,
): { readonly seed: SecretBytes; readonly sign: 1 | -1 } {
  const seed = maskSeed(secret, {
    ...run,
    adder: `client ${Math.max(own, peer)}`,
    subtractor: `client ${Math.min(own, peer)}`,
    context: contextHash,
  });
  return { seed, sign: own > peer ? 1 : -1 };
}

/** The mask itself; the seed is erased. */
export function maskOf({
  seed,
  sign,
}: {
  readonly seed: SecretBytes;
  readonly sign: 1 | -1;
}): Mask {
  try {
    return { keystream: seedKeystream(seed), sign };
  } finally {
    seed.erase();
  }
}

const NOTHING = new Uint8Array(0);
