/** @file The time that a call may take, and the signal that ends its work: one of a caller and a clock. */

import { interruptible } from '../interruption.ts';
import type { CallOptions } from './calls.ts';
import { transportError } from './status.ts';

export interface CallLimit extends Disposable {
  /** Aborted when the caller's is, and when time is up. */
  readonly signal: AbortSignal;
  /** Waits for the work no longer than the signal allows; rejects with its reason. */
  within<T>(work: Promise<T>): Promise<T>;
}

/**
 * Begins to count.
 * @param what names the call in the message of the TransportError `transport.deadline_exceeded`.
 */
export function callLimit({ signal: given, timeoutMs }: CallOptions, what: string): CallLimit {
  const clock = new AbortController();
  const timer = setTimeout(() => {
    clock.abort(
      transportError('transport.deadline_exceeded', `${what} took longer than ${timeoutMs} ms.`),
    );
  }, timeoutMs);
  const forward = (): void => clock.abort(given?.reason);
  if (given?.aborted) forward();
  else given?.addEventListener('abort', forward, { once: true });
  return {
    signal: clock.signal,
    within: (work) => interruptible(work, clock.signal),
    [Symbol.dispose]() {
      clearTimeout(timer);
      given?.removeEventListener('abort', forward);
    },
  };
}
