/**
 * @file The messages of a Paillier secure sum, and their bytes.
 *
 * Signatures say whose a ciphertext is and for which sum. They do not hide it: whoever holds the key
 * can read what is not masked, so the channel that carries an input must be sealed for its receiver
 * (see `crypto/sealed-channel.ts`).
 */

import { sha256 } from '#crypto';
import { type ByteReader, malformed } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import {
  type DecodingLimits,
  IDENTITY_LIMIT,
  type MessageCodec,
  messageCodec,
} from '../wire/message-codec.ts';
import { readUnsigned, writeUnsigned } from '../wire/unsigned.ts';

/** One run of the protocol; the same bytes for all roles, never used twice. */
export interface PaillierSession {
  /** 16 to 64 bytes. */
  readonly session: Uint8Array;
  readonly round: number;
}

/** What everything that belongs to one sum agrees on. Each hash has 32 bytes. */
export interface SumHeader extends PaillierSession {
  /** `fingerprint` of the key. */
  readonly key: Uint8Array;
  /** `hash` of the packing plan. */
  readonly plan: Uint8Array;
  /** `hash` of the identities. */
  readonly roster: Uint8Array;
}

/** Key holder to everybody; see `handleAnnouncedKey`. */
export interface AnnouncedKey extends PaillierSession {
  readonly kind: 'announced-key';
  readonly holder: string;
  readonly n: bigint;
  /** That n is well-formed; empty where its maker cannot prove it. */
  readonly proof: Uint8Array;
  /** By the holder, 64 bytes. */
  readonly signature: Uint8Array;
}

/** Client to aggregator, or, with masked values, to a key holder that adds itself. */
export interface EncryptedInput extends SumHeader {
  readonly kind: 'encrypted-input';
  readonly client: string;
  /** The client agrees to no sum of fewer. */
  readonly minimumClients: number;
  /** SHA-256 of the client's context, 32 bytes. */
  readonly contextHash: Uint8Array;
  /** SHA-256 of the seed of the client's mask, or zeros where it added none; 32 bytes. */
  readonly maskCommitment: Uint8Array;
  /** Fixed-length ciphertexts, one after the other. */
  readonly ciphertexts: Uint8Array;
  /** By the client, of all but the ciphertexts themselves, whose hash it signs; 64 bytes. */
  readonly signature: Uint8Array;
}

/** Client to mask keeper. With the same signature as the input that it belongs to. */
export interface InputMask extends SumHeader {
  readonly kind: 'input-mask';
  readonly client: string;
  readonly minimumClients: number;
  readonly contextHash: Uint8Array;
  /** SHA-256, 32 bytes. */
  readonly ciphertextsHash: Uint8Array;
  /** 32 bytes, from which the mask is expanded. */
  readonly seed: Uint8Array;
  readonly signature: Uint8Array;
}

/** One of the inputs in a sum, by what its client signed. */
export interface ListedInput {
  readonly client: string;
  readonly minimumClients: number;
  /** SHA-256, 32 bytes. */
  readonly ciphertextsHash: Uint8Array;
  readonly signature: Uint8Array;
}

/** Aggregator to server, or, masked, server to key holder. */
export interface EncryptedSum extends SumHeader {
  readonly kind: 'encrypted-sum';
  /** Whether a uniform mask was added, so that decryption tells the key holder nothing. */
  readonly masked: boolean;
  readonly contextHash: Uint8Array;
  /** Whose inputs are in the sum. */
  readonly inputs: readonly ListedInput[];
  readonly ciphertexts: Uint8Array;
}

/** Mask keeper to server: the sum of the masks of those clients. */
export interface MaskSum extends SumHeader {
  readonly kind: 'mask-sum';
  readonly clients: readonly string[];
  /** Fixed-length integers in [0, n), one for each plaintext. */
  readonly masks: Uint8Array;
}

/** Key holder to server. */
export interface DecryptedSum extends SumHeader {
  readonly kind: 'decrypted-sum';
  readonly clients: readonly string[];
  /** Fixed-length plaintexts in [0, n), one after the other. */
  readonly plaintexts: Uint8Array;
  /** Shows whoever has the ciphertexts that these are their plaintexts; see `verifyDecryption`. */
  readonly root: bigint;
}

export function hashContext(context: Uint8Array | undefined): Uint8Array {
  return sha256(context ?? new Uint8Array(0));
}

export const announcedKeyCodec: MessageCodec<AnnouncedKey> = messageCodec(
  { name: 'announced key', protocol: 2, message: 1, version: 2 },
  (writer, message) => {
    writeSession(writer, message).text(message.holder);
    writeUnsigned(writer, message.n);
    writer.bytes(message.proof).raw(message.signature);
  },
  (reader, limits) => ({
    kind: 'announced-key',
    ...readSession(reader),
    holder: reader.text(IDENTITY_LIMIT),
    n: readUnsigned(reader, LARGEST_KEY_BITS),
    proof: reader.bytes(limits.messageBytes),
    signature: reader.raw(SIGNATURE_BYTES),
  }),
);

