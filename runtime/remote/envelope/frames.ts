/**
 * @file Frames of `fedloom.v1.Frame` as bytes. Data frames are put together by hand, because their
 * chunks are long and shall be copied once; everything else is left to the generated code. What comes
 * from a peer is limited before anything is made of it.
 */

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { TransportError } from '../../../computations/types/index.ts';
import {
  AckSchema,
  ByeSchema,
  FrameSchema,
  type Hello,
  HelloSchema,
  type Part,
  PartSchema,
  PingSchema,
  PongSchema,
  type Welcome,
  WelcomeSchema,
} from '../../../computations/wire/gen/fedloom/v1/envelope_pb.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { MAX_FRAME_BYTES, newFrame } from '../link.ts';

export type IncomingFrame =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'welcome'; readonly welcome: Welcome }
  | DataFrame
  | { readonly kind: 'ack' | 'ping' | 'pong'; readonly acknowledged: number }
  | { readonly kind: 'bye'; readonly code: number; readonly reason: string };

export interface DataFrame {
  readonly kind: 'data';
  readonly number: number;
  readonly acknowledged: number;
  readonly parts: readonly IncomingPart[];
  /** Length of all this. */
  readonly bytes: number;
}

export interface IncomingPart {
  readonly call: number;
  /** What begins with this part; without a case it goes on. */
  readonly head: Part['head'];
  readonly offset: number;
  /** A view of the frame. */
  readonly chunk: Uint8Array;
  /** The memory of the frame holds nothing else that is needed. */
  readonly isAlone: boolean;
}

export interface OutgoingPart {
  /** From `encodeHead`. */
  readonly head: Uint8Array;
  readonly offset: number;
  /** The chunk, in pieces that are copied one after the other. */
  readonly pieces: readonly Uint8Array[];
  /** Bytes in all pieces together. */
  readonly length: number;
}

/** More parts in a frame are refused. */
export const MAX_PARTS = 4096;

/** A frame that greets may have so many bytes. */
export const MAX_GREETING_BYTES = 64 * 1024;

/** A greeting, a goodbye, or what keeps a link alive. */
export type ControlFrame =
  | { readonly case: 'hello'; readonly value: Hello }
  | { readonly case: 'welcome'; readonly value: Welcome }
  | { readonly case: 'ack' | 'ping' | 'pong'; readonly acknowledged: number }
  | { readonly case: 'bye'; readonly code: number; readonly reason: string };

export function encodeControl(frame: ControlFrame): Uint8Array {
  switch (frame.case) {
    case 'hello':
    case 'welcome':
      return toBinary(FrameSchema, create(FrameSchema, { kind: frame }));
    case 'bye': {
      const value = create(ByeSchema, { code: frame.code, reason: frame.reason });
      return toBinary(FrameSchema, create(FrameSchema, { kind: { case: 'bye', value } }));
    }
    default: {
      // The same single field in all of them.
      const value = new BinaryWriter();
      if (frame.acknowledged > 0) value.tag(1, WireType.Varint).uint64(frame.acknowledged);
      return new BinaryWriter()
        .tag(FIELDS[frame.case], WireType.LengthDelimited)
        .bytes(value.finish())
        .finish();
    }
  }
}

/** The fields of a part that stand before its chunk. */
export function encodeHead(call: number, head: Part['head']): Uint8Array {
  return toBinary(PartSchema, create(PartSchema, { call: BigInt(call), head }));
}

/** A data frame, with every chunk copied once. */
export function encodeData(
  number: number,
  acknowledged: number,
  parts: readonly OutgoingPart[],
): Uint8Array {
  const numbers = new BinaryWriter().tag(1, WireType.Varint).uint64(number);
  if (acknowledged > 0) numbers.tag(2, WireType.Varint).uint64(acknowledged);
  const beginning = numbers.finish();
  const leads = parts.map(leadOf);
  let length = beginning.length;
  for (const [i, lead] of leads.entries())
    length += lead.length + (parts[i] as OutgoingPart).length;
  const opening = new BinaryWriter()
    .tag(FIELDS.data, WireType.LengthDelimited)
    .uint32(length)
    .finish();
  const frame = newFrame(opening.length + length);
  let offset = 0;
  const put = (bytes: Uint8Array): void => {
    frame.set(bytes, offset);
    offset += bytes.length;
  };
  put(opening);
  put(beginning);
  for (const [i, lead] of leads.entries()) {
    put(lead);
    for (const piece of (parts[i] as OutgoingPart).pieces) put(piece);
  }
  return frame;
}

/**
 * @throws TransportError `transport.invalid_argument` for bytes that are no frame of the envelope;
 *   `transport.resource_exhausted` for one that is too long or has too many parts.
 */
