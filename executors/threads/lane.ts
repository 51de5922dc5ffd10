/**
 * @file Work of a worker, one task after the other: it computes on one core anyway, and the values of
 * one client at a time need less memory than those of all. While a task waits for something from
 * outside, another one may begin.
 */

export class Lane {
  #limit = 1;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** Runs `task` when those before it are done, or wait. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#admit();
    });
    try {
      return await task();
    } finally {
      this.#running--;
      this.#admit();
    }
  }

  /**
   * Says that a running task waits.
   * @returns says that it goes on; called once.
   */
  widen(): () => void {
    this.#limit++;
    this.#admit();
    return () => void this.#limit--;
  }

  #admit(): void {
    while (this.#running < this.#limit) {
      const begin = this.#waiting.shift();
      if (begin === undefined) return;
      this.#running++;
      begin();
    }
  }
}
