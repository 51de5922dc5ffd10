/**
 * @file The messages of secure aggregation with dropouts, and their bytes. Each names its session,
 * round and the client that sends or receives it. Sets travel as bitmaps over lists that both ends
 * know, so that what must not be said cannot be said.
 */

import { packedLength } from '../residues/bit-packing.ts';
import { type ByteReader, malformed } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { IDENTITY_LIMIT, type MessageCodec, messageCodec } from '../wire/message-codec.ts';
import { readUnsigned, writeUnsigned } from '../wire/unsigned.ts';
import { readAgreement, type SecAggAgreement, writeAgreement } from './agreement.ts';
import { Bitmap } from './bitmap.ts';
import { TAG_LENGTH } from './statements.ts';

/** What every message but the first begins with. */
export interface Heading {
  readonly session: Uint8Array;
  readonly round: number;
  /** The number of the client that sends, or is to receive, the message. */
  readonly client: number;
}

/** Server to client: take part in this, as client number `client`. */
export interface Announcement {
  readonly kind: 'announcement';
  readonly client: number;
  readonly agreement: SecAggAgreement;
}

export interface AdvertisedKeys {
  /** X25519, for sealing shares. */
  readonly channelKey: Uint8Array;
  /** X25519, for pairwise masks. */
  readonly maskKey: Uint8Array;
  /** Ed25519, 64 bytes; empty where nobody signs. */
  readonly signature: Uint8Array;
}

/** Client to server: its keys for this round. */
export interface Advertisement extends Heading, AdvertisedKeys {
  readonly kind: 'advertisement';
}

/** Server to client: who advertised, and the root of the tree over all they sent. */
export interface Commitment extends Heading {
  readonly kind: 'commitment';
  readonly advertised: Bitmap;
  readonly root: Uint8Array;
}

/** Client to server: to whom it will give shares. */
export interface NeighbourChoice extends Heading {
  readonly kind: 'neighbour-choice';
  /** Ascending. */
  readonly neighbours: readonly number[];
}

export interface NeighbourKeys extends AdvertisedKeys {
  readonly client: number;
}

/** Server to client: the keys of its neighbours. */
export interface Neighbourhood extends Heading {
  readonly kind: 'neighbourhood';
  /** Everyone who advertised, or one's neighbours; without oneself; ascending. */
  readonly entries: readonly NeighbourKeys[];
  /** Which of the entries chose this client; no bits where clients do not choose. */
  readonly choosers: Bitmap;
  /** That the entries and one's own keys are leaves of the root; empty where there is none. */
  readonly proof: readonly Uint8Array[];
}

export interface SealedShare {
  /** Both shares, for the holder alone. */
  readonly sealed: Uint8Array;
  /** Commitments to the share of the mask key and of the self mask; empty but in the active model. */
  readonly commitments: Uint8Array;
}

/** Client to server: its shares, one for each neighbour that holds one, in ascending order. */
export interface SharedSecrets extends Heading {
  readonly kind: 'shared-secrets';
  readonly seedCommitment: Uint8Array;
  readonly shares: readonly SealedShare[];
}

/** Server to client: the shares that others dealt to it. */
export interface DealtShares extends Heading {
  readonly kind: 'dealt-shares';
  /** Which entries of the neighbourhood shared their secrets; masks are made with those. */
  readonly present: Bitmap;
  /** From those of them who dealt to this client, in ascending order. */
  readonly shares: readonly SealedShare[];
}

/** Client to server: its vectors under all its masks. */
export interface MaskedVectors extends Heading {
  readonly kind: 'masked-vectors';
  /** SHA-256 of the context that the masks were bound to. */
  readonly contextHash: Uint8Array;
  /** Dealers (in the order of their shares) whose share did not open or is not what they committed to. */
  readonly complaints: Bitmap;
  /** `included`, for each present holder of this client's shares; empty where it is not needed. */
  readonly included: readonly Uint8Array[];
  /** In the order of the agreement: ceil(log2 R) bits a value. */
  readonly vectors: readonly PackedVector[];
}

