/**
 * @file Errors on their way between threads and processes: ours come out as what they were, with their
 * codes.
 */

import {
  CardinalityError,
  ContextError,
  ExecutionError,
  FederatedTypeError,
  FedloomError,
  GraphError,
  PolicyError,
  ProtocolAbortError,
  TraceError,
  TransportError,
  UnsupportedAggregationError,
  ValueError,
} from '../computations/types/index.ts';

/** An error as data. */
export interface ClonedError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
  /** Further fields of our own error classes. */
  readonly details?: { readonly [field: string]: string };
  readonly cause?: ClonedError;
}

export function cloneError(error: unknown): ClonedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack, cause } = error;
  const details = Object.fromEntries(
    FIELDS.flatMap((field) => {
      const value: unknown = Reflect.get(error, field);
      return typeof value === 'string' ? [[field, value]] : [];
    }),
  );
  return {
    name,
    message,
    ...(stack !== undefined && { stack }),
    ...(error instanceof FedloomError && { code: error.code, details }),
    ...(cause !== undefined && { cause: cloneError(cause) }),
  };
}

export function restoreError(cloned: ClonedError): Error {
  const { name, message, stack, code } = cloned;
  const options = cloned.cause === undefined ? undefined : { cause: restoreError(cloned.cause) };
  const error =
    code === undefined
      ? new Error(message, options)
      : // The constructor puts the code in front again.
        construct(cloned, code, message.replace(`[${code}] `, ''), options);
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name });
  if (stack !== undefined) error.stack = stack;
  return error;
}

type Options = { readonly cause: Error } | undefined;
type Constructor = new (code: never, message: string, options?: Options) => Error;

function construct(
  { name, details = {} }: ClonedError,
  code: string,
  message: string,
  options: Options,
): Error {
  if (name === 'ProtocolAbortError') {
    const { stage = '', reason = '', offender } = details;
    const about = { ...options, stage, reason, offender };
    return new ProtocolAbortError(code as ProtocolAbortError['code'], message, about);
  }
  if (name === 'PolicyError') {
    const { rule = '' } = details;
    return new PolicyError(code as PolicyError['code'], message, { ...options, rule });
  }
  // The name may come from another process: `constructor` is no class of ours.
  const Class = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  if (Class === undefined) return new Error(`[${code}] ${message}`, options);
  // Codes come from the same classes at the other side.
  return new Class(code as never, message, { ...details, ...options } as Options);
}

/** What the classes carry beside code and message. */
const FIELDS = ['expected', 'given', 'stage', 'reason', 'offender', 'rule'] as const;

const CLASSES: { readonly [name: string]: Constructor | undefined } = {
  CardinalityError,
  ContextError,
  ExecutionError,
  FederatedTypeError,
  GraphError,
  TraceError,
  TransportError,
  UnsupportedAggregationError,
  ValueError,
};
