/**
 * @file Expands the masks of a secure sum on worker threads. The server's part of `secAgg` and
 * `secAggPlus` is nearly all expansion, and every mask is expanded on its own, so the time falls with
 * the number of cores.
 */

import { ContextError, ExecutionError, ValueError } from '../../computations/types/index.ts';
import type { ClonedError } from '../../executors/cloned-error.ts';
import { restoreError } from '../../executors/cloned-error.ts';
import type { RequestOptions } from '../../executors/executor.ts';
import type { UnmaskingPool } from '../../executors/secure/index.ts';
import { requireThreads, workerCode } from '../../executors/threads/platform.ts';
import {
  applyCorrections,
  type MaskPart,
  type MasksToRemove,
  maskParts,
  type Residues,
  type SecAggServerFault,
  type SecAggServerFinished,
} from '../../protocols/index.ts';

export interface UnmaskingThreadsOptions {
  /** How many threads at most; `'auto'` is one for each core. @default 'auto' */
  readonly threads?: number | 'auto';
}

export interface UnmaskingThreads extends UnmaskingPool, AsyncDisposable {
  /** Ends the threads. Sums under way fail. */
  close(): Promise<void>;
}

/** Sent to a worker: one part, and the number of the request. */
export interface ExpandRequest {
  readonly id: number;
  readonly part: Omit<MaskPart, 'masks'> & {
    readonly masks: readonly { readonly seed: Uint8Array; readonly sign: 1 | -1 }[];
  };
}

export type ExpandResponse =
  | { readonly id: number; readonly correction: Residues }
  | { readonly id: number; readonly error: ClonedError };

/**
 * Threads for `secAgg({ unmasking: unmaskingThreads() })`. They start with the first sum, and do not
 * keep a process from ending while they have nothing to do.
 * @throws ValueError `value.out_of_range`, ExecutionError `execution.backend_unavailable` where there
 *   are no threads.
 */
export function unmaskingThreads({
  threads = 'auto',
}: UnmaskingThreadsOptions = {}): UnmaskingThreads {
  const { cores } = requireThreads();
  const count = threads === 'auto' ? cores : threads;
  if (!Number.isSafeInteger(count) || count < 1 || count > 1024) {
    throw new ValueError('value.out_of_range', `threads is 1 to 1024 or 'auto'; got ${threads}.`);
  }
  return new Threads(count);
}

/** Smaller parts than threads, so that a thread that is done early finds more to do. */
const PARTS_A_THREAD = 3;

class Threads implements UnmaskingThreads {
  readonly #count: number;
  readonly #workers = new Set<ExpansionWorker>();
  #closed = false;

  constructor(count: number) {
    this.#count = count;
  }

  async removeMasks(
    masks: MasksToRemove,
    { signal, onProgress }: RequestOptions = {},
  ): Promise<SecAggServerFinished | SecAggServerFault> {
    signal?.throwIfAborted();
    if (this.#closed) {
      throw new ContextError('context.closed', 'These unmasking threads were closed.');
    }
    while (this.#workers.size < this.#count) this.#start();
    const parts = maskParts(masks, this.#count * PARTS_A_THREAD).flat();
    const waiting = [...parts];
    const corrections: { vector: number; correction: Residues }[] = [];
    let done = 0;
    const report = (): void =>
      onProgress?.({ kind: 'protocol', stage: 'expand-masks', done, total: parts.length });
    report();
    const serve = async (worker: ExpansionWorker): Promise<void> => {
      for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
        const { vector } = part;
        corrections.push({ vector, correction: await worker.expand(part) });
        signal?.throwIfAborted();
        done += 1;
        report();
      }
    };
    // All are waited for, so that nothing is left running when one fails.
    const served = await Promise.allSettled([...this.#workers].map(serve));
    const failed = served.find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    return applyCorrections(masks, corrections);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#workers].map((worker) => worker.end()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(): void {
    const worker = new ExpansionWorker(() => void this.#workers.delete(worker));
    this.#workers.add(worker);
  }
}

class ExpansionWorker {
  readonly #worker: InstanceType<ReturnType<typeof requireThreads>['Worker']>;
  readonly #waiting = new Map<
    number,
    { resolve(correction: Residues): void; reject(reason: unknown): void }
  >();
  readonly #onLost: () => void;
  #next = 0;

  constructor(onLost: () => void) {
    this.#onLost = onLost;
    const { Worker } = requireThreads();
    const module = new URL(
      import.meta.url.replace(/unmasking-threads\.(ts|js)$/, 'unmasking-worker.node.$1'),
    );
    this.#worker = new Worker(workerCode(module), { eval: true });
    this.#worker.unref();
    this.#worker.on('message', (response: ExpandResponse) => this.#receive(response));
    this.#worker.once('error', (error: unknown) => this.#lose(error));
    this.#worker.once('exit', (code) => this.#lose(new Error(`It exited with ${code}.`)));
  }

  expand(part: MaskPart): Promise<Residues> {
    const id = this.#next++;
    const request: ExpandRequest = {
      id,
      part: {
        ...part,
        masks: part.masks.map(({ seed, sign }) => ({ seed: seed.reveal(), sign })),
      },
    };
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  async end(): Promise<void> {
    this.#lose(new Error('The threads were closed.'));
    await this.#worker.terminate();
  }

  #receive(response: ExpandResponse): void {
    const entry = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('error' in response) entry?.reject(restoreError(response.error));
    else entry?.resolve(response.correction);
  }

  #lose(cause: unknown): void {
    this.#onLost();
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new ExecutionError(
      'execution.worker_lost',
      `A thread that takes masks off ended unexpectedly: ${reason} The sum failed; the next one gets a new thread.`,
      { cause },
    );
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