export interface PackedVector {
  readonly modulus: bigint;
  readonly length: number;
  readonly packed: Uint8Array;
}

/**
 * Server to client: who survived. One bit each: set means alive, and the client gives its share of
 * the self mask, clear means dropped, and it gives its share of the mask key. Both cannot be asked.
 */
export interface SurvivorSet extends Heading {
  readonly kind: 'survivor-set';
  /** Over the cohort (complete graph), or over the dealers whose shares this client holds. */
  readonly alive: Bitmap;
  /** `included` of each dealer that is alive, in order; empty where it is not needed. */
  readonly included: readonly Uint8Array[];
}

/** Client to server: it takes this set for the survivors. */
export interface Confirmation extends Heading {
  readonly kind: 'confirmation';
  /** Ed25519 over the set (complete graph), or one `ack` for each dealer that is alive. */
  readonly statements: readonly Uint8Array[];
}

/** Server to client: who else took the same set for the survivors. */
export interface Confirmations extends Heading {
  readonly kind: 'confirmations';
  /** Over the cohort (complete graph), or over the present holders of this client's shares. */
  readonly from: Bitmap;
  /** One of each, in order. */
  readonly statements: readonly Uint8Array[];
}

/** Client to server: for each dealer one share, of the kind that the survivor set asks for. */
export interface RevealedShares extends Heading {
  readonly kind: 'revealed-shares';
  /** Over the dealers in order, oneself last: whose share is here. */
  readonly given: Bitmap;
  readonly shares: readonly Uint8Array[];
}

/** Which protocol, in the frame of a message. */
const PROTOCOL = 5;

export const announcementCodec: MessageCodec<Announcement> = messageCodec(
  { name: 'announcement', protocol: PROTOCOL, message: 1, version: 1 },
  (writer, { client, agreement }) => writeAgreement(writer.uint16(client), agreement),
  (reader, limits) => ({
    kind: 'announcement',
    client: reader.uint16(),
    agreement: readAgreement(reader, limits),
  }),
);

export const advertisementCodec: MessageCodec<Advertisement> = messageCodec(
  { name: 'advertisement', protocol: PROTOCOL, message: 2, version: 1 },
  (writer, message) => writeKeys(writeHeading(writer, message), message),
  (reader) => ({ kind: 'advertisement', ...readHeading(reader), ...readKeys(reader) }),
);

export const commitmentCodec: MessageCodec<Commitment> = messageCodec(
  { name: 'commitment', protocol: PROTOCOL, message: 3, version: 1 },
  (writer, message) =>
    writeBitmap(writeHeading(writer, message), message.advertised).raw(message.root),
  (reader) => ({
    kind: 'commitment',
    ...readHeading(reader),
    advertised: readBitmap(reader),
    root: reader.raw(32),
  }),
);

export const neighbourChoiceCodec: MessageCodec<NeighbourChoice> = messageCodec(
  { name: 'neighbour choice', protocol: PROTOCOL, message: 4, version: 1 },
  (writer, message) => {
    writeHeading(writer, message).uint16(message.neighbours.length);
    for (const neighbour of message.neighbours) writer.uint16(neighbour);
  },
  (reader) => {
    const heading = readHeading(reader);
    const neighbours = list(reader, 2, () => reader.uint16());
    requireAscending(neighbours);
    return { kind: 'neighbour-choice', ...heading, neighbours };
  },
);

export const neighbourhoodCodec: MessageCodec<Neighbourhood> = messageCodec(
  { name: 'neighbourhood', protocol: PROTOCOL, message: 5, version: 1 },
  (writer, message) => {
    writeHeading(writer, message).uint16(message.entries.length);
    for (const entry of message.entries) writeKeys(writer.uint16(entry.client), entry);
    writeBitmap(writer, message.choosers);
    writeList(writer, message.proof);
  },
  (reader) => {
    const heading = readHeading(reader);
    const entries = list(reader, 67, () => ({ client: reader.uint16(), ...readKeys(reader) }));
    requireAscending(entries.map(({ client }) => client));
    const choosers = readBitmap(reader);
    const proof = list(reader, 32, () => reader.raw(32));
    return { kind: 'neighbourhood', ...heading, entries, choosers, proof };
  },
);

