/**
 * @file The messages of a Paillier secure sum, and their bytes.
 *
 * Nothing in a ciphertext ties it to a client or a session: the channel that carries it must
 * (seal it, see `crypto/sealed-channel.ts`).
 */

import { sha256 } from '#crypto';
import { bigIntFromBytes, bigIntToBytes, concatBytes } from '../crypto/bytes.ts';
import { type ByteReader, malformed } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { IDENTITY_LIMIT, type MessageCodec, messageCodec } from '../wire/message-codec.ts';
import { readUnsigned, writeUnsigned } from '../wire/unsigned.ts';
import { PaillierError } from './errors.ts';
import type { PaillierPublicKey } from './public-key.ts';

/** One run of the protocol; the same bytes for all roles, never used twice. */
export interface PaillierSession {
  /** 16 to 64 bytes. */
  readonly session: Uint8Array;
  readonly round: number;
}

/** Key holder to everybody. The receiver passes it to `importPublicKey`. */
export interface AnnouncedKey extends PaillierSession {
  readonly kind: 'announced-key';
  readonly n: bigint;
}

/** Client to aggregator. */
export interface EncryptedInput extends PaillierSession {
  readonly kind: 'encrypted-input';
  readonly client: string;
  /** `fingerprint` of the key, 32 bytes. */
  readonly key: Uint8Array;
  /** `hash` of the packing plan, 32 bytes. */
  readonly plan: Uint8Array;
  /** SHA-256 of the client's context, 32 bytes. */
  readonly contextHash: Uint8Array;
  /** Fixed-length ciphertexts, one after the other. */
  readonly ciphertexts: Uint8Array;
}

/** Aggregator to server, or, masked, server to key holder. */
export interface EncryptedSum extends PaillierSession {
  readonly kind: 'encrypted-sum';
  /** Whether a uniform mask was added, so that decryption tells the key holder nothing. */
  readonly masked: boolean;
  /** Whose inputs are in the sum. */
  readonly clients: readonly string[];
  readonly key: Uint8Array;
  readonly plan: Uint8Array;
  readonly ciphertexts: Uint8Array;
}

/** Key holder to server. */
export interface DecryptedSum extends PaillierSession {
  readonly kind: 'decrypted-sum';
  readonly key: Uint8Array;
  readonly plan: Uint8Array;
  /** Fixed-length plaintexts in [0, n), one after the other. */
  readonly plaintexts: Uint8Array;
}

export function hashContext(context: Uint8Array | undefined): Uint8Array {
  return sha256(context ?? new Uint8Array(0));
}

export function encodePlaintexts(
  { plaintextBytes }: PaillierPublicKey,
  plaintexts: readonly bigint[],
): Uint8Array {
  return concatBytes(...plaintexts.map((value) => bigIntToBytes(value, plaintextBytes)));
}

/** @throws PaillierError `invalid-plaintext` */
export function decodePlaintexts(
  { n, plaintextBytes }: PaillierPublicKey,
  bytes: Uint8Array,
  count: number,
): bigint[] {
  if (bytes.length !== count * plaintextBytes) {
    throw new PaillierError(
      'invalid-plaintext',
      `${count} plaintexts take ${count * plaintextBytes} bytes, got ${bytes.length}`,
    );
  }
  return Array.from({ length: count }, (_, i) => {
    const value = bigIntFromBytes(bytes.subarray(i * plaintextBytes, (i + 1) * plaintextBytes));
    if (value >= n) throw new PaillierError('invalid-plaintext', `plaintext ${i} is not below n`);
    return value;
  });
}

export const announcedKeyCodec: MessageCodec<AnnouncedKey> = messageCodec(
  { name: 'announced key', protocol: 2, message: 1, version: 1 },
  (writer, message) => writeUnsigned(writeSession(writer, message), message.n),
  (reader) => ({
    kind: 'announced-key',
    ...readSession(reader),
    n: readUnsigned(reader, LARGEST_KEY_BITS),
  }),
);

export const encryptedInputCodec: MessageCodec<EncryptedInput> = messageCodec(
  { name: 'encrypted input', protocol: 2, message: 2, version: 1 },
  (writer, message) => {
    writeSession(writer, message).text(message.client).raw(message.key).raw(message.plan);
    writer.raw(message.contextHash).bytes(message.ciphertexts);
  },
  (reader, limits) => ({
    kind: 'encrypted-input',
    ...readSession(reader),
    client: reader.text(IDENTITY_LIMIT),
    key: reader.raw(32),
    plan: reader.raw(32),
    contextHash: reader.raw(32),
    ciphertexts: reader.bytes(limits.messageBytes),
  }),
);

export const encryptedSumCodec: MessageCodec<EncryptedSum> = messageCodec(
  { name: 'encrypted sum', protocol: 2, message: 3, version: 1 },
  (writer, message) => {
    writeSession(writer, message)
      .uint8(message.masked ? 1 : 0)
      .uint32(message.clients.length);
    for (const client of message.clients) writer.text(client);
    writer.raw(message.key).raw(message.plan).bytes(message.ciphertexts);
  },
  (reader, limits) => {
    const session = readSession(reader);
    const flag = reader.uint8();
    if (flag > 1) throw malformed(`a flag of ${flag}`);
    const count = reader.count(limits.clients, 4);
    const clients = Array.from({ length: count }, () => reader.text(IDENTITY_LIMIT));
    return {
      kind: 'encrypted-sum',
      ...session,
      masked: flag === 1,
      clients,
      key: reader.raw(32),
      plan: reader.raw(32),
      ciphertexts: reader.bytes(limits.messageBytes),
    };
  },
);

export const decryptedSumCodec: MessageCodec<DecryptedSum> = messageCodec(
  { name: 'decrypted sum', protocol: 2, message: 4, version: 1 },
  (writer, message) => {
    writeSession(writer, message).raw(message.key).raw(message.plan).bytes(message.plaintexts);
  },
  (reader, limits) => ({
    kind: 'decrypted-sum',
    ...readSession(reader),
    key: reader.raw(32),
    plan: reader.raw(32),
    plaintexts: reader.bytes(limits.messageBytes),
  }),
);

function writeSession(writer: ByteWriter, { session, round }: PaillierSession): ByteWriter {
  return writer.bytes(session).uint32(round);
}

function readSession(reader: ByteReader): { session: Uint8Array; round: number } {
  return { session: reader.bytes(IDENTITY_LIMIT), round: reader.uint32() };
}

const LARGEST_KEY_BITS = 16_384;
