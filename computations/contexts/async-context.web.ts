/**
 * @file A variable that follows synchronous calls only. Browsers do not expose asynchronous
 * context yet, so past the first `await` the default context counts again.
 */

export class AsyncContext<T> {
  #current: T | undefined;

  run<R>(value: T, body: () => R): R {
    const outer = this.#current;
    this.#current = value;
    try {
      return body();
    } finally {
      this.#current = outer;
    }
  }

  current(): T | undefined {
    return this.#current;
  }
}
