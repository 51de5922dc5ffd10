/**
 * @file The frame around every encoded message: "FL", a protocol byte, a message byte, a version
 * byte, then the fields. A decoder returns the message or a fault; it never throws on bad bytes.
 */

import { type Fault, fault, ProtocolError } from '../errors.ts';
import { ByteReader, malformed } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

export type DecodingFault = Fault<'decode', 'malformed-message'>;

/** What a decoder accepts at most, whatever the bytes say. */
export interface DecodingLimits {
  /** Bytes of one whole message. @default 2^30 */
  readonly messageBytes?: number;
  /** Clients named in one message. @default 65,536 */
  readonly clients?: number;
  /** Vectors or segments in one message. @default 4,096 */
  readonly vectors?: number;
  /** Values in all vectors of one message. @default 2^28 */
  readonly values?: number;
  /** Bits of one modulus. @default 4,096 */
  readonly modulusBits?: number;
}

export const DEFAULT_LIMITS: Required<DecodingLimits> = {
  messageBytes: 2 ** 30,
  clients: 65_536,
  vectors: 4_096,
  values: 2 ** 28,
  modulusBits: 4_096,
};

/** The longest identity of a client or session, in bytes. */
export const IDENTITY_LIMIT = 256;

export interface MessageCodec<M> {
  encode(message: M): Uint8Array;
  decode(bytes: Uint8Array, limits?: DecodingLimits): M | DecodingFault;
}

/** Which message of which protocol; part of its first five bytes. */
export interface MessageFrame {
  readonly name: string;
  readonly protocol: number;
  readonly message: number;
  readonly version: number;
}

export function messageCodec<M>(
  frame: MessageFrame,
  write: (writer: ByteWriter, message: M) => void,
  read: (reader: ByteReader, limits: Required<DecodingLimits>) => M,
): MessageCodec<M> {
  const header = [0x46, 0x4c, frame.protocol, frame.message, frame.version];
  return {
    encode(message) {
      const writer = new ByteWriter();
      for (const byte of header) writer.uint8(byte);
      write(writer, message);
      return writer.finish();
    },
    decode(bytes, given = {}) {
      const limits = { ...DEFAULT_LIMITS, ...given };
      try {
        if (bytes.length > limits.messageBytes) {
          throw malformed(`${bytes.length} bytes exceed the limit of ${limits.messageBytes}`);
        }
        const reader = new ByteReader(bytes);
        for (const byte of header) {
          if (reader.uint8() !== byte) {
            throw malformed(`this is no version ${frame.version} message "${frame.name}"`);
          }
        }
        const message = read(reader, limits);
        reader.end();
        return message;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        return fault('decode', 'malformed-message', `${frame.name}: ${error.message}`);
      }
    },
  };
}
