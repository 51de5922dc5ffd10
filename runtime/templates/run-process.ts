/**
 * @file Drives an iterative process round by round. With a state manager a run that was killed goes
 * on after its last saved round, and ends in the state in which it would have ended.
 */

import { currentContext, type InvokeOptions } from '../../computations/contexts/context.ts';
import {
  type ArgumentOf,
  ContextError,
  compactNotation,
  explainDifference,
  isAssignable,
  parseType,
  type ResultOf,
  type Type,
  ValueError,
} from '../../computations/types/index.ts';
import { ProgramStateError, type ProgramStateManager } from '../program-state/program-state.ts';
import type { IterativeProcess, NextResult } from './iterative-process.ts';

/** The data of one round: an argument for each parameter of `next` after the state. */
export type RoundData<A extends readonly Type[]> = {
  readonly [K in keyof A]: ArgumentOf<A[K]>;
};

export interface Round<S extends Type, R extends Type> {
  /** From 1. */
  readonly round: number;
  /** The state after this round. */
  readonly state: ResultOf<S>;
  /** All that `next` returned, the state included. */
  readonly output: ResultOf<R>;
}

export interface RunProcessOptions<S extends Type, A extends readonly Type[], R extends Type> {
  /** After how many rounds the process is done, those of an earlier run included. */
  readonly rounds: number;
  /**
   * The data of a round, from 1. A run that resumes asks for the rounds that are left, so the data
   * should depend on the number of the round alone. Not needed if `next` takes only the state.
   */
  readonly data?: (round: number) => RoundData<A> | Promise<RoundData<A>>;
  /** Keeps the state after each round, and has the state with which to begin. */
  readonly stateManager?: ProgramStateManager;
  /** Save after every so many rounds; the last round is always saved. @default 1 */
  readonly saveEvery?: number;
  /**
   * Called after each round and before its state is saved. So a run that is killed may report its
   * last round again when it resumes, but never leaves one out.
   */
  readonly onRound?: (round: Round<S, R>) => void | Promise<void>;
  /** Ends the run with `context.cancelled`. The round that was running is not saved. */
  readonly signal?: AbortSignal;
}

export interface ProcessRun<S extends Type> {
  /** The state after the last round. */
  readonly state: ResultOf<S>;
  /** How many rounds are done. */
  readonly round: number;
  /** The round after which an earlier run was resumed, or `null` if this run began anew. */
  readonly resumedFrom: number | null;
}

/**
 * Runs a process to its end, in the context that is current now.
 * @throws ProgramStateError `state.mismatch` if what is saved is the state of another process, or of
 *   more rounds than asked for, and `state.corrupted` if none of the saved states can be read.
 */
export async function runProcess<
  S extends Type,
  A extends readonly Type[],
  R extends NextResult<S>,
>(process: IterativeProcess<S, A, R>, options: RunProcessOptions<S, A, R>): Promise<ProcessRun<S>> {
  const run = new Driver(process, options);
  const { round: start, state: first } = await run.begin();
  let state = first;
  for await (const done of run.rounds(start, first)) state = done.state;
  return { state, round: Math.max(start, options.rounds), resumedFrom: run.resumedFrom };
}

/**
 * The rounds of a process, one at a time: the next one begins when it is asked for. Otherwise like
 * `runProcess`.
 *
 *     for await (const { round, output } of processRounds(training, { rounds: 10, data })) …
 */
export function processRounds<S extends Type, A extends readonly Type[], R extends NextResult<S>>(
  process: IterativeProcess<S, A, R>,
  options: RunProcessOptions<S, A, R>,
): AsyncGenerator<Round<S, R>, void, void> {
  // Made now, so that the rounds run in the context of this call wherever they are asked for.
  const run = new Driver(process, options);
  return (async function* () {
    const { round, state } = await run.begin();
    yield* run.rounds(round, state);
  })();
}

class Driver<S extends Type, A extends readonly Type[], R extends NextResult<S>> {
  resumedFrom: number | null = null;
  readonly #process: IterativeProcess<S, A, R>;
  readonly #options: RunProcessOptions<S, A, R>;
  readonly #context = currentContext();
  readonly #invocation: InvokeOptions;
  readonly #saveEvery: number;

