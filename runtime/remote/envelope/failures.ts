/** @file Failures of calls as messages: what both sides make of an error is `executors/remote/status.ts`. */

import { create } from '@bufbuild/protobuf';
import {
  type ErrorData,
  ErrorDataSchema,
  type Failure,
  FailureSchema,
} from '../../../computations/wire/gen/fedloom/v1/envelope_pb.ts';
import type { ClonedError } from '../../../executors/cloned-error.ts';
import { errorOf, statusOf, transportError } from '../../../executors/remote/status.ts';

export function toFailure(error: unknown): Failure {
  const { code, message, error: cloned } = statusOf(error);
  return create(FailureSchema, {
    code,
    message: cut(message, MAX_TEXT),
    ...(cloned !== undefined && { error: toErrorData(cloned, MAX_CAUSES) }),
  });
}

export function fromFailure({ code, message, error }: Failure): Error {
  const status = { code, message: cut(message, MAX_TEXT) };
  try {
    return errorOf(
      error === undefined ? status : { ...status, error: fromErrorData(error, MAX_CAUSES) },
    );
  } catch (cause) {
    // A peer may write anything into an error, also what makes no error of ours.
    return transportError('transport.unknown', status.message, cause);
  }
}

/** Characters of a message; the rest of a longer one is left out. */
const MAX_TEXT = 8000;

const MAX_CAUSES = 4;

const MAX_DETAILS = 16;

function toErrorData(error: ClonedError, causes: number): ErrorData {
  const { name, message, code, details = {}, cause } = error;
  return create(ErrorDataSchema, {
    name: cut(name, 200),
    message: cut(message, MAX_TEXT),
    ...(code !== undefined && { code }),
    details: Object.fromEntries(
      Object.entries(details)
        .slice(0, MAX_DETAILS)
        .map(([field, text]) => [field, cut(text, MAX_TEXT / 4)]),
    ),
    ...(cause !== undefined && causes > 0 && { cause: toErrorData(cause, causes - 1) }),
  });
}

function fromErrorData(error: ErrorData, causes: number): ClonedError {
  const { name, message, code, details, cause } = error;
  const entries = Object.entries(details).slice(0, MAX_DETAILS);
  return {
    name: cut(name, 200),
    message: cut(message, MAX_TEXT),
    ...(code !== '' && { code, details: Object.fromEntries(entries) }),
    ...(cause !== undefined && causes > 0 && { cause: fromErrorData(cause, causes - 1) }),
  };
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
