/** @file Chooses some of many, uniformly. */

import { ValueError } from '../../computations/types/index.ts';
import type { Rng } from '../../protocols/crypto/interface.ts';
import { uniformBelow } from '../../protocols/crypto/random.ts';
import type { ConnectedClient } from './connected-client.ts';

export interface Selection {
  /** At least 1. */
  readonly atLeast: number;
  /** @default all that there are */
  readonly atMost?: number;
  /** How long to wait for `atLeast`, in milliseconds. */
  readonly within: number;
  /** Families of operators that a client must have. @default none */
  readonly operators?: readonly string[];
  /** Whether a client may be chosen. @default any may */
  readonly where?: (client: ConnectedClient) => boolean;
  readonly signal?: AbortSignal;
}

/** @throws ValueError `value.out_of_range` for a selection that makes no sense. */
export function checkSelection({ atLeast, atMost, within }: Selection): void {
  const most = atMost ?? Number.MAX_SAFE_INTEGER;
  if (Number.isSafeInteger(atLeast) && Number.isSafeInteger(most) && atLeast >= 1) {
    if (atLeast <= most && within >= 0) return;
  }
  throw new ValueError(
    'value.out_of_range',
    `select({ atLeast: ${atLeast}, atMost: ${atMost}, within: ${within} }) asks for no cohort; ` +
      'expected integers with 1 <= atLeast <= atMost, and a time in milliseconds.',
  );
}

export function isEligible(client: ConnectedClient, { operators = [], where }: Selection): boolean {
  if (!client.isConnected || client.lost.aborted) return false;
  const able = client.capabilities.operators;
  return operators.every((family) => able.includes(family)) && (where?.(client) ?? true);
}

/**
 * A uniformly random subset, in random order: the same for the same names and random bytes, in
 * whatever order they came.
 */
export function choose<T extends { readonly name: string }>(
  from: readonly T[],
  count: number,
  rng: Rng,
): readonly T[] {
  const left = [...from].sort((a, b) => (a.name < b.name ? -1 : 1));
  const chosen: T[] = [];
  // Durstenfeld's shuffle, as far as it is needed.
  while (chosen.length < count && left.length > 0) {
    const at = Number(uniformBelow(rng, BigInt(left.length)));
    const last = left.pop() as T;
    if (at === left.length) chosen.push(last);
    else {
      chosen.push(left[at] as T);
      left[at] = last;
    }
  }
  return Object.freeze(chosen);
}
