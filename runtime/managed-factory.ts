/**
 * @file Keeps executors for reuse: one for each set of cardinalities, the least recently used one
 * goes when there are too many. An executor that is in use is closed when its last user is done.
 */

import { ContextError } from '../computations/types/index.ts';
import type { Cardinalities, Executor, ExecutorFactory } from '../executors/executor.ts';

export interface ManagedFactoryOptions {
  /** Makes an executor; it is closed when it is no longer kept. */
  readonly build: (cardinalities: Cardinalities) => Promise<Executor>;
  /** How many executors are kept at most. @default 10 */
  readonly maxExecutors?: number;
  /** Frees what the executors shared; called after they are closed. */
  readonly onClose?: () => Promise<void>;
  /**
   * A number that changes when executors made before cannot be used any more, as when a worker under
   * them is gone. @default never
   */
  readonly generation?: () => number;
  /** See `ExecutorFactory.handles`. */
  readonly handles?: ReadonlySet<string>;
  /** See `ExecutorFactory.defaultClients`. */
  readonly defaultClients?: number;
}

/**
 * A factory that reuses what `build` makes. A build that fails is not kept, so that the next call
 * tries again.
 */
export function managedExecutorFactory(options: ManagedFactoryOptions): ExecutorFactory {
  return new ManagedFactory(options);
}

const DEFAULT_MAX_EXECUTORS = 10;

class ManagedFactory implements ExecutorFactory {
  readonly handles?: ReadonlySet<string>;
  readonly defaultClients?: number;
  readonly #build: (cardinalities: Cardinalities) => Promise<Executor>;
  readonly #maxExecutors: number;
  readonly #onClose: () => Promise<void>;
  readonly #generation: () => number;
  /** By cardinalities, least recently used first. */
  readonly #kept = new Map<string, Entry>();
  /** Every entry that is not closed yet, kept or not. */
  readonly #alive = new Set<Entry>();
  readonly #byExecutor = new WeakMap<Executor, Entry>();
  #closed = false;

  constructor(options: ManagedFactoryOptions) {
    const { build, maxExecutors, onClose, generation, handles, defaultClients } = options;
    this.#build = build;
    this.#generation = generation ?? (() => 0);
    this.#onClose = onClose ?? (async () => {});
    this.#maxExecutors = Math.max(1, maxExecutors ?? DEFAULT_MAX_EXECUTORS);
    if (handles !== undefined) this.handles = handles;
    if (defaultClients !== undefined) this.defaultClients = defaultClients;
  }

  async createExecutor(cardinalities: Cardinalities): Promise<Executor> {
    if (this.#closed) throw new ContextError('context.closed', 'The executor factory is closed.');
    const key = keyOf(cardinalities);
    const entry = this.#usable(key) ?? this.#start(key, cardinalities);
    // Put last: the map's order is that of use.
    this.#kept.delete(key);
    this.#kept.set(key, entry);
    // In use from now on, so that nothing closes it while it starts.
    entry.users++;
    this.#evict();
    try {
      const executor = await entry.executor;
      this.#byExecutor.set(executor, entry);
      return executor;
    } catch (error) {
      this.#release(entry);
      throw error;
    }
  }

  releaseExecutor(executor: Executor): void {
    const entry = this.#byExecutor.get(executor);
    if (entry !== undefined) this.#release(entry);
  }

  async cleanUpExecutor(cardinalities: Cardinalities): Promise<void> {
    const key = keyOf(cardinalities);
    const entry = this.#kept.get(key);
    if (entry === undefined) return;
    this.#kept.delete(key);
    await this.#closeIfUnused(entry);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#kept.clear();
    const endings = [...this.#alive].map((entry) => {
      const ending = this.#end(entry);
      // One that does not start is closed if it ever does; waiting for that could take for ever.
      return entry.started ? ending : void ending.catch(() => {});
    });
    const attempts = await Promise.allSettled(endings);
    await this.#onClose();
    const failed = attempts.find((attempt) => attempt.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** The executor that is kept for these cardinalities, unless it is of an earlier generation. */
  #usable(key: string): Entry | undefined {
    const entry = this.#kept.get(key);
    if (entry === undefined || entry.generation === this.#generation()) return entry;
    this.#kept.delete(key);
    // Nobody waits for it: what went wrong with it is why it is replaced.
    this.#closeIfUnused(entry).catch(() => {});
    return undefined;
  }

  #start(key: string, cardinalities: Cardinalities): Entry {
    const generation = this.#generation();
    const executor = this.#build(cardinalities);
    const entry: Entry = { key, executor, generation, users: 0, started: false, ending: null };
    this.#alive.add(entry);
    executor.then(
      () => {
        entry.started = true;
      },
      () => {
        this.#alive.delete(entry);
        if (this.#kept.get(key) === entry) this.#kept.delete(key);
      },
    );
    return entry;
  }

  #evict(): void {
    for (const [key, entry] of this.#kept) {
      if (this.#kept.size <= this.#maxExecutors) return;
      this.#kept.delete(key);
      // Nobody waits for it; close() reports what went wrong, if it is the one to close it.
      this.#closeIfUnused(entry).catch(() => {});
    }
  }

  #release(entry: Entry): void {
    entry.users--;
    if (this.#kept.get(entry.key) === entry) return;
    this.#closeIfUnused(entry).catch(() => {});
  }

  async #closeIfUnused(entry: Entry): Promise<void> {
    if (entry.users === 0) await this.#end(entry);
  }

  #end(entry: Entry): Promise<void> {
    entry.ending ??= entry.executor.then(
      (executor) => executor.close(),
      // A failed start was reported to who asked for it, and left nothing to close.
      () => {},
    );
    return entry.ending.finally(() => this.#alive.delete(entry));
  }
}

interface Entry {
  readonly key: string;
  readonly executor: Promise<Executor>;
  readonly generation: number;
  users: number;
  started: boolean;
  ending: Promise<void> | null;
}

/** The same for equal cardinalities, in whatever order they are written. */
function keyOf(cardinalities: Cardinalities): string {
  return JSON.stringify(Object.entries(cardinalities).sort(([a], [b]) => (a < b ? -1 : 1)));
}
