/**
 * @file Carries a perturbation from one client to another through the server.
 *
 * The paper encrypts under a session key of AES that is encrypted with RSA. Here the key is agreed
 * on by X25519 (RFC 7748) between the keys of the roster, so that only the two clients have it and
 * each knows the other one to be the sender; HKDF-SHA256 (RFC 5869) makes of it a key and a nonce
 * for one message in one direction, and AES-256-GCM (NIST SP 800-38D) seals that message. Session,
 * round, sender, recipient, transcript and context are bound twice, by the key and as associated
 * data: what is reflected, swapped, replayed or changed does not open.
 */

import { aesGcmOpen, aesGcmSeal, hkdfSha256, sha256 } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import type { SecretBytes } from '../crypto/secret.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

/** What a sealed perturbation is bound to. */
export interface SealBinding {
  /** Identifies the run; never used for two runs. */
  readonly session: Uint8Array;
  readonly round: number;
  readonly sender: string;
  readonly recipient: string;
  /** Hash of what the cohort agreed on: parameters and roster. */
  readonly transcript: Uint8Array;
  /** Bytes that both ends must have alike; where they differ, nothing opens. */
  readonly context: Uint8Array;
}

/** Bytes by which a sealed message is longer. */
export const SEAL_OVERHEAD = 16;

/**
 * Seals the one message of this direction of this pair: the nonce comes with the key, so a second
 * message under the same binding and secret would break both.
 */
export function sealPerturbation(
  pairSecret: SecretBytes,
  binding: SealBinding,
  plaintext: Uint8Array,
): Uint8Array {
  return withMessageKey(pairSecret, binding, (key, nonce, bound) =>
    aesGcmSeal(key, nonce, bound, plaintext),
  );
}

/** The plaintext, or nothing where it was sealed otherwise than the binding says. */
export function openPerturbation(
  pairSecret: SecretBytes,
  binding: SealBinding,
  sealed: Uint8Array,
): Uint8Array | undefined {
  return withMessageKey(pairSecret, binding, (key, nonce, bound) =>
    aesGcmOpen(key, nonce, bound, sealed),
  );
}

function withMessageKey<T>(
  pairSecret: SecretBytes,
  { session, round, sender, recipient, transcript, context }: SealBinding,
  use: (key: Uint8Array, nonce: Uint8Array, bound: Uint8Array) => T,
): T {
  const bound = new ByteWriter()
    .bytes(session)
    .uint32(round)
    .text(sender)
    .text(recipient)
    .bytes(transcript)
    .bytes(context)
    .finish();
  const info = sha256(bound);
  const derived = hkdfSha256(pairSecret, { salt: SALT, info, length: KEY_BYTES + NONCE_BYTES });
  try {
    const bytes = derived.reveal();
    return use(bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES), bound);
  } finally {
    derived.erase();
  }
}

const SALT = utf8('fedloom perturbation v1');
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
