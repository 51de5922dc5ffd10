/**
 * @file Failures between processes: a gRPC status code and message that any peer understands, and for
 * ours the error itself, so that it comes out as what it was. Codes after google/rpc/code.proto; which
 * one stands for what follows TensorFlow Federated's executor service.
 */

import {
  ContextError,
  ExecutionError,
  FederatedTypeError,
  FedloomError,
  GraphError,
  PolicyError,
  TRANSPORT_STATUS,
  TransportError,
  type TransportErrorCode,
  ValueError,
} from '../../computations/types/index.ts';
import { type ClonedError, cloneError, restoreError } from '../cloned-error.ts';

export interface CallStatus {
  /** 1 to 16. */
  readonly code: number;
  readonly message: string;
  /** The error, for a peer that knows ours. */
  readonly error?: ClonedError;
}

/** A failure of a call. */
export function transportError(
  code: TransportErrorCode,
  message: string,
  cause?: unknown,
): TransportError {
  return new TransportError(code, message, cause === undefined ? undefined : { cause });
}

/** What a peer is told of an error: no stack, which names files of this machine. */
export function statusOf(error: unknown): CallStatus {
  const message = error instanceof Error ? error.message : String(error);
  return { code: codeOf(error), message, error: withoutStacks(cloneError(error)) };
}

/**
 * The error that a status stands for. It comes from another process, so only what reads as one of
 * ours becomes one; anything else is a TransportError with the code.
 */
export function errorOf({ code, message, error }: CallStatus): Error {
  if (error?.code !== undefined && isOneOfOurs(error)) return restoreError(error);
  const name = NAMES.get(code) ?? 'transport.unknown';
  const cause = error === undefined ? undefined : restoreError({ ...error, name: 'Error' });
  return transportError(name, message.replace(`[${name}] `, ''), cause);
}

const NAMES: ReadonlyMap<number, TransportErrorCode> = new Map(
  Object.entries(TRANSPORT_STATUS).map(([name, code]) => [code, name as TransportErrorCode]),
);

function codeOf(error: unknown): number {
  if (error instanceof TransportError) return error.status;
  if (error instanceof PolicyError) return TRANSPORT_STATUS['transport.permission_denied'];
  if (
    error instanceof FederatedTypeError ||
    error instanceof ValueError ||
    error instanceof GraphError
  ) {
    return TRANSPORT_STATUS[
      error.code === 'graph.too_large'
        ? 'transport.resource_exhausted'
        : 'transport.invalid_argument'
    ];
  }
  if (error instanceof ContextError) {
    switch (error.code) {
      case 'context.closed':
        return TRANSPORT_STATUS['transport.failed_precondition'];
      case 'context.cancelled':
        return TRANSPORT_STATUS['transport.cancelled'];
      case 'context.deadline_exceeded':
        return TRANSPORT_STATUS['transport.deadline_exceeded'];
      default:
        return TRANSPORT_STATUS['transport.invalid_argument'];
    }
  }
  if (error instanceof ExecutionError) {
    switch (error.code) {
      case 'execution.unsupported_intrinsic':
      case 'execution.unsupported_dtype':
      case 'execution.unsupported_value':
        return TRANSPORT_STATUS['transport.unimplemented'];
      case 'execution.worker_lost':
        return TRANSPORT_STATUS['transport.unavailable'];
      default:
        return TRANSPORT_STATUS['transport.internal'];
    }
  }
  return TRANSPORT_STATUS[
    error instanceof FedloomError ? 'transport.internal' : 'transport.unknown'
  ];
}

function withoutStacks({ stack: _, cause, ...error }: ClonedError): ClonedError {
  return { ...error, ...(cause !== undefined && { cause: withoutStacks(cause) }) };
}

function isOneOfOurs({ code, name }: ClonedError): boolean {
  return /^[a-z_]{1,40}\.[a-z_]{1,60}$/.test(code ?? '') && /^[A-Za-z]{1,60}$/.test(name);
}
