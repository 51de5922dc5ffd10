/**
 * @file The error classes of Fedloom. Few classes, each with a literal-union `code`; the message
 * says what was given, what was expected and what to do. The code leads the message, because
 * consoles often show nothing else.
 */

import { currentLocation, type SourceLocation } from './error-location.ts';

export interface FedloomErrorOptions {
  readonly cause?: unknown;
}

/** Base class of every error that Fedloom throws on purpose. */
export abstract class FedloomError<C extends string = string> extends Error {
  readonly code: C;

  constructor(code: C, message: string, options?: FedloomErrorOptions) {
    super(
      `[${code}] ${message}`,
      options?.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.name = new.target.name;
  }
}

export type TypeErrorCode =
  | 'type.not_assignable'
  | 'type.invalid'
  | 'type.parse'
  | 'type.wrong_kind'
  | 'type.not_concrete'
  | 'type.sum_incompatible'
  | 'type.average_incompatible'
  | 'type.order_incompatible'
  | 'type.secure_sum_incompatible'
  | 'type.arity'
  | 'type.unknown_intrinsic'
  | 'type.unbound_reference';

/**
 * What the user's code got wrong in a call of this package. The message ends with the file and line
 * of that call, because the stack begins deep inside the package.
 */
export abstract class UsageError<C extends string> extends FedloomError<C> {
  /** Where the user's code made the call, if that can be told. */
  readonly location: SourceLocation | null;

  constructor(code: C, message: string, options?: FedloomErrorOptions) {
    const location = currentLocation();
    super(
      code,
      location === null ? message : `${message}\n  called at ${print(location)}`,
      options,
    );
    this.location = location;
  }
}

/** Two types do not fit, or a type cannot be formed. Carries the compact notation of both sides. */
export class FederatedTypeError extends UsageError<TypeErrorCode> {
  /** Compact notation of what was expected, if the error compares two types. */
  readonly expected: string | undefined;
  /** Compact notation of what was given, if the error compares two types. */
  readonly given: string | undefined;

  constructor(
    code: TypeErrorCode,
    message: string,
    options?: FedloomErrorOptions & { readonly expected?: string; readonly given?: string },
  ) {
    super(code, message, options);
    this.expected = options?.expected;
    this.given = options?.given;
  }
}

export type ValueErrorCode =
  | 'value.wrong_type'
  | 'value.wrong_shape'
  | 'value.not_an_integer'
  | 'value.out_of_range'
  | 'value.wrong_structure';

/** Data handed to a computation does not fit the type of its parameter. */
export class ValueError extends UsageError<ValueErrorCode> {}

export type TraceErrorCode =
  | 'trace.value_dependent'
  | 'trace.host_randomness'
  | 'trace.data_dependent_shape'
  | 'trace.capture_limit'
  | 'trace.unsupported_kernel'
  | 'trace.unsupported_dtype'
  | 'trace.leaked_tracer'
  | 'trace.side_effect'
  | 'trace.nested'
  | 'trace.async'
  | 'trace.batch_dimension'
  | 'trace.not_repeatable'
  | 'trace.bad_attribute'
  | 'trace.no_result'
  | 'trace.arity'
  | 'trace.failed';

/** A function could not be traced into a computation. */
export class TraceError extends FedloomError<TraceErrorCode> {}

export type GraphErrorCode =
  | 'graph.malformed'
  | 'graph.unknown_kernel'
  | 'graph.type_mismatch'
  | 'graph.too_large'
  | 'graph.version'
  | 'graph.decode';

/** A kernel graph or building block from outside does not type-check or cannot be decoded. */
export class GraphError extends FedloomError<GraphErrorCode> {}

export type ContextErrorCode =
  | 'context.closed'
  | 'context.none'
  | 'context.not_federated'
  | 'context.start_timeout'
  | 'context.unknown_value'
  | 'context.cancelled'
  | 'context.deadline_exceeded';

/** A call was made in a place or at a time where it has no meaning. */
export class ContextError extends FedloomError<ContextErrorCode> {}

export type CardinalityErrorCode =
  | 'cardinality.conflict'
  | 'cardinality.not_a_list'
  | 'cardinality.mismatch'
  | 'cardinality.unknown'
  | 'cardinality.empty';

/** The number of clients cannot be told, or two arguments disagree about it. */
export class CardinalityError extends FedloomError<CardinalityErrorCode> {}

export type FormErrorCode =
  | 'form.signature'
  | 'form.result'
  | 'form.broadcast_after_aggregation'
  | 'form.unsupported_call'
  | 'form.part';

/** A computation does not have the form that was asked for, or a part of a form has a wrong type. */
export class FormError extends FedloomError<FormErrorCode> {
  /** The part of the form that does not fit. */
  readonly part: string;

