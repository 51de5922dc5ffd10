/** @file The end of a session that makes calls: a coordinator. */

import { create } from '@bufbuild/protobuf';
import type {
  BatchRequest,
  BatchResponse,
} from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import {
  type Part,
  RequestSchema,
  type Response,
} from '../../../computations/wire/gen/fedloom/v1/envelope_pb.ts';
import type { Pieces } from '../../../computations/wire/index.ts';
import { onAbort } from '../../../executors/interruption.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
  ServedMethod,
} from '../../../executors/remote/calls.ts';
import {
  batchRequestPieces,
  decodeBatchResponse,
} from '../../../executors/remote/messages/batch-codec.ts';
import {
  decodeResponse,
  type MessageLimits,
  requestPieces,
} from '../../../executors/remote/messages/message-codec.ts';
import { decodeStatus } from '../../../executors/remote/messages/status-codec.ts';
import { errorOf, transportError } from '../../../executors/remote/status.ts';
import { activeTraceparent } from '../../../executors/remote/traceparent.ts';
import { Assembly, ByteBudget } from './assembly.ts';
import { type IncomingPart, violation } from './frames.ts';
import { MAX_TIMER_MS } from './options.ts';
import type { Session, SessionUser } from './session.ts';

export interface CallerOptions {
  /**
   * The span that a call is a part of, as in the header `traceparent` of W3C, or that it is of none.
   * @default the active one of OpenTelemetry
   */
  readonly traceparent?: () => string | undefined;
}

export class Caller implements ExecutorCalls, SessionUser {
  readonly #session: Session;
  readonly #options: CallerOptions;
  readonly #budget: ByteBudget;
  readonly #pending = new Map<number, PendingCall>();
  #calls = 0;
  #ended: Error | null = null;
  #drained: (() => void) | null = null;

  constructor(session: Session, options: CallerOptions = {}) {
    this.#session = session;
    this.#options = options;
    this.#budget = new ByteBudget(session.settings.limits.maxBufferedBytes);
    session.use(this);
  }

  /** Calls that wait for their response. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Bytes of responses that have arrived in part. */
  get bufferedBytes(): number {
    return this.#budget.used;
  }

  async call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    const bytes = await this.#exchange(method, requestPieces(method, request), options);
    return decodeResponse(method, bytes, this.#limits);
  }

  async batch(request: BatchRequest, options: CallOptions): Promise<BatchResponse> {
    const bytes = await this.#exchange('batch', batchRequestPieces(request), options);
    return decodeBatchResponse(bytes, this.#limits);
  }

  get #limits(): MessageLimits {
    return { maxBytes: this.#session.settings.limits.maxMessageBytes };
  }

  async #exchange(
    method: ServedMethod,
    sent: Pieces,
    { signal, timeoutMs }: CallOptions,
  ): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (this.#ended !== null) throw this.#ended;
    if (this.#drained !== null) {
      throw transportError('transport.unavailable', 'The session is being closed.');
    }
    const { peerMaxMessageBytes, limits } = this.#session.settings;
    if (this.#pending.size >= limits.maxCalls) {
      throw transportError(
        'transport.resource_exhausted',
        `${this.#pending.size} calls wait for the peer, as many as may.`,
      );
    }
    if (sent.length > peerMaxMessageBytes) {
      throw transportError(
        'transport.resource_exhausted',
        `The ${method} has ${sent.length} bytes, of which the peer accepts ${peerMaxMessageBytes}.`,
      );
    }
    return await this.#request(method, sent, timeoutMs, signal);
  }

  part({ call, head, offset, chunk, isAlone }: IncomingPart): void {
    if (head.case === 'request' || head.case === 'cancel') {
      throw violation(`a client sent a ${head.case}`);
    }
    const pending = this.#pending.get(call);
    if (pending === undefined) {
      if (call < 1 || call > this.#calls) throw violation(`call ${call} was never made`);
      // Nobody waits for it any more.
      return;
    }
    if (head.case === 'response') {
      if (pending.assembly !== null) throw violation(`call ${call} has two responses`);
      if (head.value.failure.length > 0) {
        const error = failureOf(head.value.failure);
        this.#session.outbox.drop(call);
        this.#settle(call, pending)?.reject(error);
        return;
      }
    } else if (pending.assembly === null) {
      throw violation(`the response to call ${call} has no beginning`);
    }
    try {
      pending.assembly ??= this.#assembly(head.value as Response);
      const message = pending.assembly.add(offset, chunk, isAlone);
      if (message !== null) this.#settle(call, pending)?.resolve(message);
    } catch (error) {
      if (!isExhausted(error)) throw error;
      this.#cancel(call, pending, error);
    }
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#pending.size === 0) resolve();
    });
  }

  ended(reason: Error): void {
    this.#ended = reason;
    for (const [call, pending] of this.#pending) this.#settle(call, pending)?.reject(reason);
    this.#drained?.();
  }

  #assembly({ length }: Response): Assembly {
    return new Assembly(
      Number(length),
      this.#session.settings.limits.maxMessageBytes,
      this.#budget,
    );
  }

  #request(
    method: ServedMethod,
    bytes: Pieces,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    this.#calls += 1;
    const call = this.#calls;
    const limitMs = Math.min(Math.max(1, Math.ceil(timeoutMs)), MAX_TIMER_MS);
    const deadline = performance.now() + limitMs;
    const { traceparent: current = activeTraceparent } = this.#options;
    const traceparent = current() ?? '';
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const text = `${method} took longer than ${timeoutMs} ms.`;
        this.#cancel(call, pending, transportError('transport.deadline_exceeded', text));
      }, limitMs);
      const pending: PendingCall = {
        resolve,
        reject,
        timer,
        stop: signal && onAbort(signal, () => this.#cancel(call, pending, signal.reason)),
        assembly: null,
      };
      this.#pending.set(call, pending);
      const head = (): Part['head'] => ({
        case: 'request',
        value: create(RequestSchema, {
          method,
          timeoutMs: Math.max(1, Math.ceil(deadline - performance.now())),
          length: BigInt(bytes.length),
          traceparent,
        }),
      });
      this.#session.outbox.add({ call, head, bytes });
      this.#session.flush();
    });
  }

  /** Waits no longer, and tells the other side, if it knows of the call. */
  #cancel(call: number, pending: PendingCall, reason: unknown): void {
    const settled = this.#settle(call, pending);
    if (settled === null) return;
    if (this.#session.outbox.drop(call)) {
      this.#session.outbox.cancel(call);
      this.#session.flush();
    }
    settled.reject(reason);
  }

  /** @returns `null` if the call has its result already. */
  #settle(call: number, pending: PendingCall): PendingCall | null {
    if (!this.#pending.delete(call)) return null;
    clearTimeout(pending.timer);
    pending.stop?.();
    pending.assembly?.release();
    if (this.#pending.size === 0) this.#drained?.();
    return pending;
  }
}

interface PendingCall {
  readonly resolve: (message: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
  readonly timer: ReturnType<typeof setTimeout>;
  /** Ends the use of the caller's signal. */
  readonly stop: (() => void) | undefined;
  assembly: Assembly | null;
}

/** A peer may write anything into a status, also what makes no error of ours. */
function failureOf(status: Uint8Array): Error {
  const { code, message, error } = decodeStatus(status);
  try {
    return errorOf({ code, message, ...(error !== undefined && { error }) });
  } catch (cause) {
    return transportError('transport.unknown', message, cause);
  }
}

/** Whether a limit was exceeded, which is the end of a call and not of the session. */
export function isExhausted(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'transport.resource_exhausted';
}
