/** @file Executors in other processes: both sides, and the twin of a transport in memory. */

export type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
  ServedMethod,
} from './calls.ts';
export {
  ConnectedCalls,
  ExecutorHost,
  type ExecutorHostOptions,
  type HostLimits,
  type HostUsage,
} from './host.ts';
export { type Crossing, type Fault, type InMemoryOptions, inMemoryCalls } from './in-memory.ts';
export {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  isExecutorMethod,
  type MessageLimits,
  requestPieces,
  responsePieces,
} from './message-codec.ts';
export { RemoteExecutor, type RemoteExecutorOptions } from './remote-executor.ts';
export { type Retry, RetryingCalls, type RetryOptions } from './retry.ts';
export { takeBack, takeBackBatch } from './serve.ts';
export { type CallStatus, errorOf, statusCodeOf, statusOf, transportError } from './status.ts';
export { decodeStatus, encodeStatus, MAX_STATUS_BYTES } from './status-codec.ts';