  constructor(
    code: FormErrorCode,
    message: string,
    options: FedloomErrorOptions & { readonly part: string },
  ) {
    super(code, message, options);
    this.part = options.part;
  }
}

export type ExecutionErrorCode =
  | 'execution.sum_overflow'
  | 'execution.empty_mean'
  | 'execution.zero_weight'
  | 'execution.secure_sum_range'
  | 'execution.key_out_of_range'
  | 'execution.unsupported_dtype'
  | 'execution.unsupported_intrinsic'
  | 'execution.unsupported_value'
  | 'execution.backend_unavailable'
  | 'execution.kernel_failed'
  | 'execution.client_failed'
  | 'execution.too_few_clients'
  | 'execution.worker_lost'
  | 'execution.released'
  | 'execution.sequence_consumed'
  | 'execution.opaque_value'
  | 'execution.linear_reuse'
  | 'execution.wrong_value';

/** A well-typed computation failed while it ran. */
export class ExecutionError extends FedloomError<ExecutionErrorCode> {}

export type UnsupportedAggregationErrorCode =
  | 'aggregation.no_secure_protocol'
  | 'aggregation.plain_blocked'
  | 'aggregation.discloses'
  | 'aggregation.unknown_protocol_intrinsic'
  | 'aggregation.unsafe_roles';

/** The stack does not run this aggregation; the message names what does. */
export class UnsupportedAggregationError extends FedloomError<UnsupportedAggregationErrorCode> {}

export type ProtocolAbortErrorCode =
  | 'protocol.aborted'
  | 'protocol.client_lost'
  | 'protocol.too_few_clients'
  | 'protocol.bad_parameters'
  | 'protocol.timeout';

/** A secure aggregation stopped. No partial output accompanies it. */
export class ProtocolAbortError extends FedloomError<ProtocolAbortErrorCode> {
  /** Protocol stage in which it stopped, e.g. `advertise`. */
  readonly stage: string;
  /** Machine-readable reason, the fault's own code. */
  readonly reason: string;
  /** Who caused it, e.g. `client 3`, if that is known. */
  readonly offender: string | undefined;
  /** Clients that were lost before it stopped, where the protocol can go on without some. */
  readonly missing: readonly string[];

  constructor(
    code: ProtocolAbortErrorCode,
    message: string,
    options: FedloomErrorOptions & {
      readonly stage: string;
      readonly reason: string;
      readonly offender?: string | undefined;
      readonly missing?: readonly string[];
    },
  ) {
    super(code, message, options);
    this.stage = options.stage;
    this.reason = options.reason;
    this.offender = options.offender;
    this.missing = options.missing ?? [];
  }
}

/** gRPC status codes (google/rpc/code.proto) by the names that errors have. */
export const TRANSPORT_STATUS = {
  'transport.cancelled': 1,
  'transport.unknown': 2,
  'transport.invalid_argument': 3,
  'transport.deadline_exceeded': 4,
  'transport.not_found': 5,
  'transport.permission_denied': 7,
  'transport.resource_exhausted': 8,
  'transport.failed_precondition': 9,
  'transport.unimplemented': 12,
  'transport.internal': 13,
  'transport.unavailable': 14,
  'transport.unauthenticated': 16,
} as const;

export type TransportErrorCode = keyof typeof TRANSPORT_STATUS;

/** A request to another process failed on its way, or was refused there. */
export class TransportError extends FedloomError<TransportErrorCode> {
  /** The gRPC status code, whatever the transport. */
  get status(): number {
    return TRANSPORT_STATUS[this.code];
  }
}

export type PolicyErrorCode =
  | 'policy.private_value'
  | 'policy.release_refused'
  | 'policy.computation_refused'
  | 'policy.too_many_rounds';

/** A client refused what its own policy does not allow; the message names the rule. */
export class PolicyError extends FedloomError<PolicyErrorCode> {
  /** The rule that refused, as the policy file names it. */
  readonly rule: string;

  constructor(
    code: PolicyErrorCode,
    message: string,
    options: FedloomErrorOptions & { readonly rule: string },
  ) {
    super(code, message, options);
    this.rule = options.rule;
  }
}

// The form that editors and terminals open on a click.
function print({ file, line, column }: SourceLocation): string {
  return `${file}:${line}:${column}`;
}
