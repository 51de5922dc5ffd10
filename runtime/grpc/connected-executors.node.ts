/** @file Who serves the calls of ExecutorGroup: one for all peers, or one for each connection. */

import type { ExecutorGroup } from '../../computations/wire/index.ts';
import type {
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../../executors/remote/calls.ts';
import { transportError } from '../../executors/remote/status.ts';
import type { PeerIdentity } from '../remote/link.ts';
import { peerOf } from './grpc-link.node.ts';
import { sessionOf, widenWindow } from './internals.node.ts';
import type { Handlers, ServedCall } from './methods.node.ts';

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
  readonly receiveWindowBytes: number;
}

export class ConnectedExecutors {
  readonly #host: ExecutorCalls | ConnectExecutors;
  readonly #limits: CallLimits;
  /** By connection, or by its address where the connection cannot be told. */
  readonly #byConnection = new Map<object | string, ConnectionCalls>();
  readonly #endings = new Set<Promise<void>>();

  constructor(host: ExecutorCalls | ConnectExecutors, limits: CallLimits) {
    this.#host = host;
    this.#limits = limits;
  }

  handlers(): Handlers<typeof ExecutorGroup> {
    return {
      getExecutor: this.#handler('getExecutor'),
      createValue: this.#handler('createValue'),
      createCall: this.#handler('createCall'),
      createStruct: this.#handler('createStruct'),
      createSelection: this.#handler('createSelection'),
      compute: this.#handler('compute'),
      dispose: this.#handler('dispose'),
      disposeExecutor: this.#handler('disposeExecutor'),
    };
  }

  /** Ends all connections; waits for what hangs on them. */
  async close(): Promise<void> {
    for (const connection of [...this.#byConnection.keys()]) this.#end(connection);
    await Promise.all(this.#endings);
  }

  #handler<M extends ExecutorMethod>(method: M) {
    return (
      request: ExecutorRequest<M>,
      { call, signal }: ServedCall,
    ): Promise<ExecutorResponse<M>> => {
      const timeoutMs = this.#timeLeft(call.getDeadline());
      return this.#callsOf(call).call(method, request, { signal, timeoutMs });
    };
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
