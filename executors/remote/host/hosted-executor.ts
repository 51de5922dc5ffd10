/**
 * @file One executor of a service and its values, each known by a number. A value that is still being
 * made has its number already; whoever uses it waits for it.
 */

import { ContextError } from '../../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../../executor.ts';
import { transportError } from '../status.ts';

export interface HostedExecutorOptions {
  /** Values at a time. */
  readonly maxValues: number;
  /** Bytes of data that was sent here, at a time. */
  readonly maxDataBytes: number;
  /** Whether `make` waits until the value is made. */
  readonly waits: boolean;
}

/** Makes a value of others, which stay held meanwhile. */
export type MakeValue = (
  target: Executor,
  options: RequestOptions,
  values: readonly ExecutorValue[],
) => Promise<ExecutorValue>;

/** What a value is made of. */
export interface Ingredients {
  /** Numbers of values that are used. */
  readonly from?: readonly string[];
  /** Bytes of data that were sent for it. */
  readonly dataBytes?: number;
}

export class HostedExecutor {
  readonly id: string;
  /** By which it is found again. */
  readonly key: string;
  /** Who asked for it and did not dispose of it. */
  holders = 1;
  /** Settled when the executor is made, or could not be. */
  readonly ready: Promise<void>;
  readonly #target: Promise<Executor>;
  readonly #options: HostedExecutorOptions;
  readonly #values = new Map<string, HeldValue>();
  #count = 0;
  #dataBytes = 0;
  #isReady = false;
  #closing: Promise<void> | null = null;

  constructor(id: string, key: string, target: Promise<Executor>, options: HostedExecutorOptions) {
    this.id = id;
    this.key = key;
    this.#target = target;
    this.#options = options;
    this.ready = target.then(() => {
      this.#isReady = true;
    });
    // Told to whoever asks for the executor, or uses it.
    this.ready.catch(() => {});
  }

  get size(): number {
    return this.#values.size;
  }

  /**
   * @returns the number of the new value.
   * @throws TransportError for a number that is none, or unknown; `transport.resource_exhausted` if
   *   there are too many values, or too much data; what `make` throws, if this executor waits for it.
   */
  async make(
    { signal }: RequestOptions,
    make: MakeValue,
    { from = [], dataBytes = 0 }: Ingredients = {},
  ): Promise<string> {
    const sources = from.map((id) => this.#find(id));
    this.#requireOpen();
    this.#requireRoom(dataBytes);
    this.#count += 1;
    const id = String(this.#count);
    this.#dataBytes += dataBytes;
    const held = new HeldValue(
      async (making) => {
        const target = await this.#made();
        return usingAll(sources, (values) => make(target, { signal: making }, values));
      },
      () => {
        this.#dataBytes -= dataBytes;
      },
    );
    this.#values.set(id, held);
    if (!this.#options.waits) return id;
    const abort = (): void => this.dispose(id);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await held.value;
      signal?.throwIfAborted();
      return id;
    } catch (error) {
      this.dispose(id);
      // Otherwise it says that the value was disposed of, and not why.
      this.#requireOpen();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Works with values, which stay held meanwhile, whoever disposes of them. */
  async use<T>(
    ids: readonly string[],
    work: (values: readonly ExecutorValue[]) => Promise<T>,
  ): Promise<T> {
    const held = ids.map((id) => this.#find(id));
    try {
      return await usingAll(held, work);
    } catch (error) {
      this.#requireOpen();
      throw error;
    }
  }

  /** A value that is not known is disposed of already. */
  dispose(id: string): void {
    const held = this.#values.get(id);
    this.#values.delete(id);
    held?.dispose();
  }

  /** Ends all work. An executor that is not made yet is closed when it is; nobody waits for that. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  #find(id: string): HeldValue {
    this.#requireOpen();
    if (!/^[0-9]{1,15}$/.test(id)) {
      throw transportError(
        'transport.invalid_argument',
        `A reference to a value is a whole number; got ${JSON.stringify(id.slice(0, 60))}.`,
      );
    }
    const held = this.#values.get(id);
    if (held !== undefined) return held;
    throw transportError(
      'transport.not_found',
      `This executor has no value ${id}; it may have been disposed of.`,
    );
  }

  async #made(): Promise<Executor> {
    try {
      return await this.#target;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw transportError(
        'transport.failed_precondition',
        `The executor could not be made: ${why}`,
        cause,
      );
    }
  }

  #requireOpen(): void {
    if (this.#closing === null) return;
    throw noSuchExecutor(this.id);
  }

  #requireRoom(dataBytes: number): void {
    const { maxValues, maxDataBytes } = this.#options;
    if (this.#values.size >= maxValues) {
      throw transportError(
        'transport.resource_exhausted',
        `This executor holds ${this.#values.size} values, as many as it may. Dispose of some.`,
      );
    }
    if (this.#dataBytes + dataBytes > maxDataBytes) {
      throw transportError(
        'transport.resource_exhausted',
        `This executor holds ${this.#dataBytes} bytes of data, and with ${dataBytes} more would hold more than ${maxDataBytes}. Dispose of some.`,
      );
    }
  }

  async #shutDown(): Promise<void> {
    for (const id of [...this.#values.keys()]) this.dispose(id);
    const closing = this.#target.then(
      (target) => target.close(),
      () => {},
    );
    if (this.#isReady) await closing;
    else closing.catch(() => {});
  }
}

/** An executor was named that is not, or is gone. */
export function noSuchExecutor(id: string): Error {
  return transportError(
    'transport.failed_precondition',
    `No executor found for ID '${id.slice(0, 200)}'. Ask for one anew.`,
  );
}

/** One for all: most values are made when they are disposed of, and nobody is told. */
const DISPOSED = new ContextError('context.cancelled', 'The value was disposed of.');

class HeldValue {
  readonly value: Promise<ExecutorValue>;
  readonly #making = new AbortController();
  readonly #onFree: () => void;
  /** The number in the table, and the work that uses the value. */
  #uses = 1;
  #disposed = false;

  /** @param onFree called once, when nothing uses the value any more. */
  constructor(make: (signal: AbortSignal) => Promise<ExecutorValue>, onFree: () => void) {
    this.value = make(this.#making.signal);
    this.#onFree = onFree;
    // Told to whoever asks for the value.
    this.value.catch(() => {});
  }

  retain(): void {
    this.#uses += 1;
  }

  release(): void {
    this.#uses -= 1;
    if (this.#uses > 0) return;
    this.#onFree();
    this.#making.abort(DISPOSED);
    void this.value.then(
      (value) => value[Symbol.dispose](),
      () => {},
    );
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.release();
  }
}

async function usingAll<T>(
  held: readonly HeldValue[],
  work: (values: readonly ExecutorValue[]) => Promise<T>,
): Promise<T> {
  for (const one of held) one.retain();
  try {
    return await work(await Promise.all(held.map(({ value }) => value)));
  } finally {
    for (const one of held) one.release();
  }
}
