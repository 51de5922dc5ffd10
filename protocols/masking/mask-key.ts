/**
 * @file From the secret of a pair to the keystream of one mask: HKDF-SHA256 (RFC 5869) bound to
 * everything that must differ between two masks, then AES-128-CTR (NIST SP 800-38A) with the
 * initial counter drawn as well, so that a seed has 256 bits.
 */

import { aesCtrKeystream, hkdfSha256, sha256 } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import type { Keystream } from '../crypto/interface.ts';
import type { SecretBytes } from '../crypto/secret.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

export interface MaskBinding {
  /** Identifies the run; never used for two runs. */
  readonly session: Uint8Array;
  readonly round: number;
  /** Which of the vectors of the round: one mask over two vectors would give their difference. */
  readonly vector: string;
  /** Who adds the mask. */
  readonly adder: string;
  /** Who takes it off. */
  readonly subtractor: string;
  /** Hash of what the cohort agreed on: parameters and roster. */
  readonly transcript: Uint8Array;
  /**
   * Whatever both ends must have seen alike, for example the hash of the model and the computation
   * an input came from; where they differ, the masks do not cancel.
   */
  readonly context: Uint8Array;
}

/** The seed of one mask: 32 bytes from the secret of those who share it, and what it is bound to. */
export function maskSeed(secret: SecretBytes, binding: MaskBinding): SecretBytes {
  const bound = new ByteWriter()
    .bytes(binding.session)
    .uint32(binding.round)
    .text(binding.vector)
    .text(binding.adder)
    .text(binding.subtractor)
    .bytes(binding.transcript)
    .bytes(binding.context)
    .finish();
  return hkdfSha256(secret, { salt: SALT, info: sha256(bound), length: 32 });
}

/** The keystream of a seed: half of it is the key, half the initial counter. */
export function seedKeystream(seed: SecretBytes): Keystream {
  const bytes = seed.reveal();
  return aesCtrKeystream(bytes.subarray(0, 16), bytes.subarray(16, 32));
}

export function maskKeystream(pairSecret: SecretBytes, binding: MaskBinding): Keystream {
  const seed = maskSeed(pairSecret, binding);
  const keystream = seedKeystream(seed);
  seed.erase();
  return keystream;
}

const SALT = utf8('fedloom pairwise mask v1');
