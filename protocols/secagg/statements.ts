/**
 * @file What is signed, authenticated or hashed in a round, each under a domain of its own, and the
 * keys of the channel between two clients.
 */

import { aesGcmOpen, aesGcmSeal, equalBytes, hkdfSha256, hmacSha256, sha256 } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import type { SecretBytes } from '../crypto/secret.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import type { Bitmap } from './bitmap.ts';

/** Bytes of an `included` or `ack` tag and of a commitment to a share. */
export const TAG_LENGTH = 16;

/** What a client signs when it advertises its keys, and a leaf of the tree over all of them. */
export function advertisementStatement(
  agreement: Uint8Array,
  client: number,
  channelKey: Uint8Array,
  maskKey: Uint8Array,
): Uint8Array {
  return new ByteWriter()
    .raw(ADVERTISEMENT)
    .raw(agreement)
    .uint16(client)
    .raw(channelKey)
    .raw(maskKey)
    .finish();
}

/** What the consistency check signs (Bonawitz et al. 2017, figure 4, round 3): this survivor set. */
export function survivorsStatement(transcript: Uint8Array, survivors: Bitmap): Uint8Array {
  return new ByteWriter()
    .raw(SURVIVORS)
    .raw(transcript)
    .uint32(survivors.size)
    .raw(survivors.bytes)
    .finish();
}

/** Everything fixed before secrets are shared: the agreement and all advertised keys. */
export function transcriptHash(agreement: Uint8Array, root: Uint8Array): Uint8Array {
  return sha256(new ByteWriter().raw(TRANSCRIPT).raw(agreement).raw(root).finish());
}

/** Binds a client to the seed of its self mask, without showing it: a seed has 255 bits. */
export function seedCommitment(
  transcript: Uint8Array,
  client: number,
  seed: SecretBytes,
): Uint8Array {
  return hashSecret(SEED, transcript, [client], seed.reveal());
}

export type ShareKind = 'mask-key' | 'self-mask';

/** Binds a client to what it dealt, so that a share that is wrong later is its holder's fault. */
export function shareCommitment(
  transcript: Uint8Array,
  kind: ShareKind,
  dealer: number,
  holder: number,
  share: Uint8Array,
): Uint8Array {
  const place = [kind === 'mask-key' ? 1 : 2, dealer, holder];
  return hashSecret(SHARE, transcript, place, share).subarray(0, TAG_LENGTH);
}

function hashSecret(
  domain: Uint8Array,
  transcript: Uint8Array,
  place: readonly number[],
  secret: Uint8Array,
): Uint8Array {
  const writer = new ByteWriter().raw(domain).raw(transcript);
  for (const number of place) writer.uint16(number);
  const bytes = writer.raw(secret).finish();
  const hash = sha256(bytes);
  bytes.fill(0);
  return hash;
}

/**
 * The channel between two clients through the server: one key for each direction and purpose, from
 * the secret that they share and everything that was fixed before. A key seals one message.
 */
export interface PairChannel {
  seal(plaintext: Uint8Array): Uint8Array;
  /** @returns `undefined` if it was not sealed by the peer, for this client, in this round. */
  open(sealed: Uint8Array): Uint8Array | undefined;
  /** States something to the peer; only these two can make the tag. */
  tag(statement: PairStatement): Uint8Array;
  tagHolds(statement: PairStatement, tag: Uint8Array): boolean;
}

/**
 * `included`: the sender masked its input with the recipient as a neighbour and sent it. `ack`: the
 * sender takes the recipient for a survivor, and so gives away no share of its mask key.
 */
export type PairStatement = 'included' | 'ack';

/** @param keys 96 bytes of `pairKeys` */
export function pairChannel(keys: SecretBytes, own: number, peer: number): PairChannel {
  const bytes = keys.reveal();
  const upwards = own < peer;
  const key = (toUpper: boolean, start: number, length: number): Uint8Array => {
    const offset = start + (toUpper ? 0 : length);
    return bytes.subarray(offset, offset + length);
  };
  const tag = (statement: PairStatement, toUpper: boolean): Uint8Array =>
    hmacSha256(key(toUpper, 32, 32), STATEMENTS[statement]).subarray(0, TAG_LENGTH);
  return {
    seal: (plaintext) => aesGcmSeal(key(upwards, 0, 16), NONCE, NOTHING, plaintext),
    open: (sealed) => aesGcmOpen(key(!upwards, 0, 16), NONCE, NOTHING, sealed),
    tag: (statement) => tag(statement, upwards),
    tagHolds: (statement, given) => equalBytes(tag(statement, !upwards), given),
  };
}

/**
 * Keys of a pair: 16 bytes to seal upwards (from the lower to the higher number) and downwards, 32
 * bytes to authenticate upwards and downwards. All that a message is bound to is in the derivation.
 */
export function pairKeys(
  shared: SecretBytes,
  transcript: Uint8Array,
  own: number,
  peer: number,
): SecretBytes {
  const [low, high] = own < peer ? [own, peer] : [peer, own];
  const info = new ByteWriter().raw(CHANNEL).raw(transcript).uint16(low).uint16(high).finish();
  return hkdfSha256(shared, { info, length: 96 });
}

const ADVERTISEMENT = utf8('fedloom secagg advertisement v1');
const SURVIVORS = utf8('fedloom secagg survivors v1');
const TRANSCRIPT = utf8('fedloom secagg transcript v1');
const SEED = utf8('fedloom secagg self mask v1');
const SHARE = utf8('fedloom secagg share v1');
const CHANNEL = utf8('fedloom secagg channel v1');
const STATEMENTS: { readonly [statement in PairStatement]: Uint8Array } = {
  included: utf8('fedloom secagg included v1'),
  ack: utf8('fedloom secagg ack v1'),
};
// A key of its own for every message: the nonce need not vary.
const NONCE = new Uint8Array(12);
const NOTHING = new Uint8Array(0);
