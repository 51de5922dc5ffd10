/**
 * @file What a server is told when work on private data fails. Messages of kernels and data sources may
 * quote data, so the server gets a general one; the owner has the whole. That a release failed cannot be
 * hidden, and is one bit of the data: a computation can fail on purpose. So it is told for a round of
 * the day, and no earlier (placeholder.ts). Codes that stacks act on stay as they are.
 */

import {
  ContextError,
  ExecutionError,
  type ExecutionErrorCode,
  PolicyError,
  ProtocolAbortError,
} from '../../computations/types/index.ts';

/** The same failure without what it says about data. */
export function generalFailure(error: unknown): Error {
  if (isPublic(error)) return error as Error;
  if (error instanceof ProtocolAbortError) {
    return new ProtocolAbortError(
      error.code,
      `The client left the protocol in stage '${error.stage}' (${error.reason}); its own log says more.`,
      { stage: error.stage, reason: error.reason, offender: error.offender },
    );
  }
  const code = error instanceof ExecutionError ? KEPT.get(error.code) : undefined;
  if (code !== undefined) return new ExecutionError(...code);
  return new ExecutionError(
    'execution.kernel_failed',
    'Work on private data failed at this client; its own log says how.',
  );
}

/** Errors that were written for the server, or say nothing about data. */
export function isPublic(error: unknown): boolean {
  return error instanceof PolicyError || isOfExecutor(error);
}

/** That an executor is closed, or does not know a handle, is the same for all data. */
export function isOfExecutor(error: unknown): boolean {
  return error instanceof ContextError;
}

const KEPT: ReadonlyMap<string, readonly [ExecutionErrorCode, string]> = new Map(
  (
    [
      [
        'execution.secure_sum_range',
        'A value of this client is outside of what the sum takes. Clip or shift values at the client before the sum.',
      ],
      [
        'execution.linear_reuse',
        'This protocol state was used by a step already. A state serves one step; start the protocol anew.',
      ],
    ] as const
  ).map(([code, message]) => [code, [code, message]]),
);
