/** @file The three messages of pairwise masking, and their bytes. */

import { sha256 } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import { packedLength, packResidues, unpackResidues } from '../residues/bit-packing.ts';
import type { Residues } from '../residues/residues.ts';
import { type ByteReader, malformed } from '../wire/byte-reader.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import {
  type DecodingLimits,
  IDENTITY_LIMIT,
  type MessageCodec,
  messageCodec,
} from '../wire/message-codec.ts';
import { readUnsigned, writeUnsigned } from '../wire/unsigned.ts';
import { type MaskingParameters, readParameters, writeParameters } from './parameters.ts';

/** Client to server: the public key of this round. */
export interface AdvertisedKey {
  readonly kind: 'advertised-key';
  readonly session: Uint8Array;
  readonly round: number;
  readonly client: string;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface RosterEntry {
  readonly client: string;
  readonly publicKey: Uint8Array;
}

/** Server to every client: who takes part. */
export interface Roster {
  readonly kind: 'roster';
  readonly session: Uint8Array;
  readonly round: number;
  readonly entries: readonly RosterEntry[];
}

/** Client to server: its vectors under all its masks. */
export interface MaskedInput {
  readonly kind: 'masked-input';
  readonly session: Uint8Array;
  readonly round: number;
  readonly client: string;
  /** SHA-256 of parameters and roster as this client saw them. */
  readonly transcript: Uint8Array;
  /** SHA-256 of the context this client bound its masks to. */
  readonly contextHash: Uint8Array;
  /** In the order of the parameters. */
  readonly vectors: readonly Residues[];
}

/** What the masks of a round are bound to besides the pair; the order of the entries counts not. */
export function transcriptHash(parameters: MaskingParameters, roster: Roster): Uint8Array {
  const writer = new ByteWriter().raw(utf8('fedloom masking transcript v1'));
  writeParameters(writer, parameters);
  const entries = [...roster.entries].sort((a, b) => (a.client < b.client ? -1 : 1));
  for (const { client, publicKey } of entries) writer.text(client).bytes(publicKey);
  return sha256(writer.finish());
}

export const advertisedKeyCodec: MessageCodec<AdvertisedKey> = messageCodec(
  { name: 'advertised key', protocol: 1, message: 1, version: 1 },
  (writer, message) => {
    writeHeading(writer, message);
    writer.text(message.client).raw(message.publicKey);
  },
  (reader) => ({
    kind: 'advertised-key',
    ...readHeading(reader),
    client: reader.text(IDENTITY_LIMIT),
    publicKey: reader.raw(32),
  }),
);

export const rosterCodec: MessageCodec<Roster> = messageCodec(
  { name: 'roster', protocol: 1, message: 2, version: 1 },
  (writer, message) => {
    writeHeading(writer, message);
    writer.uint32(message.entries.length);
    for (const { client, publicKey } of message.entries) writer.text(client).raw(publicKey);
  },
  (reader, limits) => {
    const heading = readHeading(reader);
    const count = reader.count(limits.clients, 36);
    const entries = Array.from({ length: count }, () => ({
      client: reader.text(IDENTITY_LIMIT),
      publicKey: reader.raw(32),
    }));
    return { kind: 'roster', ...heading, entries };
  },
);

export const maskedInputCodec: MessageCodec<MaskedInput> = messageCodec(
  { name: 'masked input', protocol: 1, message: 3, version: 1 },
  (writer, message) => {
    writeHeading(writer, message);
    writer.text(message.client).raw(message.transcript).raw(message.contextHash);
    writer.uint32(message.vectors.length);
    for (const vector of message.vectors) writeResidues(writer, vector);
  },
  (reader, limits) => {
    const heading = readHeading(reader);
    const client = reader.text(IDENTITY_LIMIT);
    const transcript = reader.raw(32);
    const contextHash = reader.raw(32);
    const count = reader.count(limits.vectors, 7);
    let values = limits.values;
    const vectors = Array.from({ length: count }, () => {
      const vector = readResidues(reader, { ...limits, values });
      values -= vector.values.length;
      return vector;
    });
    return { kind: 'masked-input', ...heading, client, transcript, contextHash, vectors };
  },
);

/** The agreement itself, for a server that announces it. */
export const parametersCodec: MessageCodec<MaskingParameters> = messageCodec(
  { name: 'masking parameters', protocol: 1, message: 4, version: 1 },
  writeParameters,
  readParameters,
);

function writeHeading(
  writer: ByteWriter,
  { session, round }: { readonly session: Uint8Array; readonly round: number },
): void {
  writer.bytes(session).uint32(round);
}

function readHeading(reader: ByteReader): { session: Uint8Array; round: number } {
  return { session: reader.bytes(IDENTITY_LIMIT), round: reader.uint32() };
}

function writeResidues(writer: ByteWriter, residues: Residues): void {
  writeUnsigned(writer, residues.modulus);
  writer.uint32(residues.values.length).raw(packResidues(residues));
}

function readResidues(reader: ByteReader, limits: Required<DecodingLimits>): Residues {
  const modulus = readUnsigned(reader, limits.modulusBits);
  const length = reader.uint32();
  if (modulus < 2n || length > limits.values) throw malformed(`a vector of ${length} values`);
  return unpackResidues(reader.raw(packedLength(modulus, length)), modulus, length);
}