export function decodeFrame(bytes: Uint8Array): IncomingFrame {
  if (bytes.length > MAX_FRAME_BYTES) {
    throw transportError(
      'transport.resource_exhausted',
      `A frame of ${bytes.length} bytes came; the longest has ${MAX_FRAME_BYTES}.`,
    );
  }
  // Whatever subclass the transport has made; its `slice` might not copy.
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return guarded(() => {
    const reader = new BinaryReader(view);
    let frame: IncomingFrame | undefined;
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      const kind = KINDS[field];
      if (kind === undefined) {
        reader.skip(wireType, field);
      } else if (wireType !== WireType.LengthDelimited || frame !== undefined) {
        throw violation('a frame has no proper kind');
      } else {
        frame = decodeKind(kind, reader.bytes());
      }
    }
    if (frame === undefined) throw violation('a frame has no kind that is known');
    return frame;
  });
}

/** What a peer that keeps to the envelope never sends. */
export function violation(problem: string, cause?: unknown): Error {
  return transportError(
    'transport.invalid_argument',
    `The peer does not keep to the envelope: ${problem}.`,
    cause,
  );
}

const FIELDS = { hello: 1, welcome: 2, data: 3, ack: 4, ping: 5, pong: 6, bye: 7 } as const;

type Kind = keyof typeof FIELDS;

const KINDS: readonly (Kind | undefined)[] = [undefined, ...(Object.keys(FIELDS) as Kind[])];

const ACKNOWLEDGING = { ack: AckSchema, ping: PingSchema, pong: PongSchema } as const;

function decodeKind(kind: Kind, bytes: Uint8Array): IncomingFrame {
  switch (kind) {
    case 'hello':
      return { kind, hello: parse(HelloSchema, greeting(bytes)) };
    case 'welcome':
      return { kind, welcome: parse(WelcomeSchema, greeting(bytes)) };
    case 'bye': {
      const { code, reason } = parse(ByeSchema, greeting(bytes));
      return { kind, code, reason };
    }
    case 'data':
      return decodeData(bytes);
    default:
      return { kind, acknowledged: safe(parse(ACKNOWLEDGING[kind], bytes).acknowledged) };
  }
}

function decodeData(bytes: Uint8Array): DataFrame {
  const reader = new BinaryReader(bytes);
  let number = 0;
  let acknowledged = 0;
  const parts: IncomingPart[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.Varint) number = safe(reader.uint64());
    else if (field === 2 && wireType === WireType.Varint) acknowledged = safe(reader.uint64());
    else if (field === 3 && wireType === WireType.LengthDelimited) {
      if (parts.length === MAX_PARTS) throw violation(`a frame has more than ${MAX_PARTS} parts`);
      parts.push(decodePart(reader.bytes()));
    } else reader.skip(wireType, field);
  }
  if (reader.pos > reader.len) throw violation('a data frame ends too early');
  const [only] = parts;
  if (only !== undefined && parts.length === 1) parts[0] = { ...only, isAlone: fills(only.chunk) };
  return { kind: 'data', number, acknowledged, parts, bytes: bytes.length };
}

function decodePart(bytes: Uint8Array): IncomingPart {
  const { call, head, offset, chunk } = parse(PartSchema, bytes);
  return { call: safe(call), head, offset: safe(offset), chunk, isAlone: false };
}

/**
 * Whether memory holds a chunk and what is around it. Short ones may be a part of what a transport has
 * read at a time.
 */
function fills({ buffer, byteLength }: Uint8Array): boolean {
  return byteLength >= MIN_ALONE_BYTES && buffer.byteLength - byteLength <= AROUND_BYTES;
}

/** More than HTTP/2 has in a frame of its own. */
const MIN_ALONE_BYTES = 64 * 1024;

/** The head of a part, and what stands before it. */
const AROUND_BYTES = 512;

/** The fields of a part up to its bytes, after its own tag and length. */
function leadOf({ head, offset, length }: OutgoingPart): Uint8Array {
  const fields = new BinaryWriter().raw(head);
  if (offset > 0) fields.tag(5, WireType.Varint).uint64(offset);
  if (length > 0) fields.tag(6, WireType.LengthDelimited).uint32(length);
  const beforeChunk = fields.finish();
  return new BinaryWriter()
    .tag(3, WireType.LengthDelimited)
    .uint32(beforeChunk.length + length)
    .raw(beforeChunk)
    .finish();
}

function parse<S extends DescMessage>(schema: S, bytes: Uint8Array): MessageShape<S> {
  return fromBinary(schema, bytes, { recursionLimit: MAX_DEPTH, readUnknownFields: false });
}

/** A part, its head, a failure, an error and its causes. */
const MAX_DEPTH = 16;

function greeting(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= MAX_GREETING_BYTES) return bytes;
  throw violation(`a greeting has ${bytes.length} bytes, of at most ${MAX_GREETING_BYTES}`);
}

/** A 64-bit integer of the wire as a number. */
function safe(value: bigint | string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw violation(`${value} is out of range`);
}

function guarded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof TransportError) throw error;
    throw violation('a frame cannot be decoded', error);
  }
}
