/**
 * @file Keeps a client connected: dials, serves, and dials again with exponential back-off and jitter,
 * until it is stopped or told that there is no point.
 */

import { interruptible, onAbort } from '../../executors/interruption.ts';
import { transportError } from '../../executors/remote/status.ts';
import type { Attached } from './envelope/client.ts';
import { isFinalRefusal } from './envelope/greeting.ts';
import { checkRange, MAX_TIMER_MS } from './envelope/options.ts';
import type { Link } from './link.ts';

export interface ReconnectorOptions {
  /** Opens a link to the coordinator; the signal is aborted when it takes too long. */
  readonly dial: (signal: AbortSignal) => Promise<Link>;
  /** Greets the coordinator and serves it, e.g. with `EnvelopeClient.serve`. */
  readonly serve: (link: Link, options: { readonly signal: AbortSignal }) => Promise<Attached>;
  readonly backOff?: Partial<BackOff>;
  /** How long dialling may take, in milliseconds. @default 10,000 */
  readonly dialMs?: number;
  /** So many failures in a row are the end. @default no limit */
  readonly maxFailures?: number;
  /** From 0 to less than 1. @default Math.random */
  readonly random?: () => number;
  /** Told of every change. */
  readonly onState?: (state: ReconnectorState) => void;
}

export interface BackOff {
  /** The wait after the first failure, in milliseconds. @default 500 */
  readonly firstMs: number;
  /** By how much a wait is longer than the one before. @default 2 */
  readonly factor: number;
  /** The longest wait, in milliseconds. @default 30,000 */
  readonly mostMs: number;
  /**
   * The part of a wait that is random, from 0 to 1, so that many clients do not come at once.
   * @default 0.5
   */
  readonly jitter: number;
  /** After a link that lasted so long, in milliseconds, waits begin anew. @default 1000 */
  readonly stableMs: number;
}

export type ReconnectorState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'dialling'; readonly failures: number }
  | { readonly kind: 'connected'; readonly session: string; readonly resumed: boolean }
  | { readonly kind: 'waiting'; readonly waitMs: number; readonly reason: Error }
  | { readonly kind: 'stopped'; readonly reason: Error | null };

export class Reconnector {
  readonly #options: ReconnectorOptions;
  readonly #backOff: BackOff;
  readonly #stop = new AbortController();
  #state: ReconnectorState = { kind: 'idle' };
  #failures = 0;
  #running: Promise<void> | null = null;

  constructor(options: ReconnectorOptions) {
    this.#options = options;
    this.#backOff = { ...DEFAULT_BACK_OFF, ...options.backOff };
    checkRange('firstMs', this.#backOff.firstMs, 0, MAX_TIMER_MS);
    checkRange('mostMs', this.#backOff.mostMs, this.#backOff.firstMs, MAX_TIMER_MS);
  }

  get state(): ReconnectorState {
    return this.#state;
  }

  /**
   * Stays connected.
   * @returns when it is stopped.
   * @throws TransportError the refusal that will not change; the last failure, if there were too many.
   */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Dials no more. The link that is there stays: close the client to end it. */
  stop(): void {
    this.#stop.abort(transportError('transport.cancelled', 'The client was told to stop.'));
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      while (!signal.aborted) {
        const reason = await this.#connectOnce();
        await this.#wait(reason);
      }
      this.#become({ kind: 'stopped', reason: null });
    } catch (error) {
      const isStopped = signal.aborted;
      this.#become({ kind: 'stopped', reason: isStopped ? null : (error as Error) });
      if (!isStopped) throw error;
    }
  }

  /** @returns why it is not connected any more. @throws what there is no point to go on after. */
  async #connectOnce(): Promise<Error> {
    const { signal } = this.#stop;
    this.#become({ kind: 'dialling', failures: this.#failures });
    let attached: Attached;
    try {
      const link = await this.#dial();
      attached = await this.#options.serve(link, { signal });
    } catch (error) {
      if (signal.aborted || isFinalRefusal(error)) throw error;
      this.#failures += 1;
      return error as Error;
    }
    const { session, resumed, lost } = attached;
    this.#become({ kind: 'connected', session, resumed });
    const since = performance.now();
    const { reason, end } = await interruptible(lost, signal);
    const isStable = performance.now() - since >= this.#backOff.stableMs;
    this.#failures = isStable ? 0 : this.#failures + 1;
    if (end?.by === 'peer' && isFinalRefusal(end.reason.cause)) throw end.reason.cause;
    return reason;
  }

  async #dial(): Promise<Link> {
    const { dial, dialMs = 10_000 } = this.#options;
    const limit = new AbortController();
    const timer = setTimeout(() => {
      const text = `The coordinator could not be reached within ${dialMs} ms.`;
      limit.abort(transportError('transport.deadline_exceeded', text));
    }, dialMs);
    const ignore = onAbort(this.#stop.signal, () => limit.abort(this.#stop.signal.reason));
    try {
      return await interruptible(dial(limit.signal), limit.signal, (late) => late.close());
    } finally {
      clearTimeout(timer);
      ignore();
    }
  }

  async #wait(reason: Error): Promise<void> {
    const { maxFailures = Number.POSITIVE_INFINITY, random = Math.random } = this.#options;
    const { firstMs, factor, mostMs, jitter } = this.#backOff;
    if (this.#failures >= maxFailures) throw reason;
    const longest = Math.min(mostMs, firstMs * factor ** Math.max(0, this.#failures - 1));
    const waitMs = Math.round(longest * (1 - jitter * random()));
    this.#become({ kind: 'waiting', waitMs, reason });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs);
    });
    try {
      await interruptible(waited, this.#stop.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  #become(state: ReconnectorState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }
}

const DEFAULT_BACK_OFF: BackOff = {
  firstMs: 500,
  factor: 2,
  mostMs: 30_000,
  jitter: 0.5,
  stableMs: 1000,
};
