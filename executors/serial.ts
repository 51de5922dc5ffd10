/**
 * @file One request at a time: executors that share a queue never work at the same time, and work in
 * the order in which they were asked.
 */

import type { MaterializedValue, Type } from '../computations/types/index.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from './executor.ts';
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

  override createValue(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    return this.#queue.run(() => super.createValue(value, type, options));
  }

  override createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    return this.#queue.run(() => super.createCall(fn, argument, options));
  }

  override createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    return this.#queue.run(() => super.createStruct(elements));
  }

  override createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    return this.#queue.run(() => super.createSelection(source, index));
  }

  override readInner(inner: ExecutorValue, options?: RequestOptions): Promise<MaterializedValue> {
    return this.#queue.run(() => super.readInner(inner, options));
  }
}
