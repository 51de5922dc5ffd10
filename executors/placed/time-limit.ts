/** @file How long clients may take for a piece of work. */

import { countdown } from '../countdown.ts';
import type { RequestOptions } from '../executor.ts';
import { onAbort } from '../interruption.ts';

/** Why a client's work was ended: it took too long. */
export class ClientTimeout extends Error {
  constructor(timeoutMs: number) {
    super(`it was not done within ${timeoutMs} ms`);
    this.name = 'ClientTimeout';
  }
}

/** A request that ends when its time is up, if there is a limit. */
export class TimeLimit implements Disposable {
  /** What goes along with the work: its signal is aborted by a `ClientTimeout`, too. */
  readonly options: RequestOptions;
  #stop: () => void = () => {};

  /** @param timeoutMs without it, the work may take as long as the request. */
  constructor(options: RequestOptions, timeoutMs: number | undefined) {
    if (timeoutMs === undefined) {
      this.options = options;
      return;
    }
    const { signal } = options;
    signal?.throwIfAborted();
    const controller = new AbortController();
    const { expired, stop } = countdown(timeoutMs);
    void expired.then(() => controller.abort(new ClientTimeout(timeoutMs)));
    const unfollow = signal && onAbort(signal, () => controller.abort(signal.reason));
    this.options = { ...options, signal: controller.signal };
    this.#stop = () => {
      stop();
      unfollow?.();
    };
  }

  /** The work is over. */
  [Symbol.dispose](): void {
    this.#stop();
  }
}
