/**
 * @file What a program keeps between runs, by version: the state of a process after each round, so
 * that a run which was killed goes on where it was.
 */

import { FedloomError, ValueError } from '../../computations/types/index.ts';

/**
 * Keeps states by version. A state is plain data: numbers, bigints, booleans, strings, `null`,
 * `TensorValue`s, and arrays and plain objects of these, as computations return them. What is
 * loaded is equal to what was saved, to the last bit of every element.
 */
export interface ProgramStateManager {
  /**
   * Keeps a state. It is there as a whole when the promise resolves, or not at all.
   * @param version a non-negative integer, e.g. the number of rounds done.
   * @throws ProgramStateError `state.exists` if the version is kept already and can be read.
   * @throws ValueError `value.wrong_type` naming the part of the state that is no plain data.
   */
  save(state: unknown, version: number): Promise<void>;
  /** @throws ProgramStateError `state.not_found`, or `state.corrupted` if it cannot be read. */
  load(version: number): Promise<unknown>;
  /**
   * The newest state that can be read, or `null` if there is none at all. Newer ones that cannot be
   * read are passed over with a warning.
   * @throws ProgramStateError `state.corrupted` if there are states, and none can be read.
   */
  latest(): Promise<SavedState | null>;
  /** The versions that are kept, oldest first, whether they can be read or not. */
  versions(): Promise<readonly number[]>;
  /** Removes a version, if it is there. */
  remove(version: number): Promise<void>;
}

export interface SavedState {
  readonly version: number;
  readonly state: unknown;
}

export type ProgramStateErrorCode =
  | 'state.exists'
  | 'state.not_found'
  | 'state.corrupted'
  | 'state.invalid_version'
  | 'state.mismatch';

/** A program state cannot be saved or loaded. */
export class ProgramStateError extends FedloomError<ProgramStateErrorCode> {}

/** @throws ProgramStateError `state.invalid_version` */
export function requireVersion(version: number): void {
  if (Number.isSafeInteger(version) && version >= 0) return;
  throw new ProgramStateError(
    'state.invalid_version',
    `The version of a program state is a non-negative integer, such as the number of rounds done; got ${version}.`,
  );
}

/** @throws ValueError `value.out_of_range` unless at least one version is to be kept. */
export function requireKeep(keep: number): void {
  if (keep === Number.POSITIVE_INFINITY || (Number.isSafeInteger(keep) && keep >= 1)) return;
  throw new ValueError(
    'value.out_of_range',
    `keep is the number of versions that are kept: an integer from 1, or Infinity for all; got ${keep}.`,
  );
}

/** Two allow for one that is corrupted; five for noticing it late. */
export const DEFAULT_KEEP = 5;
