/**
 * @file Sets of clients on the wire, one bit each: no client can be named twice, none that is not
 * there, and where a bit says alive or dead, no client can be both.
 */

import { ProtocolError } from '../errors.ts';
import { type ByteReader, malformed } from '../wire/byte-reader.ts';

export class Bitmap {
  /** How many places it has. */
  readonly size: number;
  /** Lowest bit first; the bits behind the last place are zero. */
  readonly bytes: Uint8Array;
  #places: readonly number[] | undefined;

  constructor(size: number, bytes: Uint8Array = new Uint8Array(Math.ceil(size / 8))) {
    this.size = size;
    this.bytes = bytes;
  }

  /** The set of the given places. @throws ProtocolError `invalid-argument` */
  static of(size: number, places: Iterable<number>): Bitmap {
    const bitmap = new Bitmap(size);
    for (const place of places) {
      if (!Number.isInteger(place) || place < 0 || place >= size) {
        throw new ProtocolError('invalid-argument', `${place} is no place of 0 to ${size - 1}`);
      }
      bitmap.bytes[place >> 3]! |= 1 << (place & 7);
    }
    return bitmap;
  }

  /** @throws ProtocolError `malformed-message` for bits behind the last place. */
  static read(reader: ByteReader, size: number): Bitmap {
    const bitmap = new Bitmap(size, reader.raw(Math.ceil(size / 8)));
    const used = size & 7;
    if (used !== 0 && bitmap.bytes[bitmap.bytes.length - 1]! >>> used !== 0) {
      throw malformed(`bits are set behind the last of ${size} places`);
    }
    return bitmap;
  }

  has(place: number): boolean {
    return place >= 0 && place < this.size && (this.bytes[place >> 3]! & (1 << (place & 7))) !== 0;
  }

  count(): number {
    let count = 0;
    for (let byte of this.bytes) for (; byte !== 0; byte &= byte - 1) count += 1;
    return count;
  }

  /** The places in the set, ascending. Looked up once: the set does not change. */
  places(): readonly number[] {
    if (this.#places === undefined) {
      const places: number[] = [];
      for (let place = 0; place < this.size; place += 1) if (this.has(place)) places.push(place);
      this.#places = places;
    }
    return this.#places;
  }
}
