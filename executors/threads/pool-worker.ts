/** @file One worker thread of a pool: its start, its end, and what became of it. */

import { ContextError, ExecutionError } from '../../computations/types/index.ts';
import { restoreError } from '../cloned-error.ts';
import { type ConnectionUsage, WorkerConnection } from './connection.ts';
import type { FromWorker } from './messages.ts';
import { requireThreads, workerCode } from './platform.ts';

export interface PoolWorkerOptions {
  /** How messages call it. */
  readonly name: string;
  /** The module that it runs: it makes a ThreadHost. */
  readonly module: URL;
  /** What the module finds as its `workerData`. */
  readonly data: unknown;
  readonly startTimeoutMs: number;
  /** Called once, when it cannot be used any more. */
  readonly onLost: () => void;
}

export class PoolWorker {
  /** Executors that live on it. */
  load = 0;
  /** Rejects if it does not start. */
  readonly started: Promise<WorkerConnection>;
  readonly #options: PoolWorkerOptions;
  readonly #worker: InstanceType<ReturnType<typeof requireThreads>['Worker']>;
  readonly #connection: WorkerConnection;
  readonly #timer: ReturnType<typeof setTimeout>;
  #resolveStart: (connection: WorkerConnection) => void = () => {};
  #rejectStart: (reason: Error) => void = () => {};

  constructor(options: PoolWorkerOptions) {
    this.#options = options;
    const { Worker } = requireThreads();
    const code = workerCode(options.module);
    const worker = new Worker(code, { workerData: options.data, eval: true });
    this.#worker = worker;
    this.#connection = new WorkerConnection(worker, {
      // A process may end while its workers have nothing to do.
      onBusy: (busy) => (busy ? worker.ref() : worker.unref()),
    });
    this.started = new Promise((resolve, reject) => {
      this.#resolveStart = resolve;
      this.#rejectStart = reject;
    });
    // Observed by whoever waits for it.
    this.started.catch(() => {});
    const { startTimeoutMs } = options;
    this.#timer = setTimeout(() => this.#lose(this.#notReady()), startTimeoutMs);
    worker.on('message', (messages: readonly FromWorker[]) => this.#receive(messages));
    worker.once('error', (error: unknown) => this.#lose(this.#ended(error)));
    worker.once('exit', (code) => this.#lose(this.#ended(new Error(`It exited with ${code}.`))));
  }

  get usage(): ConnectionUsage {
    return this.#connection.usage;
  }

  /** Ends it; what it does fails with the reason. */
  async end(reason: Error): Promise<void> {
    this.#lose(reason);
    await this.#worker.terminate();
  }

  #receive(messages: readonly FromWorker[]): void {
    for (const message of messages) {
      if (message.op === 'unfit') this.#lose(restoreError(message.error));
      if (message.op !== 'ready') continue;
      clearTimeout(this.#timer);
      this.#worker.unref();
      this.#resolveStart(this.#connection);
    }
    this.#connection.receive(messages);
  }

  #lose(reason: Error): void {
    if (this.#connection.lost !== null) return;
    clearTimeout(this.#timer);
    this.#connection.lose(reason);
    this.#rejectStart(reason);
    this.#options.onLost();
    void this.#worker.terminate();
  }

  #ended(cause: unknown): ExecutionError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new ExecutionError(
      'execution.worker_lost',
      `${this.#options.name} ended unexpectedly, and the values of its clients are lost: ${reason} The next invocation gets a new worker.`,
      { cause },
    );
  }

  #notReady(): ContextError {
    return new ContextError(
      'context.start_timeout',
      `${this.#options.name} was not ready within ${this.#options.startTimeoutMs} ms. Its backend may not load; raise startTimeoutMs if it only needs longer.`,
    );
  }
}
