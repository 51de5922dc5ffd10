/** @file The end of a session that serves calls: a client of the federation. */

import { create } from '@bufbuild/protobuf';
import type {
  BatchRequest,
  BatchResponse,
} from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import {
  type Part,
  type Request,
  ResponseSchema,
} from '../../../computations/wire/gen/fedloom/v1/envelope_pb.ts';
import { type Pieces, piecesOf } from '../../../computations/wire/index.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
  ServedMethod,
} from '../../../executors/remote/calls.ts';
import {
  batchResponsePieces,
  decodeBatchRequest,
} from '../../../executors/remote/messages/batch-codec.ts';
import {
  decodeRequest,
  isExecutorMethod,
  type MessageLimits,
  responsePieces,
} from '../../../executors/remote/messages/message-codec.ts';
import { encodeStatus } from '../../../executors/remote/messages/status-codec.ts';
import { statusOf, transportError } from '../../../executors/remote/status.ts';
import { takeBack, takeBackBatch } from '../../../executors/remote/take-back.ts';
import { Assembly, ByteBudget } from './assembly.ts';
import { isExhausted } from './caller.ts';
import { type IncomingPart, violation } from './frames.ts';
import { MAX_TIMER_MS } from './options.ts';
import type { Session, SessionUser } from './session.ts';

/** A call that is served, for what goes around it: a span, a line of a log. */
export interface ServedCall {
  readonly method: ServedMethod;
  /** Context of the caller's trace, as in the header `traceparent` of W3C; may be empty. */
  readonly traceparent: string;
}

export interface CallServerOptions {
  /** Serves the calls. */
  readonly calls: ExecutorCalls;
  /** Called with the work of each call, which it must begin, once. @default begins it */
  readonly around?: <T>(call: ServedCall, work: () => Promise<T>) => Promise<T>;
}

export class CallServer implements SessionUser {
  readonly #session: Session;
  readonly #options: CallServerOptions;
  readonly #arrived: ByteBudget;
  readonly #unsent: ByteBudget;
  readonly #served = new Map<number, Serving>();
  /** What takes the latest responses back, for callers that cancel as those are on their way. */
  readonly #answered = new Map<number, () => void>();
  /** Calls that are worked on, also those that nobody waits for any more. */
  #working = 0;
  #ended = false;
  #drained: (() => void) | null = null;

  constructor(session: Session, options: CallServerOptions) {
    this.#session = session;
    this.#options = options;
    this.#arrived = new ByteBudget(session.settings.limits.maxBufferedBytes);
    this.#unsent = new ByteBudget(session.settings.limits.maxBufferedBytes);
    session.use(this);
  }

  /** Calls that have begun and have no response yet. */
  get serving(): number {
    return this.#served.size;
  }

  /** Bytes of requests that are held. */
  get bufferedBytes(): number {
    return this.#arrived.used;
  }

