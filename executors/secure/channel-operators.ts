/**
 * @file Sealed channels from one party to another, through a server that must not read them: HPKE
 * (RFC 9180) on the channels of a grid, one for each pair of placements.
 */

import { structOf } from '../../computations/types/index.ts';
import {
  equalBytes,
  generateRecipientKeys,
  type Rng,
  receivingChannel,
  type SealedEnvelope,
  sendingChannel,
  type X25519KeyPair,
} from '../../protocols/index.ts';
import { malformed } from '../../protocols/wire/byte-reader.ts';
import { type MessageCodec, messageCodec } from '../../protocols/wire/message-codec.ts';
import { opaqueKind } from '../leaf/opaque.ts';
import { type Operator, operatorStruct } from '../leaf/operator.ts';
import { defineOperator } from './define-operator.ts';
import { decoded, faultError, protocolError } from './faults.ts';
import { BYTES, bytesValue } from './participant.ts';

/** How messages from one placement to another travel. */
export type ChannelKind = 'sealed' | 'plaintext';

/**
 * How messages travel between placements, by `from->to`.
 * @example { 'clients->aggregator': 'sealed' }
 */
export type ChannelGrid = { readonly [channel: `${string}->${string}`]: ChannelKind };

/** The key pair with which a party opens what is sealed for it, and what it was used for. */
export interface HeldChannelKeys {
  readonly keys: X25519KeyPair;
  /** By session, in hexadecimal: the one use for which its messages are opened. */
  readonly sessions: Map<string, symbol>;
}

export const channelKeys = opaqueKind<HeldChannelKeys>('channel_keys');

/** Type of what `channel_key_pair` returns: the keys, and the public one as bytes. */
export const CHANNEL_KEY_PAIR = structOf([
  { name: null, type: channelKeys.type },
  { name: null, type: BYTES },
]);

/** `channel_key_pair`: makes the keys of a receiving party, or takes the ones it was given. */
export function channelKeyOperator(injected?: X25519KeyPair): Operator {
  // The same keys have one record of their uses, however often they are asked for.
  const given =
    injected === undefined ? undefined : { keys: injected, sessions: new Map<string, symbol>() };
  return defineOperator({
    uri: 'channel_key_pair',
    signature: '( -> <channel_keys,uint8[?]>)',
    purity: 'random',
    run: async (_args, { random }) => {
      if (given !== undefined) {
        return operatorStruct(channelKeys.wrap(given), bytesValue(given.keys.publicKey));
      }
      const keys = await generateRecipientKeys(random as Rng);
      const held = channelKeys.wrap({ keys, sessions: new Map() }, () => keys.secretKey.erase());
      return operatorStruct(held, bytesValue(keys.publicKey));
    },
  });
}

export interface Route {
  readonly session: Uint8Array;
  readonly from: string;
  readonly to: string;
}

/**
 * Bytes for `to`, which only the holder of its keys can open, and only as from `from` in `session`.
 * @throws ProtocolAbortError if the recipient's key is none.
 */
export async function sealFor(
  route: Route,
  recipientPublicKey: Uint8Array,
  plaintext: Uint8Array,
  rng: Rng,
): Promise<Uint8Array> {
  try {
    const sealed = await sendingChannel(route, { recipientPublicKey, rng }).seal(plaintext);
    return envelopeCodec.encode(sealed);
  } catch (error) {
    throw protocolError('seal', error);
  }
}

/**
 * What was sealed by `sealFor` for this route.
 * @throws ProtocolAbortError if it was sealed for another party or session, or changed on its way.
 */
export async function openFrom(
  route: Route,
  recipientKeys: X25519KeyPair,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  const envelope = decoded(envelopeCodec.decode(sealed), route.from);
  try {
    return await receivingChannel(route, { recipientKeys }).open(envelope);
  } catch (error) {
    throw faultError({
      kind: 'fault',
      stage: 'open',
      code: 'open-failed',
      offender: route.from,
      message: error instanceof Error ? error.message : String(error),
    });
  }
}

/**
 * A client that knows the recipient's key beforehand accepts no other from the server.
 * @throws ProtocolAbortError
 */
export function requirePinnedKey(
  given: Uint8Array,
  pinned: Uint8Array | undefined,
  whose: string,
): void {
  if (pinned === undefined || equalBytes(given, pinned)) return;
  throw faultError({
    kind: 'fault',
    stage: 'keys',
    code: 'wrong-key',
    offender: whose,
    message: `the server passed on another key of ${whose} than the one this client was configured with`,
  });
}

/** What travels between `sealFor` and `openFrom`. */
export const envelopeCodec: MessageCodec<SealedEnvelope> = messageCodec(
  { name: 'sealed envelope', protocol: 0, message: 2, version: 1 },
  (writer, { from, to, sequence, encapsulatedKey, ciphertext }) => {
    writer.text(from).text(to).uint32(sequence).raw(encapsulatedKey).bytes(ciphertext);
  },
  (reader, limits) => {
    const from = reader.text(256);
    const to = reader.text(256);
    if (from === to) throw malformed('a message to its sender');
    const sequence = reader.uint32();
    return {
      kind: 'sealed-envelope',
      from,
      to,
      sequence,
      encapsulatedKey: reader.raw(32),
      ciphertext: reader.bytes(limits.messageBytes),
    };
  },
);
