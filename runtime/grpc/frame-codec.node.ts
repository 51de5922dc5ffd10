/**
 * @file The messages of a link, `OpenRequest` and `OpenResponse`, as bytes: one field with a frame. The
 * generated code would copy each frame several times.
 */

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { hasHeadroom } from '../remote/link.ts';
import type { MessageCodec } from './methods.node.ts';

/** What both messages hold. */
export interface LinkMessage {
  readonly frame: Uint8Array;
}

export const FRAME_CODEC: MessageCodec<LinkMessage> = { encode: encodeFrame, decode: decodeFrame };

/** In front of a frame that leaves room for it; of others a copy is made. */
function encodeFrame({ frame }: LinkMessage): Buffer {
  const header = headerOf(frame.length);
  const { buffer, byteOffset, byteLength } = frame;
  if (!hasHeadroom(frame) || header.length > byteOffset) return Buffer.concat([header, frame]);
  const start = byteOffset - header.length;
  const message = Buffer.from(buffer, start, header.length + byteLength);
  message.set(header);
  return message;
}

/** @throws Error for bytes that are no such message. */
function decodeFrame(bytes: Buffer): LinkMessage {
  const reader = new BinaryReader(bytes);
  let frame: Uint8Array = bytes.subarray(0, 0);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === FRAME_FIELD && wireType === WireType.LengthDelimited) frame = reader.bytes();
    else reader.skip(wireType, field);
  }
  return { frame };
}

function headerOf(length: number): Uint8Array {
  const header = [FRAME_FIELD * 8 + WireType.LengthDelimited];
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) header.push((rest & 0x7f) | 0x80);
  header.push(rest);
  return Uint8Array.from(header);
}

const FRAME_FIELD = 1;
