/**
 * @file Work that several wait for: it is done once, and interrupted only when nobody waits any more.
 */

import { interruptible } from '../interruption.ts';

export class SharedWork<T> {
  readonly #abort = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;
  #settled = false;

  /** @param start begins the work; the signal is aborted when the last one who waited was. */
  constructor(start: (signal: AbortSignal) => Promise<T>) {
    const settle = (): void => {
      this.#settled = true;
    };
    this.#result = start(this.#abort.signal);
    // Who waits gets the failure; that nobody does is no error.
    this.#result.then(settle, settle);
  }

  /** True once it was interrupted: it is no use to wait for it then. */
  get abandoned(): boolean {
    return this.#abort.signal.aborted;
  }

  /**
   * The result.
   * @param signal ends this wait, and the work if no other is left.
   * @throws the signal's reason, or what the work failed with.
   */
  async wait(signal: AbortSignal | undefined): Promise<T> {
    this.#waiting++;
    try {
      return await interruptible(this.#result, signal);
    } finally {
      this.#waiting--;
      if (this.#waiting === 0 && !this.#settled) this.#abort.abort(signal?.reason);
    }
  }
}
