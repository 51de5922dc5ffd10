/**
 * @file Work of a worker, one task after the other: it computes on one core anyway, and the values of
 * one client at a time need less memory than those of all. A task that waits for something, instead
 * of computing, lets another one begin.
 */

export interface LaneOptions {
  /**
   * The share of the time since the last call in which this thread had something to do, from 0 to 1.
   * Without it only those tasks count as waiting that say so.
   */
  readonly utilization?: () => number;
}

export class Lane {
  readonly #utilization: (() => number) | null;
  #limit = 1;
  #running = 0;
  #watching = false;
  readonly #waiting: (() => void)[] = [];

  constructor({ utilization }: LaneOptions = {}) {
    this.#utilization = utilization ?? null;
  }

  /** Runs `task` when those before it are done, or wait. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#admit(this.#limit);
    });
    try {
      return await task();
    } finally {
      this.#running--;
      this.#admit(this.#limit);
    }
  }

  /**
   * Says that a running task waits.
   * @returns says that it goes on; called once.
   */
  widen(): () => void {
    this.#limit++;
    this.#admit(this.#limit);
    return () => void this.#limit--;
  }

  #admit(limit: number): void {
    while (this.#running < limit) {
      const begin = this.#waiting.shift();
      if (begin === undefined) return;
      this.#running++;
      begin();
    }
    if (this.#waiting.length > 0) this.#watch();
  }

  /** As long as tasks queue up, looks whether those that run do anything. */
  #watch(): void {
    if (this.#watching || this.#utilization === null) return;
    this.#watching = true;
    // The time before this one does not count.
    this.#utilization();
    setTimeout(() => {
      this.#watching = false;
      const isIdle = (this.#utilization?.() ?? 1) < IDLE;
      this.#admit(isIdle ? this.#running + 1 : this.#limit);
    }, PATIENCE_MS);
  }
}

const PATIENCE_MS = 50;
const IDLE = 0.5;
