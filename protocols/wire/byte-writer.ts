/** @file Writes messages to bytes: big-endian integers, and lengths before what varies in length. */

import { concatBytes, utf8 } from '../crypto/bytes.ts';
import { ProtocolError } from '../errors.ts';

export class ByteWriter {
  readonly #parts: Uint8Array[] = [];

  uint8(value: number): this {
    return this.#unsigned(value, 1);
  }

  uint16(value: number): this {
    return this.#unsigned(value, 2);
  }

  uint32(value: number): this {
    return this.#unsigned(value, 4);
  }

  uint64(value: bigint): this {
    if (value < 0n || value >= 1n << 64n) throw tooLarge(value, 8);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value);
    return this.raw(bytes);
  }

  /** Bytes of a length that both sides know. */
  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }

  /** A 32-bit length and the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.uint32(bytes.length).raw(bytes);
  }

  /** A 32-bit length and UTF-8. */
  text(text: string): this {
    return this.bytes(utf8(text));
  }

  finish(): Uint8Array {
    return concatBytes(...this.#parts);
  }

  #unsigned(value: number, width: 1 | 2 | 4): this {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * width)) {
      throw tooLarge(value, width);
    }
    const bytes = new Uint8Array(width);
    for (let i = 0; i < width; i += 1) bytes[i] = Math.floor(value / 2 ** (8 * (width - 1 - i)));
    return this.raw(bytes);
  }
}

function tooLarge(value: number | bigint, width: number): ProtocolError {
  return new ProtocolError('out-of-range', `${value} is no unsigned integer of ${width} bytes`);
}
