/** @file A client of the federation as its coordinator sees it: who it is, and the calls it serves. */

import type {
  BatchRequest,
  BatchResponse,
} from '../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import { callWithinSpan } from '../../executors/remote/call-spans.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../../executors/remote/calls.ts';
import { Caller, type CallerOptions } from './envelope/caller.ts';
import type { ClientCapabilities, ClientHello, ClientPolicySummary } from './envelope/greeting.ts';
import type { Port } from './envelope/port.ts';
import {
  Session,
  type SessionEnd,
  type SessionSettings,
  type Traffic,
} from './envelope/session.ts';
import type { PeerIdentity } from './link.ts';

/** Valid for one session; a client that comes back in a new one is another `ConnectedClient`. */
export class ConnectedClient implements ExecutorCalls {
  readonly name: string;
  readonly capabilities: ClientCapabilities;
  readonly policy: ClientPolicySummary;
  /** Names the session in logs. */
  readonly session: string;
  readonly #session: Session;
  readonly #caller: Caller;
  readonly #lost = new AbortController();
  #peer: PeerIdentity;

  constructor(
    session: string,
    hello: ClientHello,
    peer: PeerIdentity,
    settings: SessionSettings,
    options: CallerOptions,
  ) {
    this.name = hello.name;
    this.capabilities = hello.capabilities;
    this.policy = hello.policy;
    this.session = session;
    this.#peer = peer;
    this.#session = new Session(settings);
    this.#caller = new Caller(this.#session, options);
    void this.#session.ended.then(({ reason }) => this.#lost.abort(reason));
  }

  /** The other end of the link that it has, or had last. */
  get peer(): PeerIdentity {
    return this.#peer;
  }

  /** Whether it has a link now. Without one, calls wait for the next. */
  get isConnected(): boolean {
    return this.#session.isAttached;
  }

  /** Whether the session is over. */
  get isEnded(): boolean {
    return this.#session.end !== null;
  }

  /** Aborted, with the reason, when the session is over and calls are futile. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Bytes each way. */
  get traffic(): Traffic {
    return this.#session.traffic;
  }

  /** Calls that wait for their response. */
  get pending(): number {
    return this.#caller.pending;
  }

  call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    const attributes = { 'fedloom.client': this.name };
    return callWithinSpan({ method, system: 'fedloom', attributes }, () =>
      this.#caller.call(method, request, options),
    );
  }

  batch(request: BatchRequest, options: CallOptions): Promise<BatchResponse> {
    const attributes = { 'fedloom.client': this.name };
    return callWithinSpan({ method: 'batch', system: 'fedloom', attributes }, () =>
      this.#caller.batch(request, options),
    );
  }

  /** Lets its calls finish, no longer than `drainMs`, and dismisses it. */
  close(drainMs = 0, reason = 'The coordinator closed the session.', code = 0): Promise<void> {
    return this.#session.close(drainMs, reason, code);
  }

  /** @internal */
  get ended(): Promise<SessionEnd> {
    return this.#session.ended;
  }

  /** @internal Number of the last data frame that arrived. */
  get received(): number {
    return this.#session.received;
  }

  /** @internal */
  canResume(received: number): boolean {
    return this.#session.canResume(received);
  }

  /** @internal Whether a word came within so many milliseconds, that was asked for. */
  isHeard(withinMs: number): Promise<boolean> {
    return this.#session.isHeard(withinMs);
  }

  /** @internal */
  attach(port: Port, received: number, welcome: Uint8Array): Promise<Error> {
    this.#peer = port.peer;
    return this.#session.attach(port, received, welcome);
  }

  /** @internal Ends the session at once. */
  abort(reason: Error, code: number): void {
    this.#session.abort(reason, code);
  }
}
