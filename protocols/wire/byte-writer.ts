/** @file Writes messages to bytes: big-endian integers, and lengths before what varies in length. */

import { utf8 } from '../crypto/bytes.ts';
import { ProtocolError } from '../errors.ts';

export class ByteWriter {
  /** What is behind the small pieces: whole vectors, which are copied once, at the end. */
  readonly #before: Uint8Array[] = [];
  #bytes = new Uint8Array(FIRST_LENGTH);
  #length = 0;
  #total = 0;

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
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setBigUint64(this.#length, value);
    this.#length += 8;
    return this;
  }

  /** Bytes of a length that both sides know. They must not change before `finish`. */
  raw(bytes: Uint8Array): this {
    if (bytes.length > COPIED_AT_ONCE) {
      this.#flush();
      this.#before.push(bytes);
      this.#total += bytes.length;
      return this;
    }
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
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

  /** What was written, in an array of its own; this ends the writer, which forgets it. */
  finish(): Uint8Array {
    const output = new Uint8Array(this.#total + this.#length);
    let offset = 0;
    for (const part of this.#before) {
      output.set(part, offset);
      offset += part.length;
    }
    output.set(this.#bytes.subarray(0, this.#length), offset);
    this.#bytes.fill(0);
    return output;
  }

  #unsigned(value: number, width: 1 | 2 | 4): this {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * width)) {
      throw tooLarge(value, width);
    }
    this.#reserve(width);
    for (let shift = 8 * (width - 1); shift >= 0; shift -= 8) {
      this.#bytes[this.#length] = value >>> shift;
      this.#length += 1;
    }
    return this;
  }

  /** Makes room for some more bytes. */
  #reserve(more: number): void {
    const wanted = this.#length + more;
    if (wanted <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(wanted, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    // It may have been a secret.
    this.#bytes.fill(0);
    this.#bytes = larger;
  }

  #flush(): void {
    if (this.#length === 0) return;
    this.#before.push(this.#bytes.slice(0, this.#length));
    this.#total += this.#length;
    this.#length = 0;
  }
}

function tooLarge(value: number | bigint, width: number): ProtocolError {
  return new ProtocolError('out-of-range', `${value} is no unsigned integer of ${width} bytes`);
}

const FIRST_LENGTH = 128;
const COPIED_AT_ONCE = 4_096;
