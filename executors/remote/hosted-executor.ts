/**
 * @file One executor of a service and its values, each known by a number. A value that is still being
 * made has its number already; whoever uses it waits for it.
 */

import { ContextError } from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { transportError } from './status.ts';

export interface HostedExecutorOptions {
  readonly maxValues: number;
  /** Whether `make` waits until the value is made. */
  readonly waits: boolean;
}

/** Makes a value of others, which stay held meanwhile. */
export type MakeValue = (
  target: Executor,
  options: RequestOptions,
  values: readonly ExecutorValue[],
) => Promise<ExecutorValue>;

export class HostedExecutor {
  readonly id: string;
  /** By which it is found again. */
  readonly key: string;
  /** Who asked for it and did not dispose of it. */
  holders = 1;
  readonly #target: Promise<Executor>;
  readonly #options: HostedExecutorOptions;
  readonly #values = new Map<string, HeldValue>();
  #count = 0;
  #closing: Promise<void> | null = null;

  constructor(id: string, key: string, target: Promise<Executor>, options: HostedExecutorOptions) {
    this.id = id;
    this.key = key;
    this.#target = target;
    this.#options = options;
    // Whoever uses it is told.
    target.catch(() => {});
  }

  get size(): number {
    return this.#values.size;
  }

  /**
   * @param from the numbers of values that it is made of.
   * @returns the number of the new value.
   * @throws TransportError for a number that is none, or unknown; `transport.resource_exhausted` if
   *   there are too many values; what `make` throws, if this executor waits for it.
   */
  async make(
    options: RequestOptions,
    make: MakeValue,
    from: readonly string[] = [],
  ): Promise<string> {
    const sources = from.map((id) => this.#find(id));
    if (this.#values.size >= this.#options.maxValues) {
      throw transportError(
        'transport.resource_exhausted',
        `This executor holds ${this.#values.size} values, as many as it may. Dispose of some.`,
      );
    }
    this.#count += 1;
    const id = String(this.#count);
    const held = new HeldValue(async (signal) => {
      const target = await this.#target;
      return usingAll(sources, (values) => make(target, { ...options, signal }, values));
    });
    this.#values.set(id, held);
    if (!this.#options.waits) return id;
    const { signal } = options;
    const abort = (): void => this.dispose(id);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await held.value;
      signal?.throwIfAborted();
      return id;
    } catch (error) {
      this.dispose(id);
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Works with values, which stay held meanwhile, whoever disposes of them. */
  use<T>(
    ids: readonly string[],
    work: (values: readonly ExecutorValue[]) => Promise<T>,
  ): Promise<T> {
    return usingAll(
      ids.map((id) => this.#find(id)),
      work,
    );
  }

  /** A value that is not known is disposed of already. */
  dispose(id: string): void {
    const held = this.#values.get(id);
    this.#values.delete(id);
    held?.dispose();
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  #find(id: string): HeldValue {
    if (this.#closing !== null) throw new ContextError('context.closed', 'The executor is closed.');
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

  async #shutDown(): Promise<void> {
    for (const id of [...this.#values.keys()]) this.dispose(id);
    const [target] = await Promise.allSettled([this.#target]);
    if (target.status === 'fulfilled') await target.value.close();
  }
}

class HeldValue {
  readonly value: Promise<ExecutorValue>;
  readonly #making = new AbortController();
  /** The number in the table, and the work that uses the value. */
  #uses = 1;
  #disposed = false;

  constructor(make: (signal: AbortSignal) => Promise<ExecutorValue>) {
    this.value = make(this.#making.signal);
    // Told to whoever asks for the value.
    this.value.catch(() => {});
  }

  retain(): void {
    this.#uses += 1;
  }

  release(): void {
    this.#uses -= 1;
    if (this.#uses > 0) return;
    this.#making.abort(new ContextError('context.cancelled', 'The value was disposed of.'));
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
