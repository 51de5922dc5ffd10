/** @file Who serves the calls of ExecutorGroup: one for all peers, or one for each connection. */

import type { Server } from '@grpc/grpc-js';
import { ExecutorGroup } from '../../computations/wire/index.ts';
import { interruptible } from '../../executors/interruption.ts';
import { serveWithinSpan } from '../../executors/remote/call-spans.ts';
import type { ExecutorCalls, ExecutorMethod } from '../../executors/remote/calls.ts';
import {
  decodeRequest,
  encodeResponse,
  isExecutorMethod,
} from '../../executors/remote/messages/message-codec.ts';
import { transportError } from '../../executors/remote/status.ts';
import { takeBack } from '../../executors/remote/take-back.ts';
import type { PeerIdentity } from '../remote/link.ts';
import { peerOf } from './grpc-link.node.ts';
import { sessionOf, widenWindow } from './internals.node.ts';
import { type ServedCall, serveUnary } from './methods.node.ts';

/** The calls of one connection; `ExecutorHost.connect()` makes such. */
export interface ConnectionCalls extends ExecutorCalls {
  /** The connection ended: what its peer holds can go. */
  close(): Promise<void>;
}

/** Serves a connection that has begun, or throws what its calls are refused with. */
export type ConnectExecutors = (peer: PeerIdentity) => ConnectionCalls;

export interface CallLimits {
  readonly defaultCallMs: number;
  readonly maxCallMs: number;
  readonly maxMessageBytes: number;
  readonly receiveWindowBytes: number;
}

export class ConnectedExecutors {
  readonly #host: ExecutorCalls | ConnectExecutors;
  readonly #limits: CallLimits;
  /** By connection, or by its address where the connection cannot be told. */
  readonly #byConnection = new Map<object | string, ConnectionCalls>();
  readonly #stopping = new AbortController();
  readonly #endings = new Set<Promise<void>>();

  constructor(host: ExecutorCalls | ConnectExecutors, limits: CallLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  addTo(server: Server): void {
    for (const name of Object.keys(ExecutorGroup.method).filter(isExecutorMethod)) {
      serveUnary(server, ExecutorGroup.method[name], (bytes, served) =>
        this.#answer(name, bytes, served),
      );
    }
  }

  /** Tells the callers that still wait; their work is stopped when they are gone. */
  stop(): void {
    this.#stopping.abort(
      transportError('transport.unavailable', 'The service shut down before the call was done.'),
    );
  }

  /** Ends all connections; waits for what hangs on them. */
  async close(): Promise<void> {
    for (const connection of [...this.#byConnection.keys()]) this.#end(connection);
    await Promise.all(this.#endings);
  }

  #answer(method: ExecutorMethod, bytes: Uint8Array, served: ServedCall): Promise<Uint8Array> {
    const [traceparent] = served.call.metadata.get('traceparent');
    const text = typeof traceparent === 'string' ? traceparent : undefined;
    return serveWithinSpan({ method, system: 'grpc', traceparent: text }, () =>
      this.#serve(method, bytes, served),
    );
  }

  async #serve<M extends ExecutorMethod>(
    method: M,
    bytes: Uint8Array,
    { call, signal }: ServedCall,
  ): Promise<Uint8Array> {
    const request = decodeRequest(method, bytes, { maxBytes: this.#limits.maxMessageBytes });
    const calls = this.#callsOf(call);
    const timeoutMs = this.#timeLeft(call.getDeadline());
    const answering = calls.call(method, request, { signal, timeoutMs });
    const response = await interruptible(answering, this.#stopping.signal);
    if (signal.aborted) takeBack(calls, method, request, response);
    return encodeResponse(method, response);
  }

  /** No call is without a limit, whatever its caller says. */
  #timeLeft(deadline: Date | number): number {
    const { defaultCallMs, maxCallMs } = this.#limits;
    const left = Number(deadline) - Date.now();
    if (left <= 0) {
      throw transportError('transport.deadline_exceeded', 'The deadline of the call has passed.');
    }
    return Math.min(Number.isFinite(left) ? left : defaultCallMs, maxCallMs);
  }

  #callsOf(call: ServedCall['call']): ExecutorCalls {
    const session = sessionOf(call);
    if (session !== null) widenWindow(session, this.#limits.receiveWindowBytes);
    if (typeof this.#host !== 'function') return this.#host;
    const connection = session ?? call.getPeer();
    const known = this.#byConnection.get(connection);
    if (known !== undefined) return known;
    const calls = this.#host(peerOf(call));
    this.#byConnection.set(connection, calls);
    session?.once('close', () => this.#end(connection));
    return calls;
  }

  #end(connection: object | string): void {
    const calls = this.#byConnection.get(connection);
    if (calls === undefined) return;
    this.#byConnection.delete(connection);
    const ending = calls.close().catch(() => {});
    this.#endings.add(ending);
    void ending.then(() => this.#endings.delete(ending));
  }
}
