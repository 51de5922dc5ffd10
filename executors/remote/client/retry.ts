/**
 * @file Calls that are made again when the other process cannot be reached, after a while that grows
 * from one attempt to the next, and not for ever. Only those that can do no harm when they were
 * carried out already, and just the answer was lost:
 *
 * - `getExecutor`: the second answer names the same executor. It is then counted twice, and lives
 *   until its connection ends, or the service; a count too low would take it from others. It may also
 *   fail with FAILED_PRECONDITION, when what the service builds on is gone: then it builds anew.
 * - `compute` reads a value, and `dispose` names what is never named again.
 *
 * A value that was made twice would stay behind under a number that nobody knows, and a call made
 * twice would use up a protocol state: so `create…` fails at once, and whoever runs the computation
 * begins it anew. `disposeExecutor` would count down twice. A call on an executor that is gone
 * (FAILED_PRECONDITION) fails the same way every time, so it is not repeated either.
 */

import { TransportError, ValueError } from '../../../computations/types/index.ts';
import { onAbort } from '../../interruption.ts';
import { callLimit, timerMs } from '../call-limit.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../calls.ts';
import { transportError } from '../status.ts';

export interface RetryOptions {
  /** How often a call is made, the first time included. @default 10 */
  readonly maxAttempts?: number;
  /**
   * How long a call may be repeated, in milliseconds from its beginning. Its own time limit holds for
   * all attempts together, and may be shorter. @default 60,000
   */
  readonly maxTotalMs?: number;
  /** The longest wait before the second attempt, in milliseconds; it doubles each time. @default 2 */
  readonly firstDelayMs?: number;
  /** The longest wait of all. @default 30,000 */
  readonly maxDelayMs?: number;
  /**
   * From 0 to 1: where between half and all of it a wait is, so that many callers do not come back at
   * the same moment. @default Math.random
   */
  readonly random?: () => number;
  /** Told before each wait. */
  readonly onRetry?: (retry: Retry) => void;
}

export interface Retry {
  readonly method: ExecutorMethod;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly error: TransportError;
  readonly delayMs: number;
}

export class RetryingCalls implements ExecutorCalls {
  readonly #calls: ExecutorCalls;
  readonly #options: Required<RetryOptions>;
  /** Not repeated: a batch makes values. */
  readonly batch?: NonNullable<ExecutorCalls['batch']>;

  /** @throws ValueError `value.out_of_range` for limits without sense. */
  constructor(calls: ExecutorCalls, options: RetryOptions = {}) {
    this.#calls = calls;
    if (calls.batch !== undefined) this.batch = calls.batch.bind(calls);
    this.#options = {
      maxAttempts: 10,
      maxTotalMs: 60_000,
      firstDelayMs: 2,
      maxDelayMs: 30_000,
      random: Math.random,
      onRetry: () => {},
      ...options,
    };
    const { maxAttempts, maxTotalMs, firstDelayMs, maxDelayMs } = this.#options;
    if (!Number.isSafeInteger(maxAttempts) || maxAttempts < 1) throw senseless({ maxAttempts });
    for (const [name, value] of Object.entries({ maxTotalMs, firstDelayMs, maxDelayMs })) {
      if (!(value >= 0)) throw senseless({ [name]: value });
    }
  }

  async call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    const repeated = REPEATED[method];
    if (repeated === undefined) return this.#calls.call(method, request, options);
    const { maxAttempts, maxTotalMs, onRetry } = this.#options;
    const start = performance.now();
    using limit = callLimit(options, `${method}, with all attempts,`);
    for (let attempt = 1; ; attempt++) {
      const passedMs = performance.now() - start;
      try {
        const timeoutMs = Math.max(0, options.timeoutMs - passedMs);
        return await this.#calls.call(method, request, { signal: limit.signal, timeoutMs });
      } catch (error) {
        if (!(error instanceof TransportError) || !repeated.has(error.code)) throw error;
        limit.signal.throwIfAborted();
        const delayMs = this.#delayMs(attempt);
        const totalMs = performance.now() - start + delayMs;
        if (attempt >= maxAttempts || totalMs > maxTotalMs) throw givenUp(error, method, attempt);
        onRetry({ method, attempt, error, delayMs });
        await delay(delayMs, limit.signal);
      }
    }
  }

  #delayMs(attempt: number): number {
    const { firstDelayMs, maxDelayMs, random } = this.#options;
    const longest = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
    return longest * (0.5 + random() / 2);
  }
}

const UNREACHABLE = new Set(['transport.unavailable']);

/** The failures after which a method is called again; see the opener. */
const REPEATED: { readonly [M in ExecutorMethod]?: ReadonlySet<string> } = {
  getExecutor: new Set(['transport.unavailable', 'transport.failed_precondition']),
  compute: UNREACHABLE,
  dispose: UNREACHABLE,
};

/** Waits, unless the signal is aborted. @throws its reason */
export function delay(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(() => {
      stop();
      resolve();
    }, timerMs(delayMs));
    const stop = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

function givenUp(error: TransportError, method: ExecutorMethod, attempts: number): TransportError {
  if (attempts === 1) return error;
  const message = error.message.replace(`[${error.code}] `, '');
  return transportError(
    error.code,
    `${method} failed ${attempts} times, at last: ${message}`,
    error,
  );
}

function senseless(option: { readonly [name: string]: number }): ValueError {
  const [[name, value] = []] = Object.entries(option);
  return new ValueError(
    'value.out_of_range',
    `${name} is ${value}; attempts are counted from 1, and times are not negative.`,
  );
}
