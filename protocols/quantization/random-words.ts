/** @file 32-bit random words, drawn from a source of bytes many at a time and overwritten after use. */

import { drawBytes } from '../crypto/checks.ts';
import type { Rng } from '../crypto/interface.ts';

export class RandomWords {
  readonly #rng: Rng;
  #left: number;
  #words: Uint32Array = new Uint32Array(0);
  #used = 0;

  /** @param count how many words there will be at most: no more bytes are drawn. */
  constructor(rng: Rng, count: number) {
    this.#rng = rng;
    this.#left = count;
  }

  /** At least one fresh word and at most `limit`; valid until the next call. */
  take(limit: number): Uint32Array {
    if (this.#used === this.#words.length) this.#refill();
    const end = Math.min(this.#used + limit, this.#words.length);
    const words = this.#words.subarray(this.#used, end);
    this.#used = end;
    return words;
  }

  erase(): void {
    this.#words.fill(0);
    this.#used = this.#words.length;
  }

  #refill(): void {
    this.erase();
    const count = Math.min(this.#left, WORDS_PER_DRAW);
    if (count === 0) throw new RangeError('more random words are taken than there were to be');
    this.#left -= count;
    const bytes = drawBytes(this.#rng, 4 * count);
    if (bytes.byteOffset % 4 === 0) {
      this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, count);
    } else {
      this.#words = new Uint32Array(bytes.slice().buffer);
      bytes.fill(0);
    }
    this.#used = 0;
  }
}

/** 64 KiB: the most that `crypto.getRandomValues` gives at once, and small enough for a cache. */
const WORDS_PER_DRAW = 16_384;
