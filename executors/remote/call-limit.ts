/** @file The time that a call may take, and the signal that ends its work: one of a caller and a clock. */

import { interruptible, onAbort } from '../interruption.ts';
import type { CallOptions } from './calls.ts';
import { transportError } from './status.ts';

export interface CallLimit extends Disposable {
  /** Aborted when the caller's is, and when time is up. */
  readonly signal: AbortSignal;
  /**
   * Waits for the work no longer than the signal allows; rejects with its reason.
   * @param discard frees a result that comes too late.
   */
  within<T>(work: Promise<T>, discard?: (late: T) => void): Promise<T>;
}

/**
 * Begins to count. Times longer than a timer can keep, some 24 days, are cut to that.
 * @param what names the call in the message of the TransportError `transport.deadline_exceeded`.
 */
export function callLimit({ signal: given, timeoutMs }: CallOptions, what: string): CallLimit {
  const clock = new AbortController();
  const timer = setTimeout(() => {
    clock.abort(
      transportError('transport.deadline_exceeded', `${what} took longer than ${timeoutMs} ms.`),
    );
  }, timerMs(timeoutMs));
  const forward = (): void => clock.abort(given?.reason);
  let stop = (): void => {};
  if (given?.aborted) forward();
  else if (given !== undefined) stop = onAbort(given, forward);
  return {
    signal: clock.signal,
    within: (work, discard) => interruptible(work, clock.signal, discard),
    [Symbol.dispose]() {
      clearTimeout(timer);
      stop();
    },
  };
}

/** A time as `setTimeout` takes it, which would take a longer one for none. */
export function timerMs(timeMs: number): number {
  return Math.min(Math.max(0, timeMs), 2 ** 31 - 1) || 0;
}
