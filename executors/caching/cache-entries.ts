/**
 * @file The entries of a cache of values: counted holds on values of the target, of which those used
 * last are kept. A value is disposed when the cache has dropped it and nobody holds it any more.
 */

import type { MaterializedValue } from '../../computations/types/index.ts';
import type { ExecutorValue, RequestOptions } from '../executor.ts';
import { copyOf, readAgain } from '../materialized.ts';
import { SharedWork } from './shared-work.ts';

/** Makes a value; the signal is aborted if nobody wants it any more. */
export type MakeValue = (signal: AbortSignal) => Promise<ExecutorValue>;

/** The least recently used go first. */
export class EntryCache {
  readonly #maxEntries: number;
  /** By key, least recently used first. */
  readonly #kept = new Map<string, CacheEntry>();

  /** @throws RangeError unless `maxEntries` is a positive integer. */
  constructor(maxEntries: number) {
    if (!(Number.isSafeInteger(maxEntries) && maxEntries >= 1)) {
      throw new RangeError(`maxEntries is an integer of at least 1; got ${maxEntries}.`);
    }
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#kept.size;
  }

  /**
   * The entry for a key, or a new one; the caller gets a hold on it.
   * @param key `null` for a value that is not kept.
   */
  obtain(key: string | null, make: MakeValue): CacheEntry {
    if (key === null) return new CacheEntry(make);
    const known = this.#kept.get(key);
    if (known?.usable) {
      // Put last: the map's order is that of use.
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known.retain();
    }
    if (known !== undefined) this.#drop(key, known);
    const entry = new CacheEntry(make, () => this.#drop(key, entry));
    this.#kept.set(key, entry.retain());
    for (const [oldest, old] of this.#kept) {
      if (this.#kept.size <= this.#maxEntries) break;
      this.#drop(oldest, old);
    }
    return entry;
  }

  clear(): void {
    for (const [key, entry] of this.#kept) this.#drop(key, entry);
  }

  #drop(key: string, entry: CacheEntry): void {
    if (this.#kept.get(key) !== entry) return;
    this.#kept.delete(key);
    entry.release();
  }
}

/** Whether clients were lost that should have a part in it. */
export function isPartial({ missing }: ExecutorValue): boolean {
  return missing !== undefined && missing.length > 0;
}

/** A value of the target that is there or on its way. Who obtains or retains it releases it, once. */
export class CacheEntry {
  readonly #making: SharedWork<ExecutorValue>;
  readonly #isKept: boolean;
  #reading: SharedWork<MaterializedValue> | null = null;
  #handle: ExecutorValue | null = null;
  #holders = 1;

  /**
   * @param forget given if the entry is kept; called when its value cannot be made, or only a part
   *   of it: clients are missing that may be there the next time.
   */
  constructor(make: MakeValue, forget?: () => void) {
    this.#isKept = forget !== undefined;
    this.#making = new SharedWork((signal) =>
      // Never settles at once, so that the cache has the entry before it hears of a failure.
      new Promise<ExecutorValue>((resolve) => resolve(make(signal))).then(
        (handle) => {
          this.#handle = handle;
          // All may have given up meanwhile.
          if (this.#holders === 0) handle[Symbol.dispose]();
          else if (isPartial(handle)) forget?.();
          return handle;
        },
        (error: unknown) => {
          forget?.();
          throw error;
        },
      ),
    );
  }

  /** False if waiting for it would be in vain. */
  get usable(): boolean {
    return !this.#making.abandoned;
  }

  wait(signal: AbortSignal | undefined): Promise<ExecutorValue> {
    return this.#making.wait(signal);
  }

  /** The value in the target, of an entry that was waited for. */
  handle(): ExecutorValue {
    if (this.#handle === null) throw new TypeError('A cached value is used before it is there.');
    return this.#handle;
  }

  /** The content; of an entry that is kept it is read once, and each caller gets a copy. */
  async compute(options: RequestOptions): Promise<MaterializedValue> {
    if (!this.#isKept) return this.handle().compute(options);
    if (this.#reading === null || this.#reading.abandoned) {
      const reading: SharedWork<MaterializedValue> = new SharedWork((signal) =>
        this.#read({ ...options, signal }).catch((error: unknown) => {
          // The next one may fare better.
          if (this.#reading === reading) this.#reading = null;
          throw error;
        }),
      );
      this.#reading = reading;
    }
    return copyOf(await this.#reading.wait(options.signal));
  }

  async #read(options: RequestOptions): Promise<MaterializedValue> {
    const value = await this.handle().compute(options);
    return copyOf(await readAgain(value, options.signal));
  }

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0) return;
    this.#reading = null;
    this.#handle?.[Symbol.dispose]();
  }
}
