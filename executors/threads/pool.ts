/**
 * @file A pool of worker threads, each with a backend of its own. Executors are spread over them, and
 * stay where they are: their values never move. Workers start when they are first needed.
 */

import { ContextError, ValueError } from '../../computations/types/index.ts';
import type { OperatorRecipe } from '../leaf/operator.ts';
import type { ConnectionUsage } from './connection.ts';
import { requireThreads } from './platform.ts';
import { PoolWorker } from './pool-worker.ts';
import { ThreadExecutor } from './thread-executor.ts';

export interface ThreadPoolOptions {
  /** How many workers at most; `'auto'` is one for each core. */
  readonly threads: number | 'auto';
  /** The module that a worker runs: it makes a ThreadHost. */
  readonly module: URL;
  /** What the module finds as its `workerData`. */
  readonly data?: unknown;
  /**
   * How long a worker may take to start, in milliseconds; then whoever waits for it fails with
   * `context.start_timeout`. @default 30000
   */
  readonly startTimeoutMs?: number;
}

export interface ThreadPoolUsage extends ConnectionUsage {
  readonly workers: number;
}

export class ThreadPool {
  readonly #options: ThreadPoolOptions;
  /** A worker for each thread, once it was needed, and until it is lost. */
  readonly #workers: (PoolWorker | null)[];
  #closing: Promise<void> | null = null;
  #workersLost = 0;

  /** @throws ValueError `value.out_of_range` unless `threads` is `'auto'` or a whole number from 1. */
  constructor(options: ThreadPoolOptions) {
    const { threads } = options;
    if (threads !== 'auto' && !(Number.isSafeInteger(threads) && threads >= 1)) {
      throw new ValueError(
        'value.out_of_range',
        `threads is a whole number from 1, or 'auto' for one a core; got ${threads}.`,
      );
    }
    this.#options = options;
    const { cores } = requireThreads();
    this.#workers = new Array<PoolWorker | null>(threads === 'auto' ? cores : threads).fill(null);
  }

  /** How many workers broke down so far, and took with them what lived there. */
  get workersLost(): number {
    return this.#workersLost;
  }

  /** The workers that run, and what all of them hold. */
  get usage(): ThreadPoolUsage {
    const running = this.#workers.filter((worker) => worker !== null);
    const usages = running.map(({ usage }) => usage);
    return {
      workers: running.length,
      handles: usages.reduce((sum, { handles }) => sum + handles, 0),
      streams: usages.reduce((sum, { streams }) => sum + streams, 0),
    };
  }

  /**
   * A new executor on the worker that has the fewest.
   * @throws ContextError `context.closed` or `context.start_timeout`
   * @throws ExecutionError `execution.worker_lost`, or why a worker cannot start.
   */
  async executor(operators: readonly OperatorRecipe[] = []): Promise<ThreadExecutor> {
    if (this.#closing !== null) throw closed();
    const loads = this.#workers.map((worker) => worker?.load ?? 0);
    const index = loads.indexOf(Math.min(...loads));
    const worker = this.#workers[index] ?? this.#start(index);
    worker.load++;
    try {
      const connection = await worker.started;
      return await ThreadExecutor.open(connection, operators, () => worker.load--);
    } catch (error) {
      worker.load--;
      throw error;
    }
  }

  /** Ends all workers; what they do fails with `context.closed`. */
  close(): Promise<void> {
    this.#closing ??= Promise.all(this.#workers.map((worker) => worker?.end(closed()))).then(
      () => {},
    );
    return this.#closing;
  }

  #start(index: number): PoolWorker {
    const { module, data, startTimeoutMs = DEFAULT_START_TIMEOUT_MS } = this.#options;
    const worker: PoolWorker = new PoolWorker({
      name: `Worker thread ${index}`,
      module,
      data,
      startTimeoutMs,
      onLost: () => {
        this.#workersLost++;
        if (this.#workers[index] === worker) this.#workers[index] = null;
      },
    });
    this.#workers[index] = worker;
    return worker;
  }
}

const DEFAULT_START_TIMEOUT_MS = 30_000;

function closed(): ContextError {
  return new ContextError('context.closed', 'The executor factory is closed.');
}