export const sharedSecretsCodec: MessageCodec<SharedSecrets> = messageCodec(
  { name: 'shared secrets', protocol: PROTOCOL, message: 6, version: 1 },
  (writer, message) =>
    writeShares(writeHeading(writer, message).raw(message.seedCommitment), message.shares),
  (reader) => ({
    kind: 'shared-secrets',
    ...readHeading(reader),
    seedCommitment: reader.raw(32),
    shares: readShares(reader),
  }),
);

export const dealtSharesCodec: MessageCodec<DealtShares> = messageCodec(
  { name: 'dealt shares', protocol: PROTOCOL, message: 7, version: 1 },
  (writer, message) =>
    writeShares(writeBitmap(writeHeading(writer, message), message.present), message.shares),
  (reader) => ({
    kind: 'dealt-shares',
    ...readHeading(reader),
    present: readBitmap(reader),
    shares: readShares(reader),
  }),
);

export const maskedVectorsCodec: MessageCodec<MaskedVectors> = messageCodec(
  { name: 'masked vectors', protocol: PROTOCOL, message: 8, version: 1 },
  (writer, message) => {
    writeBitmap(writeHeading(writer, message).raw(message.contextHash), message.complaints);
    writeTags(writer, message.included);
    writer.uint16(message.vectors.length);
    for (const { modulus, length, packed } of message.vectors) {
      writeUnsigned(writer, modulus);
      writer.uint32(length).raw(packed);
    }
  },
  (reader, limits) => {
    const heading = readHeading(reader);
    const contextHash = reader.raw(32);
    const complaints = readBitmap(reader);
    const included = readTags(reader);
    let values = 0;
    const vectors = list(reader, 6, () => {
      const modulus = readUnsigned(reader, limits.modulusBits);
      const length = reader.uint32();
      values += length;
      if (modulus < 2n || values > limits.values) throw malformed(`a vector of ${length} values`);
      return { modulus, length, packed: reader.raw(packedLength(modulus, length)) };
    });
    return { kind: 'masked-vectors', ...heading, contextHash, complaints, included, vectors };
  },
);

export const survivorSetCodec: MessageCodec<SurvivorSet> = messageCodec(
  { name: 'survivor set', protocol: PROTOCOL, message: 9, version: 1 },
  (writer, message) =>
    writeTags(writeBitmap(writeHeading(writer, message), message.alive), message.included),
  (reader) => ({
    kind: 'survivor-set',
    ...readHeading(reader),
    alive: readBitmap(reader),
    included: readTags(reader),
  }),
);

export const confirmationCodec: MessageCodec<Confirmation> = messageCodec(
  { name: 'confirmation', protocol: PROTOCOL, message: 10, version: 1 },
  (writer, message) => writeStatements(writeHeading(writer, message), message.statements),
  (reader) => ({
    kind: 'confirmation',
    ...readHeading(reader),
    statements: readStatements(reader),
  }),
);

export const confirmationsCodec: MessageCodec<Confirmations> = messageCodec(
  { name: 'confirmations', protocol: PROTOCOL, message: 11, version: 1 },
  (writer, message) =>
    writeStatements(writeBitmap(writeHeading(writer, message), message.from), message.statements),
  (reader) => ({
    kind: 'confirmations',
    ...readHeading(reader),
    from: readBitmap(reader),
    statements: readStatements(reader),
  }),
);

export const revealedSharesCodec: MessageCodec<RevealedShares> = messageCodec(
  { name: 'revealed shares', protocol: PROTOCOL, message: 12, version: 1 },
  (writer, message) =>
    writeList(writeBitmap(writeHeading(writer, message), message.given), message.shares),
  (reader) => ({
    kind: 'revealed-shares',
    ...readHeading(reader),
    given: readBitmap(reader),
    shares: list(reader, 32, () => reader.raw(32)),
  }),
);

