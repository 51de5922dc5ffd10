/**
 * @file The twin of a transport, in memory: every request and response becomes bytes and comes back
 * from them, failures too, within the limits of a transport. For tests of whatever uses one, and for
 * simulations that are to show that everything crosses.
 */

import { callLimit } from './call-limit.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from './calls.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  isExecutorMethod,
  type MessageLimits,
  requireSize,
} from './message-codec.ts';
import { delay } from './retry.ts';
import { takeBack } from './serve.ts';
import { type CallStatus, errorOf, statusOf, transportError } from './status.ts';
import { decodeStatus, encodeStatus } from './status-codec.ts';

export interface InMemoryOptions {
  /** The longest message either way. @default 2 GiB less one byte, like gRPC's */
  readonly maxMessageBytes?: number;
  /** How long a message takes, each way, in milliseconds. @default 0: no timer is set */
  readonly delayMs?: number;
  /** Asked for each message; for tests. */
  readonly fault?: (crossing: Crossing) => Fault;
}

/** A message on its way. */
export interface Crossing {
  readonly method: ExecutorMethod;
  readonly way: 'request' | 'response';
  /** Calls so far, this one included. */
  readonly call: number;
  readonly bytes: number;
}

/**
 * What becomes of a message: `drop`, so that nothing is heard of it; `unavailable`, as when the
 * connection breaks: a request is not carried out, the answer of one that was is lost.
 */
export type Fault = 'drop' | 'unavailable' | undefined;

/** Calls that reach `served` as bytes. */
export function inMemoryCalls(served: ExecutorCalls, options: InMemoryOptions = {}): ExecutorCalls {
  return new InMemoryCalls(served, options);
}

class InMemoryCalls implements ExecutorCalls {
  readonly #served: ExecutorCalls;
  readonly #limits: MessageLimits;
  readonly #delayMs: number;
  readonly #fault: (crossing: Crossing) => Fault;
  #count = 0;

  constructor(served: ExecutorCalls, options: InMemoryOptions) {
    this.#served = served;
    this.#limits = { maxBytes: options.maxMessageBytes ?? 2 ** 31 - 1 };
    this.#delayMs = options.delayMs ?? 0;
    this.#fault = options.fault ?? (() => undefined);
  }

  async call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    this.#count += 1;
    const call = this.#count;
    if (!isExecutorMethod(method)) {
      throw transportError('transport.unimplemented', `There is no method '${String(method)}'.`);
    }
    using limit = callLimit(options, `${method} in memory`);
    limit.signal.throwIfAborted();
    const sent = encodeRequest(method, request);
    requireSize(sent.length, this.#limits.maxBytes);
    const exchanging = this.#exchange(method, sent, call, { ...options, signal: limit.signal });
    return await limit.within(exchanging, (late) => takeBack(this.#served, method, request, late));
  }

  async #exchange<M extends ExecutorMethod>(
    method: M,
    sent: Uint8Array,
    call: number,
    options: CallOptions & { readonly signal: AbortSignal },
  ): Promise<ExecutorResponse<M>> {
    await this.#cross({ method, way: 'request', call, bytes: sent.length }, options.signal);
    const answer = await this.#serve(method, sent, options);
    const { bytes } = answer;
    try {
      await this.#cross({ method, way: 'response', call, bytes: bytes.length }, options.signal);
      options.signal.throwIfAborted();
    } catch (error) {
      // The other side hears of a call that is cancelled, but not of an answer that is lost.
      if (options.signal.aborted) answer.takeBack();
      throw error;
    }
    if (answer.failed) throw errorOf(decodeStatus(bytes));
    return decodeResponse(method, bytes, this.#limits);
  }

  /** The other side: it has the bytes, and gives bytes. */
  async #serve<M extends ExecutorMethod>(
    method: M,
    sent: Uint8Array,
    { signal, timeoutMs }: CallOptions & { readonly signal: AbortSignal },
  ): Promise<Answer> {
    try {
      const request = decodeRequest(method, sent, this.#limits);
      const response = await this.#served.call(method, request, { signal, timeoutMs });
      const undo = (): void => takeBack(this.#served, method, request, response);
      try {
        const bytes = encodeResponse(method, response);
        requireSize(bytes.length, this.#limits.maxBytes);
        return { bytes, failed: false, takeBack: undo };
      } catch (error) {
        undo();
        throw error;
      }
    } catch (error) {
      const status: CallStatus = statusOf(error);
      return { bytes: encodeStatus(status), failed: true, takeBack: () => {} };
    }
  }

  async #cross(crossing: Crossing, signal: AbortSignal): Promise<void> {
    if (this.#delayMs > 0) await delay(this.#delayMs, signal);
    switch (this.#fault(crossing)) {
      case 'drop':
        return new Promise((_, reject) => {
          // Until time is up.
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
      case 'unavailable':
        throw transportError('transport.unavailable', `The connection broke: ${crossing.way}.`);
    }
  }
}

interface Answer {
  readonly bytes: Uint8Array;
  readonly failed: boolean;
  /** The caller is not told: what was made for it is disposed of. */
  takeBack(): void;
}
