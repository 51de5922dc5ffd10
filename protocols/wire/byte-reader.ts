/**
 * @file Reads messages from bytes that anybody may have written. Every length is checked against
 * what is left before anything is allocated.
 */

import { ProtocolError } from '../errors.ts';

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  /** A copy of the next `length` bytes. */
  raw(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  /** A 32-bit length of at most `limit`, and that many bytes. */
  bytes(limit: number): Uint8Array {
    const length = this.uint32();
    if (length > limit) throw malformed(`a field of ${length} bytes exceeds the limit of ${limit}`);
    return this.raw(length);
  }

  /** A 32-bit length of at most `limit` bytes, and UTF-8. */
  text(limit: number): string {
    try {
      return decoder.decode(this.bytes(limit));
    } catch (cause) {
      if (cause instanceof ProtocolError) throw cause;
      throw malformed('a text is not UTF-8', cause);
    }
  }

  /** A 32-bit count of items that take at least `leastBytes` bytes each. */
  count(limit: number, leastBytes: number): number {
    const count = this.uint32();
    if (count > limit || count * leastBytes > this.remaining) {
      throw malformed(`a count of ${count} exceeds the limit of ${limit} or the message`);
    }
    return count;
  }

  end(): void {
    if (this.remaining > 0) throw malformed(`${this.remaining} bytes follow the message`);
  }

  #take(length: number): number {
    if (length > this.remaining) {
      throw malformed(`${length} bytes are wanted where ${this.remaining} are left`);
    }
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}

export function malformed(message: string, cause?: unknown): ProtocolError {
  return new ProtocolError('malformed-message', message, cause === undefined ? {} : { cause });
}

// A byte order mark stays part of the text, or two encodings would be one name.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