  part({ call, head, offset, chunk, isAlone }: IncomingPart): void {
    switch (head.case) {
      case 'response':
        throw violation('a coordinator sent a response');
      case 'cancel':
        this.#cancel(call);
        return;
      case 'request':
        if (call < 1 || this.#served.has(call) || this.#session.outbox.has(call)) {
          throw violation(`call ${call} has begun already, or cannot begin`);
        }
        break;
      default:
    }
    try {
      if (head.case === 'request') this.#begin(call, head.value);
      const serving = this.#served.get(call);
      // Of a call that was refused or cancelled, the rest may still be on its way.
      if (serving === undefined) return;
      if (serving.isWhole) throw violation(`call ${call} has more bytes than it said`);
      const message = serving.assembly.add(offset, chunk, isAlone);
      if (message === null) return;
      serving.isWhole = true;
      this.#working += 1;
      // It reports its failures itself.
      void this.#serve(call, serving, message);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#forget(call);
      this.#fail(call, error);
    }
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.#checkDrained();
    });
  }

  ended(reason: Error): void {
    this.#ended = true;
    // Whatever was made is released with the session.
    this.#answered.clear();
    for (const [call, { controller }] of this.#served) {
      this.#forget(call);
      controller.abort(reason);
    }
    this.#drained?.();
  }

  #begin(call: number, { method, timeoutMs, length, traceparent }: Request): void {
    if (this.#drained !== null) {
      throw transportError('transport.unavailable', 'This client is about to leave.');
    }
    const { maxCalls, maxMessageBytes } = this.#session.settings.limits;
    if (this.#served.size >= maxCalls || this.#working >= maxCalls) {
      throw transportError(
        'transport.resource_exhausted',
        `${maxCalls} calls are worked on, as many as may at a time.`,
      );
    }
    if (!this.#serves(method)) {
      const text = `There is no method ${JSON.stringify(method.slice(0, 60))}.`;
      throw transportError('transport.unimplemented', text);
    }
    this.#served.set(call, {
      method,
      traceparent: traceparent.slice(0, 200),
      deadline: performance.now() + Math.min(timeoutMs, MAX_TIMER_MS),
      controller: new AbortController(),
      assembly: new Assembly(Number(length), maxMessageBytes, this.#arrived),
      isWhole: false,
    });
  }

  async #serve(call: number, serving: Serving, bytes: Uint8Array): Promise<void> {
    const { method, traceparent, controller, deadline } = serving;
    const { calls, around = (_, work) => work() } = this.#options;
    const isAwaited = (): boolean => this.#served.get(call) === serving;
    try {
      const { maxMessageBytes } = this.#session.settings.limits;
      const work = workOf(calls, method, bytes, { maxBytes: maxMessageBytes });
      const timeoutMs = Math.max(1, Math.ceil(deadline - performance.now()));
      const { pieces, undo } = await around({ method, traceparent }, () =>
        work({ signal: controller.signal, timeoutMs }),
      );
      try {
        if (isAwaited()) {
          this.#respond(call, pieces());
          if (undo !== null) this.#remember(call, undo);
        } else undo?.();
      } catch (error) {
        undo?.();
        throw error;
      }
    } catch (error) {
      if (isAwaited()) this.#fail(call, error);
    } finally {
      this.#working -= 1;
      if (isAwaited()) this.#forget(call);
      this.#checkDrained();
    }
  }

  #serves(method: string): method is ServedMethod {
    if (method === 'batch') return this.#options.calls.batch !== undefined;
    return isExecutorMethod(method);
  }

  #respond(call: number, bytes: Pieces): void {
    const { length } = bytes;
    const { peerMaxMessageBytes } = this.#session.settings;
    if (length > peerMaxMessageBytes) {
      throw transportError(
        'transport.resource_exhausted',
        `The response has ${length} bytes, of which the caller accepts ${peerMaxMessageBytes}.`,
      );
    }
    if (!this.#unsent.take(length)) {
      throw transportError(
        'transport.resource_exhausted',
        `The caller has left ${this.#unsent.used} bytes of other responses unread.`,
      );
    }
    const value = create(ResponseSchema, { length: BigInt(length) });
    this.#send(call, { case: 'response', value }, bytes, () => this.#unsent.give(length));
  }

  #remember(call: number, undo: () => void): void {
    if (this.#ended) return;
    this.#answered.set(call, undo);
    const [oldest = call] = this.#answered.keys();
    if (this.#answered.size > MAX_ANSWERED) this.#answered.delete(oldest);
  }

  #fail(call: number, error: unknown): void {
    const value = create(ResponseSchema, { failure: encodeStatus(statusOf(error)) });
    this.#send(call, { case: 'response', value }, piecesOf());
  }

  #send(call: number, head: Part['head'], bytes: Pieces, released?: () => void): void {
    if (this.#ended) {
      released?.();
      return;
    }
    const { outbox, settings } = this.#session;
    outbox.add({ call, head: () => head, bytes, ...(released && { released }) });
    if (outbox.size > 2 * settings.limits.maxCalls) {
      const text = `${outbox.size} responses are left unread.`;
      this.#session.abort(transportError('transport.resource_exhausted', text), RESOURCE_EXHAUSTED);
      return;
    }
    this.#session.flush();
  }

  #cancel(call: number): void {
    const serving = this.#served.get(call);
    this.#forget(call);
    // The response may have gone already: whoever cancels has not taken it.
    this.#session.outbox.drop(call);
    this.#answered.get(call)?.();
    this.#answered.delete(call);
    serving?.controller.abort(
      transportError('transport.cancelled', 'The caller does not wait for the response any more.'),
    );
    this.#checkDrained();
  }

  #forget(call: number): void {
    const serving = this.#served.get(call);
    if (serving === undefined) return;
    this.#served.delete(call);
    serving.assembly.release();
  }

  #checkDrained(): void {
    if (this.#served.size === 0) this.#drained?.();
  }
}

