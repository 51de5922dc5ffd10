/** @file A variable that follows asynchronous calls: Node's `AsyncLocalStorage`. */

import { AsyncLocalStorage } from 'node:async_hooks';

export class AsyncContext<T> {
  readonly #storage = new AsyncLocalStorage<T>();

  run<R>(value: T, body: () => R): R {
    return this.#storage.run(value, body);
  }

  current(): T | undefined {
    return this.#storage.getStore();
  }
}