  constructor(process: IterativeProcess<S, A, R>, options: RunProcessOptions<S, A, R>) {
    this.#process = process;
    this.#options = options;
    this.#invocation = options.signal === undefined ? {} : { signal: options.signal };
    this.#saveEvery = options.saveEvery ?? 1;
    requireWhole('rounds', options.rounds, 0);
    requireWhole('saveEvery', this.#saveEvery, 1);
    if (options.data === undefined && process.dataTypes.length > 0) {
      throw new ValueError(
        'value.wrong_structure',
        `next takes data beside the state (${process.dataTypes.map(compactNotation).join(', ')}); give it as data: (round) => […].`,
      );
    }
  }

  /** The state to begin with: the newest saved one, else what `initialize` makes. */
  async begin(): Promise<{ readonly round: number; readonly state: ResultOf<S> }> {
    const { rounds, stateManager } = this.#options;
    const saved = (await stateManager?.latest()) ?? null;
    if (saved !== null) {
      const state = savedStateOf(saved.state, this.#process.stateType, saved.version);
      if (saved.version > rounds) {
        throw new ProgramStateError(
          'state.mismatch',
          `The saved run has done ${saved.version} rounds, and ${rounds} are asked for. Ask for more, or use another place for another run.`,
        );
      }
      this.resumedFrom = saved.version;
      return { round: saved.version, state: state as ResultOf<S> };
    }
    const state = await this.#context.invoke(this.#process.initialize, [], this.#invocation);
    await this.#save(state, 0);
    return { round: 0, state: state as ResultOf<S> };
  }

  async *rounds(start: number, first: ResultOf<S>): AsyncGenerator<Round<S, R>, void, void> {
    const { rounds, data, onRound, signal } = this.#options;
    let state: unknown = first;
    for (let round = start + 1; round <= rounds; round++) {
      requireRunning(signal, round);
      const args = (await data?.(round)) ?? [];
      const output = await this.#context.invoke(
        this.#process.next,
        [state, ...args],
        this.#invocation,
      );
      state = this.#process.stateOf(output);
      const done: Round<S, R> = {
        round,
        state: state as ResultOf<S>,
        output: output as ResultOf<R>,
      };
      await onRound?.(done);
      if (round % this.#saveEvery === 0 || round === rounds) await this.#save(state, round);
      yield done;
    }
  }

  async #save(state: unknown, round: number): Promise<void> {
    const type = compactNotation(this.#process.stateType);
    await this.#options.stateManager?.save({ type, state }, round);
  }
}

/** @throws ProgramStateError `state.mismatch` if it was saved by a process with another state. */
function savedStateOf(saved: unknown, expected: Type, version: number): unknown {
  if (!isOurs(saved)) {
    throw new ProgramStateError(
      'state.mismatch',
      `Version ${version} was not saved by runProcess. Use another place for the states of this process.`,
    );
  }
  const given = parseType(saved.type);
  if (isAssignable(expected, given)) return saved.state;
  throw new ProgramStateError(
    'state.mismatch',
    `Version ${version} is the state of another process, or of an earlier form of this one.\n${explainDifference(expected, given)}\n  Use another place for the states of this process.`,
  );
}

function isOurs(saved: unknown): saved is { readonly type: string; readonly state: unknown } {
  if (typeof saved !== 'object' || saved === null) return false;
  return 'type' in saved && typeof saved.type === 'string' && 'state' in saved;
}

function requireRunning(signal: AbortSignal | undefined, round: number): void {
  if (!signal?.aborted) return;
  throw new ContextError('context.cancelled', `The run was ended before round ${round}.`, {
    cause: signal.reason,
  });
}

function requireWhole(option: string, given: number, least: number): void {
  if (Number.isSafeInteger(given) && given >= least) return;
  throw new ValueError(
    'value.out_of_range',
    `${option} is a whole number from ${least}; got ${given}.`,
  );
}
