/**
 * @file One invocation of a context while it runs: what can end it early, and who hears of its
 * progress.
 */

import type { InvokeOptions } from '../computations/contexts/context.ts';
import { ContextError, ValueError } from '../computations/types/index.ts';
import type { Cardinalities, RequestOptions } from '../executors/executor.ts';
import type { ProgressStep } from '../executors/progress.ts';

/**
 * How far an invocation has come. The stages come in this order; `run` any number of times, and after
 * `retry` it begins anew with `compile`.
 */
export type ProgressEvent = {
  /** Counts the invocations of a context, from 1. */
  readonly invocation: number;
  /** Name of the computation. */
  readonly computation: string;
} & (
  | { readonly stage: 'compile' }
  | { readonly stage: 'start'; readonly cardinalities: Cardinalities }
  | { readonly stage: 'run'; readonly step: ProgressStep }
  | {
      readonly stage: 'retry';
      /** The attempt that failed, from 1. */
      readonly attempt: number;
      readonly error: unknown;
      readonly delayMs: number;
    }
  | { readonly stage: 'done'; readonly milliseconds: number }
  | { readonly stage: 'failed'; readonly milliseconds: number; readonly error: unknown }
);

type ProgressStage = ProgressEvent extends infer E
  ? E extends ProgressEvent
    ? Omit<E, 'invocation' | 'computation'>
    : never
  : never;

export interface InvocationOptions extends InvokeOptions {
  readonly number: number;
  /** Name of the computation. */
  readonly computation: string;
  readonly listeners: ReadonlySet<(event: ProgressEvent) => void>;
}

export class Invocation {
  /** Aborted when the invocation is to end. The reason is the ContextError that it rejects with. */
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #options: InvocationOptions;
  readonly #began = performance.now();
  readonly #release: () => void;

  /** @throws ValueError `value.out_of_range` for a time limit that no timer can keep. */
  constructor(options: InvocationOptions) {
    this.#options = options;
    this.signal = this.#controller.signal;
    const { signal, timeoutMs } = options;
    const timer = timeoutMs === undefined ? undefined : this.#startTimer(timeoutMs);
    const abort = (): void => this.#cancelFor(signal?.reason);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    this.#release = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
  }

  /** What goes along with each request to the executors. */
  get requestOptions(): RequestOptions {
    if (this.#options.listeners.size === 0) return { signal: this.signal };
    return { signal: this.signal, onProgress: (step) => this.report({ stage: 'run', step }) };
  }

  /** Ends the invocation, unless it is over. */
  cancel(reason: ContextError): void {
    this.#controller.abort(reason);
  }

  report(stage: ProgressStage): void {
    const { number, computation, listeners } = this.#options;
    if (listeners.size === 0) return;
    const event = { invocation: number, computation, ...stage } as ProgressEvent;
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        // A listener must not break what it listens to; its error surfaces as its own.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  /** Says how it ended, and lets go of timer and signal. */
  finish(failure: { readonly error: unknown } | null): void {
    this.#release();
    const milliseconds = performance.now() - this.#began;
    this.report(
      failure === null
        ? { stage: 'done', milliseconds }
        : { stage: 'failed', milliseconds, error: failure.error },
    );
  }

  #startTimer(timeoutMs: number): ReturnType<typeof setTimeout> {
    if (!(timeoutMs >= 0 && timeoutMs <= LONGEST_TIMEOUT_MS)) {
      throw new ValueError(
        'value.out_of_range',
        `timeoutMs is a number of milliseconds from 0 to ${LONGEST_TIMEOUT_MS}; got ${timeoutMs}. Leave it out for no limit.`,
      );
    }
    const expire = (): void =>
      this.cancel(
        new ContextError(
          'context.deadline_exceeded',
          `${this.#options.computation} was not done within ${Math.round(timeoutMs)} ms. Raise timeoutMs, or give it less to do.`,
        ),
      );
    return setTimeout(expire, timeoutMs);
  }

  #cancelFor(cause: unknown): void {
    const why = cause instanceof Error && cause.name !== 'AbortError' ? `: ${cause.message}` : '.';
    this.cancel(
      new ContextError(
        'context.cancelled',
        `${this.#options.computation} was cancelled by its signal${why}`,
        { cause },
      ),
    );
  }
}

/** Longer timers fire at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
