/**
 * @file One request at a time: executors that share a queue never work at the same time, and work in
 * the order in which they were asked.
 */

import type { Executor, RequestOptions } from '../executor.ts';
import { interruptible } from '../interruption.ts';
import { TimeLimit } from '../placed/time-limit.ts';
import { WrappingExecutor } from './wrapping.ts';

/** Runs tasks one after the other, in the order in which they were added. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param signal ends the turn of a task that does not end by itself; one whose turn has not come
   *   is not begun then.
   */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const result = this.#last.then(() => {
      signal?.throwIfAborted();
      return task();
    });
    // One that fails does not keep the next from running.
    this.#last = interruptible(result, signal).then(ignore, ignore);
    return result;
  }
}

export interface SerialOptions {
  /** A request that takes longer, from when its turn has come, fails. @default none */
  readonly timeoutMs?: number | undefined;
}

/** Executors around it must not share its queue: a request would wait for itself. */
export class SerialExecutor extends WrappingExecutor {
  readonly #queue: SerialQueue;
  readonly #timeoutMs: number | undefined;

  constructor(target: Executor, queue: SerialQueue, { timeoutMs }: SerialOptions = {}) {
    super(target);
    this.#queue = queue;
    this.#timeoutMs = timeoutMs;
  }

  protected override perform<T>(
    request: () => Promise<T>,
    options: RequestOptions = {},
  ): Promise<T> {
    return this.#queue.run(async () => {
      if (this.#timeoutMs === undefined) return request();
      using limit = new TimeLimit(options, this.#timeoutMs);
      return await interruptible(request(), limit.options.signal, disposeOf);
    }, options.signal);
  }
}

function disposeOf(late: unknown): void {
  if (typeof late !== 'object' || late === null || !(Symbol.dispose in late)) return;
  (late as Disposable)[Symbol.dispose]();
}

function ignore(): void {}
