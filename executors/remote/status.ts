/**
 * @file Failures between processes: a gRPC status code and message that any peer understands, and for
 * ours the error itself, so that it comes out as what it was. Codes after google/rpc/code.proto; which
 * one stands for what follows TensorFlow Federated's executor service.
 */

import {
  CardinalityError,
  ContextError,
  ExecutionError,
  FederatedTypeError,
  FedloomError,
  GraphError,
  PolicyError,
  TRANSPORT_STATUS,
  TransportError,
  type TransportErrorCode,
  UnsupportedAggregationError,
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
  return {
    code: statusCodeOf(error),
    message,
    error: withoutStacks(cloneError(error), MAX_CAUSES),
  };
}

/**
 * The error that a status stands for. It comes from another process, so only what reads as one of
 * ours becomes one; anything else is a TransportError with the code. So is FAILED_PRECONDITION, with
 * the error as its cause: what is closed there is gone here, and not closed.
 */
export function errorOf({ code, message, error }: CallStatus): Error {
  const name = NAMES.get(code) ?? 'transport.unknown';
  const known = error === undefined ? undefined : withoutStacks(error, MAX_CAUSES);
  if (known !== undefined && isOneOfOurs(known)) {
    const isGone = name === 'transport.failed_precondition' && known.name !== 'TransportError';
    if (!isGone) return restoreError(known);
  }
  const cause = known === undefined ? undefined : restoreError(known);
  return transportError(name, message.replace(`[${name}] `, ''), cause);
}

const NAMES: ReadonlyMap<number, TransportErrorCode> = new Map(
  Object.entries(TRANSPORT_STATUS).map(([name, code]) => [code, name as TransportErrorCode]),
);

/** The gRPC status code that stands for an error. */
export function statusCodeOf(error: unknown): number {
  if (error instanceof TransportError) return error.status;
  if (error instanceof PolicyError) return TRANSPORT_STATUS['transport.permission_denied'];
  if (
    error instanceof FederatedTypeError ||
    error instanceof ValueError ||
    error instanceof GraphError ||
    error instanceof CardinalityError
  ) {
    return TRANSPORT_STATUS[
      error.code === 'graph.too_large'
        ? 'transport.resource_exhausted'
        : 'transport.invalid_argument'
    ];
  }
  if (error instanceof UnsupportedAggregationError) {
    return TRANSPORT_STATUS['transport.unimplemented'];
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

/** @param causes how many causes behind one another are kept. */
function withoutStacks({ stack: _, cause, ...error }: ClonedError, causes: number): ClonedError {
  const keepsCause = cause !== undefined && causes > 0;
  return { ...error, ...(keepsCause && { cause: withoutStacks(cause, causes - 1) }) };
}

/** Whether a peer's error, all its causes included, has names and codes that ours could have. */
function isOneOfOurs({ code, name, cause }: ClonedError): boolean {
  if (code === undefined || !/^[a-z_]{1,40}\.[a-z_]{1,60}$/.test(code)) return false;
  if (name === 'TransportError' && !Object.hasOwn(TRANSPORT_STATUS, code)) return false;
  return /^[A-Za-z]{1,60}$/.test(name) && (cause === undefined || isHarmless(cause));
}

function isHarmless(error: ClonedError): boolean {
  if (error.code !== undefined) return isOneOfOurs(error);
  return (
    /^[A-Za-z]{1,60}$/.test(error.name) && (error.cause === undefined || isHarmless(error.cause))
  );
}

const MAX_CAUSES = 8;
