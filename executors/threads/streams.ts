/**
 * @file Sequences that are read in one thread and consumed in another: the consumer pulls as many
 * elements as fit in a message when it has used up those before, so that it is never flooded.
 */

import type { MaterializedValue } from '../../computations/types/index.ts';
import { OwnedElements } from '../leaf/element-source.ts';

type Elements = Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>;
type ElementIterator = Iterator<MaterializedValue> | AsyncIterator<MaterializedValue>;

/** The sequences of a thread that a worker may pull from. */
export class Streams {
  readonly #open = new Map<number, Stream>();
  #count = 0;

  /** How many may still be pulled from, for tests of leaks. */
  get size(): number {
    return this.#open.size;
  }

  /** @param owner by which `dropAll` finds it. */
  open(elements: Elements, owner: number): number {
    const number = ++this.#count;
    this.#open.set(number, { elements, owner, iterator: null, underway: null });
    return number;
  }

  /**
   * The next elements: those that are there, but at least one, unless the sequence is at its end.
   * @returns `null` if the sequence was dropped.
   */
  async pull(number: number): Promise<PulledElements | null> {
    const stream = this.#open.get(number);
    if (stream === undefined) return null;
    const elements: MaterializedValue[] = [];
    try {
      stream.iterator ??= iterate(stream.elements);
      while (elements.length < CHUNK_ELEMENTS) {
        stream.underway ??= Promise.resolve(stream.iterator.next());
        const waiting = stream.underway;
        const result = await (elements.length === 0 ? waiting : Promise.race([waiting, aMoment()]));
        if (result === null) break;
        stream.underway = null;
        if (result.done) {
          this.#open.delete(number);
          return { elements, done: true };
        }
        elements.push(result.value);
      }
      return this.#open.has(number) ? { elements, done: false } : null;
    } catch (error) {
      this.#open.delete(number);
      return { elements, done: true, error };
    }
  }

  /** Nobody needs its elements any more; the iterator is told to stop. */
  drop(number: number): void {
    const stream = this.#open.get(number);
    if (stream === undefined) return;
    this.#open.delete(number);
    // It may be in the middle of a wait that never ends.
    void (async () => stream.iterator?.return?.())().catch(() => {});
    stream.underway?.catch(() => {});
  }

  dropAll(owner?: number): void {
    for (const [number, stream] of this.#open) {
      if (owner === undefined || stream.owner === owner) this.drop(number);
    }
  }
}

export interface PulledElements {
  readonly elements: readonly MaterializedValue[];
  readonly done: boolean;
  readonly error?: unknown;
}

/** How a worker reaches the thread that reads a sequence. */
export interface StreamReader {
  /** The next elements, or none when the stream is dropped meanwhile. */
  pull(stream: number): Promise<PulledElements>;
  drop(stream: number): void;
}

/** The elements of a sequence that another thread reads. */
export class RemoteElements extends OwnedElements {
  readonly #stream: number;
  readonly #reader: StreamReader;
  #ended = false;

  constructor(stream: number, reader: StreamReader) {
    super();
    this.#stream = stream;
    this.#reader = reader;
  }

  // No generator: one that waits for elements cannot be told to stop.
  [Symbol.asyncIterator](): AsyncIterator<MaterializedValue> {
    let chunk: PulledElements = { elements: [], done: false };
    let position = 0;
    return {
      next: async () => {
        while (position === chunk.elements.length) {
          if (chunk.error !== undefined) throw chunk.error;
          if (this.#ended) return { done: true, value: undefined };
          chunk = await this.#reader.pull(this.#stream);
          position = 0;
          if (chunk.done) this.#ended = true;
        }
        return { done: false, value: chunk.elements[position++] as MaterializedValue };
      },
      return: async () => {
        this.release();
        return { done: true, value: undefined };
      },
    };
  }

  override release(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reader.drop(this.#stream);
  }
}

interface Stream {
  readonly elements: Elements;
  readonly owner: number;
  iterator: ElementIterator | null;
  /** The element that was asked for and has not come yet. */
  underway: Promise<IteratorResult<MaterializedValue>> | null;
}

const CHUNK_ELEMENTS = 32;

function iterate(elements: Elements): ElementIterator {
  return Symbol.asyncIterator in elements
    ? elements[Symbol.asyncIterator]()
    : elements[Symbol.iterator]();
}

/** Long enough for what is ready, and no longer. */
function aMoment(): Promise<null> {
  return new Promise((resolve) => setTimeout(resolve, 0, null));
}
