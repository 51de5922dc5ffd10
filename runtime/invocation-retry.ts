/**
 * @file Invocations that are begun anew when another process is gone, after a while that doubles from
 * one attempt to the next, and not for ever. TensorFlow Federated does so without a limit.
 */

import { ExecutionError, TransportError } from '../computations/types/index.ts';
import { delay } from '../executors/remote/client/retry.ts';
import type { Invocation } from './invocation.ts';

export interface InvocationRetry {
  /** How often a computation is begun, the first time included. @default 10 */
  readonly maxAttempts?: number;
  /** How long to wait before the second attempt, in milliseconds; it doubles each time. @default 2 */
  readonly firstDelayMs?: number;
  /** The longest wait. @default 30000 */
  readonly maxDelayMs?: number;
}

/** Runs until it succeeds, fails for another reason, or has failed often enough. */
export async function repeatedly<T>(
  { maxAttempts = 10, firstDelayMs = 2, maxDelayMs = 30_000 }: InvocationRetry,
  invocation: Invocation,
  run: () => Promise<T>,
): Promise<T> {
  let before: unknown;
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      // An argument that can be read only once is why there is no other attempt, not what went wrong.
      if (attempt > 1 && isConsumed(error)) throw before;
      before = error;
      if (attempt >= maxAttempts || invocation.signal.aborted || !isPassing(error)) throw error;
      const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
      invocation.report({ stage: 'retry', attempt, error, delayMs });
      await delay(delayMs, invocation.signal);
    }
  }
}

/** Whether it may be over by the next attempt: a process was gone, or lost what it held for us. */
function isPassing(error: unknown): boolean {
  if (error instanceof TransportError) return PASSING.has(error.code);
  // A client that failed because its process is gone.
  const isClient = error instanceof ExecutionError && error.code === 'execution.client_failed';
  return isClient && isPassing(error.cause);
}

function isConsumed(error: unknown): boolean {
  return error instanceof ExecutionError && error.code === 'execution.sequence_consumed';
}

const PASSING: ReadonlySet<string> = new Set([
  'transport.unavailable',
  'transport.failed_precondition',
]);
