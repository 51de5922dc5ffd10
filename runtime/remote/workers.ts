/**
 * @file The workers of a remote stack: which of them answer, who has which clients, and whether what
 * they held for us is still there.
 */

import { create } from '@bufbuild/protobuf';
import { CardinalityError, TransportError, ValueError } from '../../computations/types/index.ts';
import { ExecutorGroup } from '../../computations/wire/index.ts';
import { callLimit } from '../../executors/remote/call-limit.ts';
import type { ExecutorCalls } from '../../executors/remote/calls.ts';
import { RetryingCalls, type RetryOptions } from '../../executors/remote/client/retry.ts';
import { transportError } from '../../executors/remote/status.ts';

/** A process that serves executors. */
export interface RemoteWorker {
  /** For messages. @default its number */
  readonly name?: string;
  /** What reaches it: `grpcCalls(address)`, a client that dialled in, a host in this process. */
  readonly calls: ExecutorCalls;
  /**
   * How many of the clients are there: of all workers, or of none. Without it they are spread over
   * those that answer.
   */
  readonly clients?: number;
  /** Ends what reaches it, when the factory is closed. */
  readonly close?: () => Promise<void>;
}

export interface WorkerOptions {
  readonly probeTimeoutMs: number;
  readonly retry: RetryOptions | false;
  readonly onWorkerDown: (worker: string, error: unknown) => void;
}

/** A worker, and how many clients it has. */
export interface WorkerShare {
  readonly name: string;
  readonly calls: ExecutorCalls;
  readonly clients: number;
}

export class Workers {
  readonly #workers: readonly WatchedWorker[];
  readonly #options: WorkerOptions;
  #live: readonly WatchedWorker[] = [];
  #changes = 0;

  /** @throws ValueError `value.out_of_range` if some workers state their clients and others do not. */
  constructor(workers: readonly RemoteWorker[], options: WorkerOptions) {
    this.#options = options;
    this.#workers = workers.map((worker, i) => new WatchedWorker(worker, i, options.retry));
    requireAllOrNone(workers);
  }

  /** How many clients the workers state that they have. */
  get statedClients(): number | undefined {
    return this.#isStated ? sumOf(this.#workers.map(({ stated = 0 }) => stated)) : undefined;
  }

  /** Changes when executors that were made at the workers may be gone, or belong elsewhere. */
  get generation(): number {
    return this.#changes + sumOf(this.#workers.map(({ losses }) => losses));
  }

  /**
   * Asks all workers whether they are there.
   * @throws TransportError `transport.unavailable` if there are workers, and none answers.
   */
  async probe(): Promise<void> {
    const failures: string[] = [];
    const answers = await Promise.all(
      this.#workers.map(async (worker) => {
        const error = await worker.probe(this.#options.probeTimeoutMs);
        if (error === null) return [worker];
        failures.push(error.message);
        this.#options.onWorkerDown(worker.name, error);
        return [];
      }),
    );
    const live = answers.flat();
    if (live.length !== this.#live.length || live.some((worker, i) => worker !== this.#live[i])) {
      this.#changes += 1;
    }
    this.#live = live;
    if (live.length > 0 || this.#workers.length === 0) return;
    throw transportError(
      'transport.unavailable',
      `None of ${this.#workers.length} workers answers: ${failures.slice(0, 3).join('; ')}`,
    );
  }

  /**
   * Who has the clients, in the order of the workers. As TensorFlow Federated does, each worker that
   * answers has ceil(clients / workers) of them, and the last ones what is left; or each has those that
   * it states, whether it answers or not: nobody else has their data.
   * @throws TransportError `transport.invalid_argument` for clients without workers, CardinalityError
   *   `cardinality.mismatch` if the workers have other clients.
   */
  shares(clients: number): readonly WorkerShare[] {
    if (clients > 0 && this.#workers.length === 0) {
      throw transportError(
        'transport.invalid_argument',
        `There are ${clients} clients, and no worker to have them.`,
      );
    }
    const { statedClients } = this;
    if (statedClients !== undefined) {
      if (statedClients !== clients) {
        throw new CardinalityError(
          'cardinality.mismatch',
          `The workers have ${statedClients} clients; asked for ${clients}.`,
        );
      }
      // One that is known not to answer is not waited for: its clients are lost at once.
      return this.#workers.map((worker) => ({
        ...(this.#live.includes(worker) ? worker.served : worker.unrepeated),
        clients: worker.stated ?? 0,
      }));
    }
    const most = Math.ceil(clients / this.#live.length);
    return this.#live.map(({ served }, i) => ({
      ...served,
      clients: Math.max(0, Math.min(most, clients - i * most)),
    }));
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  get #isStated(): boolean {
    return this.#workers.some(({ stated }) => stated !== undefined);
  }
}

/** Counts the calls after which what the worker held for us may be gone. */
class WatchedWorker {
  readonly name: string;
  readonly stated: number | undefined;
  readonly close: () => Promise<void>;
  /** Calls that are repeated when that does no harm. */
  readonly served: Omit<WorkerShare, 'clients'>;
  readonly unrepeated: Omit<WorkerShare, 'clients'>;
  losses = 0;
  readonly #calls: ExecutorCalls;

  constructor(worker: RemoteWorker, index: number, retry: RetryOptions | false) {
    const { name = `worker ${index}`, calls, clients } = worker;
    this.name = name;
    this.stated = clients;
    this.close = async () => worker.close?.();
    this.#calls = calls;
    // What was repeated with success was no loss.
    this.served = this.#watched(retry === false ? calls : new RetryingCalls(calls, retry));
    this.unrepeated = this.#watched(calls);
  }

  /** What is wrong with it. */
  async probe(timeoutMs: number): Promise<Error | null> {
    if (this.#calls.isConnected) return null;
    // To dispose of nothing, at an executor that is not there, is allowed by every service.
    const message = create(ExecutorGroup.method.dispose.input, { executor: { id: '' } });
    using limit = callLimit({ timeoutMs }, `To ask ${this.name} whether it is there`);
    try {
      await limit.within(this.#calls.call('dispose', message, { timeoutMs, signal: limit.signal }));
      return null;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return transportError('transport.unavailable', `${this.name}: ${reason}`, error);
    }
  }

  #watched(calls: ExecutorCalls): Omit<WorkerShare, 'clients'> {
    const batch = calls.batch?.bind(calls);
    return {
      name: this.name,
      calls: {
        call: (method, request, options) => this.#watch(() => calls.call(method, request, options)),
        ...(batch !== undefined && {
          batch: (request, options) => this.#watch(() => batch(request, options)),
        }),
      },
    };
  }

  async #watch<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (error instanceof TransportError && LOSSES.has(error.code)) this.losses += 1;
      throw error;
    }
  }
}

function requireAllOrNone(workers: readonly RemoteWorker[]): void {
  const stated = workers.filter(({ clients }) => clients !== undefined);
  const wrong = stated.find(
    ({ clients }) => !(Number.isSafeInteger(clients) && Number(clients) >= 0),
  );
  if (wrong !== undefined || (stated.length > 0 && stated.length < workers.length)) {
    throw new ValueError(
      'value.out_of_range',
      `The clients of workers are whole numbers, for all workers or for none; got ${workers.map(({ clients }) => clients ?? 'none').join(', ')}.`,
    );
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/** After these a worker may have begun anew. */
const LOSSES: ReadonlySet<string> = new Set([
  'transport.unavailable',
  'transport.failed_precondition',
]);
