/**
 * @file A message that arrives in chunks. Memory is taken as bytes arrive, and at most four times as
 * much, never because a length was announced; all messages of a session share a budget.
 */

import { markReceived } from '../../../computations/wire/index.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { freeMemory } from '../../../protocols/free-memory.ts';
import { violation } from './frames.ts';
import { MIN_CHUNK_BYTES } from './options.ts';

/** Bytes that may be held at a time. */
export class ByteBudget {
  readonly #most: number;
  #used = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns whether there was room. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#most) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

export class Assembly {
  readonly #length: number;
  readonly #budget: ByteBudget;
  #chunks: Chunk[] = [];
  /** The whole message, once enough of it has come. */
  #message: Uint8Array | null = null;
  #arrived = 0;

  /**
   * @param length that the peer announced.
   * @throws TransportError `transport.resource_exhausted` if it is more than `most`.
   */
  constructor(length: number, most: number, budget: ByteBudget) {
    if (length > most) {
      throw transportError(
        'transport.resource_exhausted',
        `The message has ${length} bytes, of which ${most} are accepted.`,
      );
    }
    this.#length = length;
    this.#budget = budget;
  }

  /**
   * Takes the next chunk.
   * @param isAlone whether the memory of the chunk holds nothing else, and is given to this message.
   * @returns the whole message with its last chunk; its bytes still count until `release`.
   * @throws TransportError `transport.resource_exhausted` if there is no room for it;
   *   `transport.invalid_argument` if it is not the next chunk of this message.
   */
  add(offset: number, chunk: Uint8Array, isAlone = false): Uint8Array | null {
    const end = offset + chunk.length;
    if (offset !== this.#arrived || end > this.#length) {
      throw violation(
        `bytes ${offset} to ${end} came of a message of ${this.#length}, of which ${this.#arrived} had come`,
      );
    }
    const isLast = end === this.#length;
    if (!isLast && chunk.length < MIN_CHUNK_BYTES) {
      throw violation(`a chunk in the middle of a message has ${chunk.length} bytes`);
    }
    if (!this.#budget.take(chunk.length)) {
      throw transportError(
        'transport.resource_exhausted',
        `More than ${this.#budget.used} bytes of messages would be held at a time.`,
      );
    }
    this.#arrived = end;
    if (isLast && offset === 0) {
      const kept = keepable(chunk);
      if (isAlone || kept !== chunk) markReceived(kept);
      return kept;
    }
    const message = this.#keep({ offset, bytes: chunk, isAlone });
    return isLast ? message : null;
  }

  /** The bytes are not needed any more. */
  release(): void {
    this.#budget.give(this.#arrived);
    this.#arrived = 0;
    this.#chunks = [];
    this.#message = null;
  }

  #keep(chunk: Chunk): Uint8Array | null {
    if (this.#message === null && this.#arrived * MOST_AHEAD < this.#length) {
      this.#chunks.push({ ...chunk, bytes: keepable(chunk.bytes) });
      return null;
    }
    this.#message ??= markReceived(new Uint8Array(this.#length));
    for (const { offset, bytes, isAlone } of [...this.#chunks, chunk]) {
      this.#message.set(bytes, offset);
      if (isAlone) freeMemory(bytes.buffer);
    }
    this.#chunks = [];
    return this.#message;
  }
}

interface Chunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly isAlone: boolean;
}

/** Memory is there for so many times the bytes that have come; most systems give it when it is written. */
const MOST_AHEAD = 4;

/** A chunk without the rest of a frame that is much larger. */
function keepable(chunk: Uint8Array): Uint8Array {
  return chunk.buffer.byteLength > 2 * chunk.length ? chunk.slice() : chunk;
}
