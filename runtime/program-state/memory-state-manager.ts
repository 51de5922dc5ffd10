/** @file Program states in memory: for tests, and for programs that do not outlive their process. */

import { decodeState, encodeState } from './encode-state.ts';
import {
  DEFAULT_KEEP,
  ProgramStateError,
  type ProgramStateManager,
  requireKeep,
  requireVersion,
  type SavedState,
} from './program-state.ts';

export interface MemoryProgramStateManagerOptions {
  /** How many of the newest versions are kept. @default 5 */
  readonly keep?: number;
}

/** Keeps copies, as a file would: what is changed after it was saved is not changed here. */
export function memoryProgramStateManager(
  options: MemoryProgramStateManagerOptions = {},
): ProgramStateManager {
  const keep = options.keep ?? DEFAULT_KEEP;
  requireKeep(keep);
  return new MemoryProgramStateManager(keep);
}

class MemoryProgramStateManager implements ProgramStateManager {
  readonly #keep: number;
  readonly #states = new Map<number, Uint8Array>();

  constructor(keep: number) {
    this.#keep = keep;
  }

  async save(state: unknown, version: number): Promise<void> {
    requireVersion(version);
    if (this.#states.has(version)) {
      throw new ProgramStateError('state.exists', `Version ${version} is kept already.`);
    }
    this.#states.set(version, joined(encodeState(state)));
    const others = this.#sorted().filter((each) => each !== version);
    for (const old of others.slice(0, Math.max(0, others.length + 1 - this.#keep))) {
      this.#states.delete(old);
    }
  }

  async load(version: number): Promise<unknown> {
    requireVersion(version);
    const bytes = this.#states.get(version);
    if (bytes !== undefined) return decodeState(bytes);
    throw new ProgramStateError('state.not_found', `There is no version ${version} in memory.`);
  }

  async latest(): Promise<SavedState | null> {
    const version = this.#sorted().at(-1);
    return version === undefined ? null : { version, state: await this.load(version) };
  }

  async versions(): Promise<readonly number[]> {
    return this.#sorted();
  }

  async remove(version: number): Promise<void> {
    requireVersion(version);
    this.#states.delete(version);
  }

  #sorted(): number[] {
    return [...this.#states.keys()].sort((a, b) => a - b);
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
