/** @file Writing and reading numbers of 1 to 32 bits one after the other, least significant bit first. */

export class BitWriter {
  readonly #view: DataView;
  #position = 0;
  /** Bits that are not yet written, and how many: 0 to 31. */
  #word = 0;
  #held = 0;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  /** Appends the low `bits` bits of `value`. */
  write(value: number, bits: number): void {
    const low = bits === 32 ? value : value & ((1 << bits) - 1);
    const held = this.#held + bits;
    this.#word |= low << this.#held;
    if (held < 32) {
      this.#held = held;
      return;
    }
    this.#view.setUint32(this.#position, this.#word, true);
    this.#position += 4;
    // A shift by 32 would be one by 0.
    this.#word = this.#held === 0 ? 0 : low >>> (32 - this.#held);
    this.#held = held - 32;
  }

  /** Writes what is held back, filling the last byte up with zeros. */
  finish(): void {
    for (; this.#held > 0; this.#held -= 8) {
      this.#view.setUint8(this.#position, this.#word);
      this.#position += 1;
      this.#word >>>= 8;
    }
  }
}

export class BitReader {
  readonly #view: DataView;
  #position = 0;
  /** Bits that are read but not yet given out, and how many: 0 to 31. */
  #word = 0;
  #held = 0;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  /** The next `bits` bits as an unsigned number; zeros follow the last byte. */
  read(bits: number): number {
    const mask = bits === 32 ? -1 : (1 << bits) - 1;
    if (bits <= this.#held) {
      const value = this.#word & mask;
      this.#word >>>= bits;
      this.#held -= bits;
      return value >>> 0;
    }
    const next = this.#next32();
    const value = (this.#word | (next << this.#held)) & mask;
    const taken = bits - this.#held;
    // A shift by 32 would be one by 0.
    this.#word = taken === 32 ? 0 : next >>> taken;
    this.#held = 32 - taken;
    return value >>> 0;
  }

  #next32(): number {
    const left = this.#view.byteLength - this.#position;
    let word = 0;
    if (left >= 4) {
      word = this.#view.getUint32(this.#position, true);
    } else {
      for (let i = 0; i < left; i += 1) word |= this.#view.getUint8(this.#position + i) << (8 * i);
    }
    this.#position += 4;
    return word;
  }
}