function writeHeading(writer: ByteWriter, { session, round, client }: Heading): ByteWriter {
  return writer.bytes(session).uint32(round).uint16(client);
}

function readHeading(reader: ByteReader): Heading {
  return {
    session: reader.bytes(IDENTITY_LIMIT),
    round: reader.uint32(),
    client: reader.uint16(),
  };
}

function writeKeys(writer: ByteWriter, keys: AdvertisedKeys): void {
  writer.raw(keys.channelKey).raw(keys.maskKey).uint8(keys.signature.length).raw(keys.signature);
}

function readKeys(reader: ByteReader): AdvertisedKeys {
  const channelKey = reader.raw(32);
  const maskKey = reader.raw(32);
  const length = reader.uint8();
  if (length !== 0 && length !== SIGNATURE_LENGTH)
    throw malformed(`a signature of ${length} bytes`);
  return { channelKey, maskKey, signature: reader.raw(length) };
}

function writeBitmap(writer: ByteWriter, bitmap: Bitmap): ByteWriter {
  return writer.uint16(bitmap.size).raw(bitmap.bytes);
}

function readBitmap(reader: ByteReader): Bitmap {
  return Bitmap.read(reader, reader.uint16());
}

/** Shares of one message have one length each: both shares sealed, and two commitments or none. */
function writeShares(writer: ByteWriter, shares: readonly SealedShare[]): void {
  const committed = shares.some(({ commitments }) => commitments.length > 0);
  writer.uint16(shares.length).uint8(committed ? 1 : 0);
  for (const { sealed, commitments } of shares) writer.raw(sealed).raw(commitments);
}

function readShares(reader: ByteReader): SealedShare[] {
  const count = reader.uint16();
  const committed = reader.uint8();
  if (committed > Math.min(1, count)) throw malformed('shares are committed to or not');
  const length = SEALED_LENGTH + committed * 2 * TAG_LENGTH;
  if (count * length > reader.remaining) throw malformed(`${count} shares exceed the message`);
  return Array.from({ length: count }, () => ({
    sealed: reader.raw(SEALED_LENGTH),
    commitments: reader.raw(committed * 2 * TAG_LENGTH),
  }));
}

function writeTags(writer: ByteWriter, tags: readonly Uint8Array[]): void {
  writeList(writer, tags);
}

function readTags(reader: ByteReader): Uint8Array[] {
  return list(reader, TAG_LENGTH, () => reader.raw(TAG_LENGTH));
}

/** Signatures or tags: all of one message have one length. */
function writeStatements(writer: ByteWriter, statements: readonly Uint8Array[]): void {
  writer.uint8(statements[0]?.length ?? TAG_LENGTH);
  writeList(writer, statements);
}

function readStatements(reader: ByteReader): Uint8Array[] {
  const length = reader.uint8();
  if (length !== TAG_LENGTH && length !== SIGNATURE_LENGTH) {
    throw malformed(`statements of ${length} bytes`);
  }
  const statements = list(reader, length, () => reader.raw(length));
  // One encoding of no statements, too.
  if (statements.length === 0 && length !== TAG_LENGTH) throw malformed('statements of no length');
  return statements;
}

function writeList(writer: ByteWriter, items: readonly Uint8Array[]): void {
  writer.uint16(items.length);
  for (const item of items) writer.raw(item);
}

/** A 16-bit count of items of at least `leastBytes` each, and the items. */
function list<T>(reader: ByteReader, leastBytes: number, read: () => T): T[] {
  const count = reader.uint16();
  if (count * leastBytes > reader.remaining) throw malformed(`${count} items exceed the message`);
  return Array.from({ length: count }, read);
}

function requireAscending(clients: readonly number[]): void {
  for (let i = 1; i < clients.length; i += 1) {
    if (clients[i]! <= clients[i - 1]!) throw malformed('clients are not in ascending order');
  }
}

/** Two numbers, two shares and the tag of AES-GCM. */
export const SEALED_LENGTH = 2 + 2 + 32 + 32 + 16;
export const SIGNATURE_LENGTH = 64;
