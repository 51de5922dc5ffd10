/**
 * @file One stage of a protocol at every client at once, or at one role. A party that fails or does
 * not answer in time ends the stage, and the error says who it was and why; nothing that the others
 * made is kept.
 */

import type { Span } from '@opentelemetry/api';
import {
  ExecutionError,
  PolicyError,
  ProtocolAbortError,
  type ProtocolAbortErrorCode,
  ValueError,
} from '../../computations/types/index.ts';
import { countdown } from '../countdown.ts';
import type { ExecutorValue, RequestOptions } from '../executor.ts';
import { Interruption } from '../interruption.ts';
import type { Lost } from '../lost-client.ts';
import { Roll } from '../roll.ts';
import { withinSpan } from '../spans.ts';
import type { LostInput, Participant } from './protocol.ts';

/** Whoever takes part in a stage. */
export interface Reachable<P> {
  readonly name: string;
  /** The same party, with what comes along with each request to it. */
  within(options: RequestOptions): P;
}

/** Long enough for a slow client with a large vector, short enough to notice that one is gone. */
export const DEFAULT_TIMEOUT_MS = 60_000;

export interface StageOptions {
  /** Names the stage in errors. */
  readonly stage: string;
  /** How long to wait for the slowest party. */
  readonly timeoutMs: number;
  /** What came with the request for which the stage runs: it can be interrupted. */
  readonly request?: RequestOptions | undefined;
  /** Says that a party was lost. @default 'protocol.client_lost' */
  readonly lost?: ProtocolAbortErrorCode;
}

/**
 * @throws ValueError `value.out_of_range` for a cohort or a time limit that would check nothing: a
 *   comparison with NaN is false, and a timer fires at once where its time is no 32-bit integer.
 */
export function requireStageLimits(minimumClients: number, timeoutMs: number): void {
  requireWhole('minimumClients', minimumClients, 1, 2 ** 32 - 1);
  requireWhole('timeoutMs', timeoutMs, 1, 2 ** 31 - 1);
}

/** @throws ValueError `value.out_of_range` */
export function requireWhole(option: string, given: number, least: number, most: number): void {
  if (Number.isSafeInteger(given) && given >= least && given <= most) return;
  throw new ValueError(
    'value.out_of_range',
    `${option} is a whole number from ${least} to ${most}; got ${given}.`,
  );
}

/**
 * @param discard frees a result that is not returned because another client failed.
 * @returns the results in the order of the parties.
 * @throws ExecutionError `execution.client_failed` if a client refused its own value.
 * @throws ProtocolAbortError `protocol.client_lost` or `protocol.timeout`, or the client's own.
 * @throws the reason of the request's signal.
 */
export function atEveryone<T>(
  parties: readonly Participant[],
  options: StageOptions,
  work: (party: Participant, index: number) => Promise<T>,
  discard: (result: T) => void = () => {},
): Promise<T[]> {
  return withinStage(parties.length, options, (span) =>
    everyResult(parties, { ...options, span }, work, discard),
  );
}

async function everyResult<T>(
  parties: readonly Participant[],
  options: SettleOptions,
  work: (party: Participant, index: number) => Promise<T>,
  discard: (result: T) => void,
): Promise<T[]> {
  const { outcomes, attempts } = await settle(parties, options, work);
  const failed = outcomes.findIndex(({ status }) => status === 'rejected');
  if (failed < 0) return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<T>).value);
  // A client that answers after its time is up must not leave anything behind either.
  for (const attempt of attempts) attempt.then(discard, () => {});
  // Nobody was lost: the sum is not wanted any more.
  options.request?.signal?.throwIfAborted();
  throw stageError(
    options.stage,
    (parties[failed] as Participant).name,
    (outcomes[failed] as PromiseRejectedResult).reason,
    options.lost ?? 'protocol.client_lost',
  );
}

export type { Lost } from '../lost-client.ts';

export interface Survivors<T> {
  /** In the order of the parties; `undefined` where the party was lost. */
  readonly results: readonly (T | undefined)[];
  readonly lost: readonly Lost[];
  /** The places of the lost among the parties, in the order of `lost`. */
  readonly lostAt: readonly number[];
}

/**
 * One stage of a protocol that survives dropouts: a party that throws, or does not answer in time,
 * is lost, and everyone else's result counts.
 * @param discard frees the result of a client that answers after its time was up.
 * @throws the reason of the request's signal, and nothing else.
 */
export function atSurvivors<P extends Reachable<P>, T>(
  parties: readonly P[],
  options: StageOptions,
  work: (party: P, index: number) => Promise<T>,
  discard: (result: T) => void = () => {},
): Promise<Survivors<T>> {
  return withinStage(parties.length, options, (span) =>
    survivingResults(parties, { ...options, span }, work, discard),
  );
}

