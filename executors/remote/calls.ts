/**
 * @file The calls of an executor in another process: the methods of
 * `tensorflow_federated.v0.ExecutorGroup`, free of any transport. Whoever serves executors implements
 * it, and so does every way to reach one: gRPC, a stream that the other side opened, memory.
 */

import type { MessageShape } from '@bufbuild/protobuf';
import type {
  BatchRequest,
  BatchResponse,
} from '../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import type { ExecutorGroup } from '../../computations/wire/index.ts';

/** The name of a method, e.g. `createValue`. */
export type ExecutorMethod = keyof typeof ExecutorGroup.method;

/** What one end of the envelope asks of the other: a method, or a batch. */
export type ServedMethod = ExecutorMethod | 'batch';

export type ExecutorRequest<M extends ExecutorMethod> = MessageShape<
  (typeof ExecutorGroup.method)[M]['input']
>;

export type ExecutorResponse<M extends ExecutorMethod> = MessageShape<
  (typeof ExecutorGroup.method)[M]['output']
>;

export interface CallOptions {
  /** Interrupts the call: it rejects with the signal's reason, and the other side stops its work. */
  readonly signal?: AbortSignal;
  /**
   * How long the call may take, in milliseconds, on its way and there. Then it fails with
   * `transport.deadline_exceeded` and the other side stops its work.
   */
  readonly timeoutMs: number;
}

export interface ExecutorCalls {
  /**
   * Whether the other side is there, where that is watched without any call.
   * @default unknown
   */
  readonly isConnected?: boolean;
  /**
   * @throws TransportError for what the transport or the service refuses, and the error of the
   *   executor for what that does.
   */
  call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>>;
  /**
   * Several requests that depend on each other, in one; see batch.proto. It fails with
   * `transport.unimplemented` if the other side takes none.
   * @default requests are made one by one
   */
  batch?(request: BatchRequest, options: CallOptions): Promise<BatchResponse>;
}
