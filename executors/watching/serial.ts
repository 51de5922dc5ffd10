/**
 * @file One request at a time: executors that share a queue never work at the same time, and work in
 * the order in which they were asked.
 */

import type { Executor } from '../executor.ts';
import { WrappingExecutor } from './wrapping.ts';

/** Runs tasks one after the other, in the order in which they were added. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    // One that fails does not keep the next from running.
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Executors around it must not share its queue: a request would wait for itself. */
export class SerialExecutor extends WrappingExecutor {
  readonly #queue: SerialQueue;

  constructor(target: Executor, queue: SerialQueue) {
    super(target);
    this.#queue = queue;
  }

  protected override perform<T>(request: () => Promise<T>): Promise<T> {
    return this.#queue.run(request);
  }
}