async function survivingResults<P extends Reachable<P>, T>(
  parties: readonly P[],
  options: SettleOptions,
  work: (party: P, index: number) => Promise<T>,
  discard: (result: T) => void,
): Promise<Survivors<T>> {
  const { outcomes, attempts } = await settle(parties, options, work);
  if (options.request?.signal?.aborted) {
    for (const attempt of attempts) attempt.then(discard, () => {});
    options.request.signal.throwIfAborted();
  }
  const lost: Lost[] = [];
  const lostAt: number[] = [];
  const results = outcomes.map((outcome, index) => {
    if (outcome.status === 'fulfilled') return outcome.value;
    (attempts[index] as Promise<T>).then(discard, () => {});
    const client = (parties[index] as P).name;
    lostAt.push(index);
    lost.push({
      client,
      stage: options.stage,
      reason: lossReason(outcome.reason),
      cause: outcome.reason,
    });
    return undefined;
  });
  return { results, lost, lostAt };
}

/** Whether a client was lost before it had a value for the sum. */
export function isLostInput(input: ExecutorValue | LostInput): input is LostInput {
  return 'lost' in input;
}

/**
 * The values of all clients, for a protocol that cannot do without any.
 * @throws what the first client that was lost failed with, like `atEveryone`.
 */
export function requireEveryInput(
  inputs: readonly (ExecutorValue | LostInput)[],
): readonly ExecutorValue[] {
  return inputs.map((input) => {
    if (isLostInput(input)) throw lossError(input);
    return input;
  });
}

/** The error that names a lost client, where the round cannot go on without it. */
export function lossError({ client, stage, cause }: Lost): Error {
  return stageError(stage, client, cause, 'protocol.client_lost');
}

function lossReason(cause: unknown): Lost['reason'] {
  if (cause instanceof StageTimeout) return 'timeout';
  const refused =
    cause instanceof ProtocolAbortError ||
    cause instanceof PolicyError ||
    (cause instanceof ExecutionError && cause.code === 'execution.secure_sum_range');
  return refused ? 'refused' : 'failed';
}

interface SettleOptions extends StageOptions {
  readonly span: Span;
}

/** A span for a stage; one that goes on without some parties is no failure. */
function withinStage<T>(
  asked: number,
  { stage }: StageOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const attributes = { 'fedloom.stage': stage, 'fedloom.asked': asked };
  return withinSpan('fedloom.stage', { attributes }, work);
}

/** Starts a stage at every party and waits until each has answered, failed or run out of time. */
async function settle<P extends Reachable<P>, T>(
  parties: readonly P[],
  { stage, timeoutMs, request = {}, span }: SettleOptions,
  work: (party: P, index: number) => Promise<T>,
): Promise<{
  readonly outcomes: readonly PromiseSettledResult<T>[];
  readonly attempts: readonly Promise<T>[];
}> {
  const { signal, onProgress } = request;
  signal?.throwIfAborted();
  using interruption = new Interruption(signal);
  const total = parties.length;
  const roll = new Roll(total, (index) => parties[index]?.name ?? '');
  let isOver = false;
  const tell = (): void => {
    onProgress?.({ kind: 'protocol', stage, done: roll.answers, total, roll: roll.now(isOver) });
  };
  tell();
  const attempts = parties.map(async (party, index) => {
    const result = await work(party.within(request), index);
    // One that comes too late is no answer any more.
    if (isOver) return result;
    roll.answer(index);
    isOver = roll.answers === total;
    tell();
    return result;
  });
  const { expired, stop } = countdown(timeoutMs);
  const outcomes = await Promise.allSettled(
    attempts.map((attempt, index) =>
      interruption.within(
        Promise.race([
          attempt,
          expired.then(() =>
            Promise.reject(new StageTimeout(parties[index]?.name ?? '', timeoutMs)),
          ),
        ]),
      ),
    ),
  );
  stop();
  span.setAttribute('fedloom.answered', roll.answers);
  if (!isOver) {
    isOver = true;
    tell();
  }
  return { outcomes, attempts };
}

/** A stage at one party that is no client: the aggregator, the key holder. */
export async function atRole<T>(
  party: Participant,
  options: StageOptions,
  work: (party: Participant) => Promise<T>,
  discard?: (result: T) => void,
): Promise<T> {
  const [result] = await atEveryone(
    [party],
    { lost: 'protocol.aborted', ...options },
    work,
    discard,
  );
  return result as T;
}

class StageTimeout extends Error {
  constructor(name: string, timeoutMs: number) {
    super(`${name} did not answer within ${timeoutMs} ms`);
  }
}

function stageError(
  stage: string,
  name: string,
  cause: unknown,
  lost: ProtocolAbortErrorCode,
): Error {
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
    timeout ? 'protocol.timeout' : lost,
    `The secure aggregation lost ${name} in stage '${stage}': ${reason}. This protocol needs everyone who began; start again without it, or use a protocol that survives dropouts. No part of the sum was revealed.`,
    { stage, reason: timeout ? 'timeout' : 'lost', offender: name, cause },
  );
}
