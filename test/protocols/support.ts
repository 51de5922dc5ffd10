/** @file What the tests of the protocols share: replayable randomness, bytes, Wycheproof's vectors. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deterministicRng, isFault, type Rng, utf8 } from '../../protocols/index.ts';

export function seeded(seed: string | number): Rng {
  return deterministicRng(utf8(String(seed)));
}

export const SESSION = new Uint8Array(32).fill(7);

/** The code of a fault, or the kind of any other outcome. */
export function codeOf(outcome: { readonly kind: string }): string {
  return isFault(outcome) ? outcome.code : outcome.kind;
}

/** Narrows an outcome to what the test expects, showing the fault otherwise. */
export function expectKind<O extends { readonly kind: string }, K extends O['kind']>(
  outcome: O,
  kind: K,
): Extract<O, { readonly kind: K }> {
  if (outcome.kind !== kind) {
    throw new Error(
      `expected ${kind}, got ${isFault(outcome) ? `${outcome.code}: ${outcome.message}` : outcome.kind}`,
    );
  }
  return outcome as Extract<O, { readonly kind: K }>;
}

const vectorFolder = new URL('../../../shared/vectors/wycheproof/', import.meta.url);

export interface WycheproofGroup<Test> {
  readonly tests: readonly Test[];
}

/** The vectors, or nothing in a checkout without them. */
export function wycheproof<Test>(name: string): readonly Test[] | undefined {
  return wycheproofGroups<WycheproofGroup<Test>>(name)?.flatMap((group) => group.tests);
}

/** The vectors with what a group of them shares, or nothing in a checkout without them. */
export function wycheproofGroups<Group extends WycheproofGroup<unknown>>(
  name: string,
): readonly Group[] | undefined {
  const path = fileURLToPath(new URL(name, vectorFolder));
  if (!existsSync(path)) return undefined;
  const file: { readonly testGroups: readonly Group[] } = JSON.parse(readFileSync(path, 'utf8'));
  return file.testGroups;
}

export const WITHOUT_VECTORS = 'skipped where ../shared/vectors/wycheproof is absent';

/** Pearson's statistic of counts that should be alike. */
export function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((total, count) => total + count, 0) / counts.length;
  return counts.reduce((total, count) => total + (count - expected) ** 2 / expected, 0);
}

/** What `chiSquare` exceeds once in a million, by Wilson and Hilferty's approximation. */
export function chiSquareLimit(cells: number): number {
  const freedom = cells - 1;
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + 4.7534 * Math.sqrt(spread)) ** 3;
}