export const encryptedInputCodec: MessageCodec<EncryptedInput> = messageCodec(
  { name: 'encrypted input', protocol: 2, message: 2, version: 2 },
  (writer, message) => {
    writeHeader(writer, message).text(message.client).uint32(message.minimumClients);
    writer.raw(message.contextHash).raw(message.maskCommitment);
    writer.bytes(message.ciphertexts).raw(message.signature);
  },
  (reader, limits) => ({
    kind: 'encrypted-input',
    ...readHeader(reader),
    client: reader.text(IDENTITY_LIMIT),
    minimumClients: reader.uint32(),
    contextHash: reader.raw(HASH_BYTES),
    maskCommitment: reader.raw(HASH_BYTES),
    ciphertexts: reader.bytes(limits.messageBytes),
    signature: reader.raw(SIGNATURE_BYTES),
  }),
);

export const inputMaskCodec: MessageCodec<InputMask> = messageCodec(
  { name: 'input mask', protocol: 2, message: 5, version: 1 },
  (writer, message) => {
    writeHeader(writer, message).text(message.client).uint32(message.minimumClients);
    writer.raw(message.contextHash).raw(message.ciphertextsHash).raw(message.seed);
    writer.raw(message.signature);
  },
  (reader) => ({
    kind: 'input-mask',
    ...readHeader(reader),
    client: reader.text(IDENTITY_LIMIT),
    minimumClients: reader.uint32(),
    contextHash: reader.raw(HASH_BYTES),
    ciphertextsHash: reader.raw(HASH_BYTES),
    seed: reader.raw(SEED_BYTES),
    signature: reader.raw(SIGNATURE_BYTES),
  }),
);

export const encryptedSumCodec: MessageCodec<EncryptedSum> = messageCodec(
  { name: 'encrypted sum', protocol: 2, message: 3, version: 2 },
  (writer, message) => {
    writeHeader(writer, message)
      .uint8(message.masked ? 1 : 0)
      .raw(message.contextHash)
      .uint32(message.inputs.length);
    for (const { client, minimumClients, ciphertextsHash, signature } of message.inputs) {
      writer.text(client).uint32(minimumClients).raw(ciphertextsHash).raw(signature);
    }
    writer.bytes(message.ciphertexts);
  },
  (reader, limits) => {
    const header = readHeader(reader);
    const flag = reader.uint8();
    if (flag > 1) throw malformed(`a flag of ${flag}`);
    const contextHash = reader.raw(HASH_BYTES);
    const count = reader.count(limits.clients, 8 + HASH_BYTES + SIGNATURE_BYTES);
    const inputs = Array.from({ length: count }, () => ({
      client: reader.text(IDENTITY_LIMIT),
      minimumClients: reader.uint32(),
      ciphertextsHash: reader.raw(HASH_BYTES),
      signature: reader.raw(SIGNATURE_BYTES),
    }));
    return {
      kind: 'encrypted-sum',
      ...header,
      masked: flag === 1,
      contextHash,
      inputs,
      ciphertexts: reader.bytes(limits.messageBytes),
    };
  },
);

export const maskSumCodec: MessageCodec<MaskSum> = messageCodec(
  { name: 'mask sum', protocol: 2, message: 6, version: 1 },
  (writer, message) => {
    writeClients(writeHeader(writer, message), message.clients).bytes(message.masks);
  },
  (reader, limits) => ({
    kind: 'mask-sum',
    ...readHeader(reader),
    clients: readClients(reader, limits),
    masks: reader.bytes(limits.messageBytes),
  }),
);

export const decryptedSumCodec: MessageCodec<DecryptedSum> = messageCodec(
  { name: 'decrypted sum', protocol: 2, message: 4, version: 2 },
  (writer, message) => {
    writeClients(writeHeader(writer, message), message.clients).bytes(message.plaintexts);
    writeUnsigned(writer, message.root);
  },
  (reader, limits) => ({
    kind: 'decrypted-sum',
    ...readHeader(reader),
    clients: readClients(reader, limits),
    plaintexts: reader.bytes(limits.messageBytes),
    root: readUnsigned(reader, LARGEST_KEY_BITS),
  }),
);

function writeSession(writer: ByteWriter, { session, round }: PaillierSession): ByteWriter {
  return writer.bytes(session).uint32(round);
}

function readSession(reader: ByteReader): { session: Uint8Array; round: number } {
  return { session: reader.bytes(IDENTITY_LIMIT), round: reader.uint32() };
}

function writeHeader(writer: ByteWriter, header: SumHeader): ByteWriter {
  return writeSession(writer, header).raw(header.key).raw(header.plan).raw(header.roster);
}

function readHeader(reader: ByteReader): SumHeader {
  return {
    ...readSession(reader),
    key: reader.raw(HASH_BYTES),
    plan: reader.raw(HASH_BYTES),
    roster: reader.raw(HASH_BYTES),
  };
}

function writeClients(writer: ByteWriter, clients: readonly string[]): ByteWriter {
  writer.uint32(clients.length);
  for (const client of clients) writer.text(client);
  return writer;
}

function readClients(reader: ByteReader, limits: Required<DecodingLimits>): string[] {
  const count = reader.count(limits.clients, 4);
  return Array.from({ length: count }, () => reader.text(IDENTITY_LIMIT));
}

const LARGEST_KEY_BITS = 16_384;
export const HASH_BYTES = 32;
export const SEED_BYTES = 32;
const SIGNATURE_BYTES = 64;