interface Serving extends ServedCall {
  /** By `performance.now()`. */
  readonly deadline: number;
  readonly controller: AbortController;
  readonly assembly: Assembly;
  isWhole: boolean;
}

const RESOURCE_EXHAUSTED = 8;

/** Of so many calls it is known how to take their responses back. */
const MAX_ANSWERED = 1024;

/** What a call came to. */
interface Done {
  /** The response. */
  readonly pieces: () => Pieces;
  /** Disposes of what was made, for somebody who is not told; `null` if nothing was. */
  readonly undo: (() => void) | null;
}

/** @throws TransportError for a request that cannot be read. */
function workOf(
  calls: ExecutorCalls,
  method: ServedMethod,
  bytes: Uint8Array,
  limits: MessageLimits,
): (options: CallOptions) => Promise<Done> {
  return method === 'batch' ? batchOf(calls, bytes, limits) : callOf(calls, method, bytes, limits);
}

function callOf<M extends ExecutorMethod>(
  calls: ExecutorCalls,
  method: M,
  bytes: Uint8Array,
  limits: MessageLimits,
): (options: CallOptions) => Promise<Done> {
  const request = decodeRequest(method, bytes, limits);
  return async (options) => {
    const response = await calls.call(method, request, options);
    return {
      pieces: () => responsePieces(method, response),
      // Those of data are large, and leave nothing behind.
      undo: method === 'compute' ? null : undoing(calls, method, withoutValue(request), response),
    };
  };
}

// Made in functions of their own, so that they keep nothing alive but what they need.

function undoing<M extends ExecutorMethod>(
  calls: ExecutorCalls,
  method: M,
  request: ExecutorRequest<M>,
  response: ExecutorResponse<M>,
): () => void {
  return () => takeBack(calls, method, request, response);
}

function undoingBatch(
  calls: ExecutorCalls,
  executor: Pick<BatchRequest, 'executor'>,
  made: BatchResponse['made'],
): (() => void) | null {
  return made.length === 0 ? null : () => takeBackBatch(calls, executor, made);
}

function batchOf(
  calls: ExecutorCalls,
  bytes: Uint8Array,
  limits: MessageLimits,
): (options: CallOptions) => Promise<Done> {
  const { executor, ...rest } = decodeBatchRequest(bytes, limits);
  const by = executor === undefined ? {} : { executor };
  return async (options) => {
    const response = await calls.batch?.({ ...rest, ...by }, options);
    if (response === undefined) throw transportError('transport.unimplemented', 'No batches.');
    return {
      pieces: () => batchResponsePieces(response),
      undo: undoingBatch(calls, by, response.made),
    };
  };
}

/** What names the executor of a request, without the data that it brings. */
function withoutValue<M extends ExecutorMethod>(request: ExecutorRequest<M>): ExecutorRequest<M> {
  if (!('value' in request)) return request;
  const { value: _, ...rest } = request;
  return rest as ExecutorRequest<M>;
}

/** What ends a call; anything else that a part does wrong ends the session. */
function isRefusal(error: unknown): boolean {
  if (isExhausted(error) || !(error instanceof Error)) return true;
  const code: unknown = Reflect.get(error, 'code');
  return code === 'transport.unimplemented' || code === 'transport.unavailable';
}
