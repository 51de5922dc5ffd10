/**
 * @file One stage of a protocol at every client at once. A client that fails or does not answer in
 * time ends the stage, and the error says who it was and why; nothing that the others made is kept.
 */

import { ExecutionError, ProtocolAbortError } from '../../computations/types/index.ts';
import type { Participant } from './protocol.ts';

/** Long enough for a slow client with a large vector, short enough to notice that one is gone. */
export const DEFAULT_TIMEOUT_MS = 60_000;

export interface StageOptions {
  /** Names the stage in errors. */
  readonly stage: string;
  /** How long to wait for the slowest client. */
  readonly timeoutMs: number;
}

/**
 * @param discard frees a result that is not returned because another client failed.
 * @returns the results in the order of the parties.
 * @throws ExecutionError `execution.client_failed` if a client refused its own value.
 * @throws ProtocolAbortError `protocol.client_lost` or `protocol.timeout`, or the client's own.
 */
export async function atEveryone<T>(
  parties: readonly Participant[],
  { stage, timeoutMs }: StageOptions,
  work: (party: Participant, index: number) => Promise<T>,
  discard: (result: T) => void = () => {},
): Promise<T[]> {
  const attempts = parties.map((party, index) => work(party, index));
  const outcomes = await Promise.allSettled(attempts.map((attempt, i) => withinLimit(attempt, i)));
  const failed = outcomes.findIndex(({ status }) => status === 'rejected');
  if (failed < 0) return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<T>).value);
  // A client that answers after its time is up must not leave anything behind either.
  for (const attempt of attempts) attempt.then(discard, () => {});
  throw stageError(
    stage,
    parties[failed] as Participant,
    (outcomes[failed] as PromiseRejectedResult).reason,
  );

  function withinLimit(attempt: Promise<T>, index: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new StageTimeout(parties[index]?.name ?? '', timeoutMs)),
        timeoutMs,
      );
      attempt.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}

class StageTimeout extends Error {
  constructor(name: string, timeoutMs: number) {
    super(`${name} did not answer within ${timeoutMs} ms`);
  }
}

function stageError(stage: string, { name }: Participant, cause: unknown): Error {
  if (cause instanceof ProtocolAbortError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof ExecutionError && cause.code === 'execution.secure_sum_range') {
    return new ExecutionError(
      'execution.client_failed',
      `${name} refused its value for a secure sum: ${reason}`,
      { cause },
    );
  }
  const timeout = cause instanceof StageTimeout;
  return new ProtocolAbortError(
    timeout ? 'protocol.timeout' : 'protocol.client_lost',
    `The secure aggregation lost ${name} in stage '${stage}': ${reason}. This protocol needs everyone who began; start again without the client, or use a protocol that survives dropouts. No part of the sum was revealed.`,
    { stage, reason: timeout ? 'timeout' : 'lost', offender: name, cause },
  );
}
