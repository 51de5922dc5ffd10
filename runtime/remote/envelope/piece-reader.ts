/** @file Reads a message that is in pieces, chunk by chunk. */

/** Hands out the bytes of pieces, in order, without a copy. */
export class PieceReader {
  readonly #pieces: readonly Uint8Array[];
  #piece = 0;
  #offset = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
  }

  /** The next bytes, as views. @param length at most as many as there are left. */
  take(length: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    let left = length;
    while (left > 0) {
      const piece = this.#pieces[this.#piece];
      if (piece === undefined) throw new RangeError(`There are ${left} bytes too few.`);
      const end = Math.min(this.#offset + left, piece.length);
      if (end > this.#offset) taken.push(piece.subarray(this.#offset, end));
      left -= end - this.#offset;
      this.#offset = end;
      if (end === piece.length) {
        this.#piece += 1;
        this.#offset = 0;
      }
    }
    return taken;
  }
}
