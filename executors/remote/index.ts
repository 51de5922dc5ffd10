/** @file Executors in other processes: both sides, and the twin of a transport in memory. */

export type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
  ServedMethod,
} from './calls.ts';
export { RemoteExecutor, type RemoteExecutorOptions } from './client/remote-executor.ts';
export { type Retry, RetryingCalls, type RetryOptions } from './client/retry.ts';
export {
  ConnectedCalls,
  ExecutorHost,
  type ExecutorHostOptions,
  type HostLimits,
  type HostUsage,
} from './host/host.ts';
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
} from './messages/message-codec.ts';
export { decodeStatus, encodeStatus, MAX_STATUS_BYTES } from './messages/status-codec.ts';
export { type CallStatus, errorOf, statusCodeOf, statusOf, transportError } from './status.ts';
export { takeBack, takeBackBatch } from './take-back.ts';
