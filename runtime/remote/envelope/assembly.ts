/**
 * @file A message that arrives in chunks. Memory is taken as bytes arrive, never because a length was
 * announced, and all messages of a session share a budget.
 */

import { transportError } from '../../../executors/remote/status.ts';
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
  #chunks: Uint8Array[] = [];
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
   * @returns the whole message with its last chunk; its bytes still count until `release`.
   * @throws TransportError `transport.resource_exhausted` if there is no room for it;
   *   `transport.invalid_argument` if it is not the next chunk of this message.
   */
  add(offset: number, chunk: Uint8Array): Uint8Array | null {
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
    if (isLast && offset === 0) return keepable(chunk);
    this.#chunks.push(keepable(chunk));
    if (!isLast) return null;
    const message = concatenated(this.#chunks, this.#length);
    this.#chunks = [];
    return message;
  }

  /** The bytes are not needed any more. */
  release(): void {
    this.#budget.give(this.#arrived);
    this.#arrived = 0;
    this.#chunks = [];
  }
}

/** A chunk without the rest of a frame that is much larger. */
function keepable(chunk: Uint8Array): Uint8Array {
  return chunk.buffer.byteLength > 2 * chunk.length ? chunk.slice() : chunk;
}

function concatenated(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const message = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    message.set(chunk, offset);
    offset += chunk.length;
  }
  return message;
}
