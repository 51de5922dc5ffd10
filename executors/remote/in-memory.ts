/**
 * @file The twin of a transport, in memory: every request and response becomes bytes and comes back
 * from them, failures too, within the limits of a transport. For tests of whatever uses one, and for
 * simulations that are to show that everything crosses.
 */

import type {
  BatchRequest,
  BatchResponse,
} from '../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import { joinPieces } from '../../computations/wire/index.ts';
import { callLimit } from './call-limit.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
  ServedMethod,
} from './calls.ts';
import { delay } from './client/retry.ts';
import {
  batchRequestPieces,
  batchResponsePieces,
  decodeBatchRequest,
  decodeBatchResponse,
} from './messages/batch-codec.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  isExecutorMethod,
  type MessageLimits,
  requireSize,
} from './messages/message-codec.ts';
import { decodeStatus, encodeStatus } from './messages/status-codec.ts';
import { type CallStatus, errorOf, statusOf, transportError } from './status.ts';
import { takeBack, takeBackBatch } from './take-back.ts';

export interface InMemoryOptions {
  /** The longest message either way. @default 2 GiB less one byte, like gRPC's */
  readonly maxMessageBytes?: number;
  /** Whether batches cross, too, where `served` takes them. @default false */
  readonly batches?: boolean;
  /** How long a message takes, each way, in milliseconds. @default 0: no timer is set */
  readonly delayMs?: number;
  /** Asked for each message; for tests. */
  readonly fault?: (crossing: Crossing) => Fault;
}

/** A message on its way. */
export interface Crossing {
  readonly method: ServedMethod;
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
  readonly batch?: NonNullable<ExecutorCalls['batch']>;
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
    const batches = options.batches ? batchesAt(served, this.#limits) : undefined;
    if (batches !== undefined) {
      this.batch = (request, callOptions) => this.#carry(batches, request, callOptions);
    }
  }

  async call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    if (!isExecutorMethod(method)) {
      throw transportError('transport.unimplemented', `There is no method '${String(method)}'.`);
    }
    return this.#carry(callsAt(this.#served, method, this.#limits), request, options);
  }

  async #carry<Q, R>(carrier: Carrier<Q, R>, request: Q, options: CallOptions): Promise<R> {
    this.#count += 1;
    const call = this.#count;
    using limit = callLimit(options, `${carrier.method} in memory`);
    limit.signal.throwIfAborted();
    const sent = carrier.encodeRequest(request);
    requireSize(sent.length, this.#limits.maxBytes);
    const exchanging = this.#exchange(carrier, sent, call, { ...options, signal: limit.signal });
    return await limit.within(exchanging, (late) => carrier.takeBack(request, late));
  }

  async #exchange<Q, R>(
    carrier: Carrier<Q, R>,
    sent: Uint8Array,
    call: number,
    options: CallOptions & { readonly signal: AbortSignal },
  ): Promise<R> {
    const { method } = carrier;
    await this.#cross({ method, way: 'request', call, bytes: sent.length }, options.signal);
    const answer = await this.#serve(carrier, sent, options);
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
    return carrier.decodeResponse(bytes);
  }

  /** The other side: it has the bytes, and gives bytes. */
  async #serve<Q, R>(
    carrier: Carrier<Q, R>,
    sent: Uint8Array,
    { signal, timeoutMs }: CallOptions & { readonly signal: AbortSignal },
  ): Promise<Answer> {
    try {
      const request = carrier.decodeRequest(sent);
      const response = await carrier.serve(request, { signal, timeoutMs });
      const undo = (): void => carrier.takeBack(request, response);
      try {
        const bytes = carrier.encodeResponse(response);
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

/** How requests of one kind become bytes and come back from them. */
interface Carrier<Q, R> {
  readonly method: ServedMethod;
  encodeRequest(request: Q): Uint8Array;
  decodeRequest(bytes: Uint8Array): Q;
  serve(request: Q, options: CallOptions): Promise<R>;
  encodeResponse(response: R): Uint8Array;
  decodeResponse(bytes: Uint8Array): R;
  takeBack(request: Q, response: R): void;
}

function callsAt<M extends ExecutorMethod>(
  served: ExecutorCalls,
  method: M,
  limits: MessageLimits,
): Carrier<ExecutorRequest<M>, ExecutorResponse<M>> {
  return {
    method,
    encodeRequest: (request) => encodeRequest(method, request),
    decodeRequest: (bytes) => decodeRequest(method, bytes, limits),
    serve: (request, options) => served.call(method, request, options),
    encodeResponse: (response) => encodeResponse(method, response),
    decodeResponse: (bytes) => decodeResponse(method, bytes, limits),
    takeBack: (request, response) => takeBack(served, method, request, response),
  };
}

function batchesAt(
  served: ExecutorCalls,
  limits: MessageLimits,
): Carrier<BatchRequest, BatchResponse> | undefined {
  const serve = served.batch?.bind(served);
  if (serve === undefined) return undefined;
  return {
    method: 'batch',
    encodeRequest: (request) => joinPieces(batchRequestPieces(request)),
    decodeRequest: (bytes) => decodeBatchRequest(bytes, limits),
    serve,
    encodeResponse: (response) => joinPieces(batchResponsePieces(response)),
    decodeResponse: (bytes) => decodeBatchResponse(bytes, limits),
    takeBack: (request, { made }) => takeBackBatch(served, request, made),
  };
}
