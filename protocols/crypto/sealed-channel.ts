/**
 * @file Sealed one-way channels between placements, as in a grid of channels: for each ordered pair
 * (from, to) one sending end and one receiving end.
 *
 * Every message is bound to session, sender, recipient and sequence number, so whoever relays them
 * can drop messages but not replay, swap, reflect or reorder them unseen.
 */

import { randomBytes } from '#crypto';
import { ProtocolError } from '../errors.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { utf8 } from './bytes.ts';
import { open, type SealedMessage, seal } from './hpke.ts';
import type { Rng, X25519KeyPair } from './interface.ts';

export interface ChannelName {
  /** The same bytes at both ends, never used for two runs. */
  readonly session: Uint8Array;
  /** For example `clients/3`. */
  readonly from: string;
  /** For example `aggregator/0`. */
  readonly to: string;
}

export interface SealedEnvelope extends SealedMessage {
  readonly kind: 'sealed-envelope';
  readonly from: string;
  readonly to: string;
  /** 0, 1, 2, … on one channel. */
  readonly sequence: number;
}

export interface SendingOptions {
  readonly recipientPublicKey: Uint8Array;
  /** The sender's own keys; with them the recipient can tell who sent (RFC 9180, mode_auth). */
  readonly senderKeys?: X25519KeyPair;
  /** @default the platform's `randomBytes` */
  readonly rng?: Rng;
}

export interface ReceivingOptions {
  readonly recipientKeys: X25519KeyPair;
  /** Must be given where the sender authenticates, and refuses senders that do not. */
  readonly senderPublicKey?: Uint8Array;
}

export interface SendingChannel {
  /** Seals the next message. Calls may overlap; each has its own sequence number. */
  seal(plaintext: Uint8Array): Promise<SealedEnvelope>;
}

export interface ReceivingChannel {
  /**
   * Opens a message newer than any opened before; a gap (a lost message) is allowed.
   * @throws ProtocolError `wrong-channel`, `replayed-message`, `open-failed`
   */
  open(envelope: SealedEnvelope): Promise<Uint8Array>;
}

export function sendingChannel(channel: ChannelName, options: SendingOptions): SendingChannel {
  const { recipientPublicKey, senderKeys, rng = randomBytes } = options;
  let nextSequence = 0;
  return {
    async seal(plaintext) {
      const sequence = nextSequence;
      nextSequence += 1;
      const sealed = await seal(recipientPublicKey, {
        info: INFO,
        aad: bindingOf(channel, sequence),
        plaintext,
        rng,
        ...(senderKeys === undefined ? {} : { senderKeys }),
      });
      return { kind: 'sealed-envelope', from: channel.from, to: channel.to, sequence, ...sealed };
    },
  };
}

export function receivingChannel(
  channel: ChannelName,
  options: ReceivingOptions,
): ReceivingChannel {
  const { recipientKeys, senderPublicKey } = options;
  let lastOpened = -1;
  return {
    async open(envelope) {
      const { from, to, sequence } = envelope;
      if (from !== channel.from || to !== channel.to) {
        throw new ProtocolError(
          'wrong-channel',
          `a message from "${from}" to "${to}" came on the channel from "${channel.from}" to "${channel.to}"`,
        );
      }
      refuseReplay(sequence);
      const plaintext = await open(recipientKeys, {
        info: INFO,
        aad: bindingOf(channel, sequence),
        sealed: envelope,
        ...(senderPublicKey === undefined ? {} : { senderPublicKey }),
      });
      // Checked again: another call may have opened this or a later message in the meantime. Only
      // a message that opened counts, or a forged high number would shut the channel.
      refuseReplay(sequence);
      lastOpened = sequence;
      return plaintext;
    },
  };

  function refuseReplay(sequence: number): void {
    if (!Number.isSafeInteger(sequence) || sequence <= lastOpened) {
      throw new ProtocolError(
        'replayed-message',
        `message ${sequence} from "${channel.from}" came after message ${lastOpened} was opened`,
      );
    }
  }
}

function bindingOf({ session, from, to }: ChannelName, sequence: number): Uint8Array {
  return new ByteWriter().bytes(session).text(from).text(to).uint64(BigInt(sequence)).finish();
}

const INFO = utf8('fedloom sealed channel v1');
