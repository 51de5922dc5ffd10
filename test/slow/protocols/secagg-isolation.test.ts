/**
 * @file Sybils among clients who choose their neighbours, in very many graphs: how often the server
 * could put a client's secrets together, or split off a small sum, against what the bounds allow.
 * The security is lowered to a few bits, so that there is something to count.
 */

import { describe, expect, it } from 'vitest';
import { type Rng, secAggParameters } from '../../../protocols/index.ts';
import { chooseNeighbours } from '../../../protocols/secagg/graph.ts';
import { chosenGraph } from '../../../protocols/secagg/parameters/chosen-graph.ts';
import { lnBinomialAtLeast } from '../../../protocols/secagg/parameters/distributions.ts';
import { seeded } from '../../protocols/support.ts';

interface Setup {
  readonly clients: number;
  readonly corrupt: number;
  readonly neighbours: number;
  readonly threshold: number;
  /** A sum of fewer honest clients is a split. */
  readonly leastHonest: number;
  readonly graphs: number;
}

/** Of `graphs` random graphs, how many have a client exposed and how many a sum split off. */
function simulate({ clients, corrupt, neighbours, threshold, leastHonest, graphs }: Setup) {
  const rng = batched(seeded(`sybils ${clients} ${corrupt} ${neighbours} ${threshold}`));
  const everyone = Array.from({ length: clients }, (_, client) => client);
  const honest = clients - corrupt;
  const counts = { exposed: 0, split: 0 };
  for (let graph = 0; graph < graphs; graph++) {
    const chosen: (readonly number[])[] = [];
    // How many honest clients each needs in its set for its self mask to be put together.
    const needs: number[] = [];
    let exposed = false;
    let needy = false;
    for (let client = 0; client < honest; client++) {
      const own = chooseNeighbours(client, everyone, neighbours, rng);
      let sybils = 0;
      for (let at = own.length - 1; at >= 0 && own[at]! >= honest; at--) sybils += 1;
      exposed ||= 2 * threshold <= neighbours + 1 + sybils;
      needy ||= threshold - 1 - sybils < leastHonest - 1;
      chosen.push(own);
      needs.push(threshold - 1 - sybils);
    }
    if (exposed) counts.exposed += 1;
    if (needy && canSplit(chosen, needs, leastHonest - 1)) counts.split += 1;
  }
  return counts;
}

/** The same bytes, asked for many at a time. */
function batched(rng: Rng): Rng {
  let batch = new Uint8Array(0);
  let used = 0;
  return (length) => {
    if (used + length > batch.length) {
      batch = Uint8Array.from(rng(2 ** 20));
      used = 0;
    }
    used += length;
    return batch.subarray(used - length, used);
  };
}

/** Whether there are `most` clients or fewer of whom each chose as many others of them as it needs. */
function canSplit(
  chosen: readonly (readonly number[])[],
  needs: readonly number[],
  most: number,
): boolean {
  const grow = (set: readonly number[]): boolean => {
    const missing = (client: number) =>
      needs[client]! - chosen[client]!.filter((other) => set.includes(other)).length;
    const wanting = set.find((client) => missing(client) > 0);
    if (wanting === undefined) return true;
    if (set.length + missing(wanting) > most) return false;
    // One of those whom it chose has to come in.
    return chosen[wanting]!.some(
      (other) => (needs[other] ?? most) < most && !set.includes(other) && grow([...set, other]),
    );
  };
  return needs.some((need, client) => need < most && grow([client]));
}

/** What the probability is between, but for once in a million, after `hits` of `tries`. */
function clopperPearson(hits: number, tries: number): { low: number; high: number } {
  const lnRare = Math.log(5e-7);
  const bisect = (isHigh: (p: number) => boolean): number => {
    let [low, high] = [0, 1];
    for (let step = 0; step < 60; step++) {
      const middle = (low + high) / 2;
      if (isHigh(middle)) high = middle;
      else low = middle;
    }
    return high;
  };
  return {
    low: hits === 0 ? 0 : bisect((p) => lnBinomialAtLeast(tries, p, hits) > lnRare),
    high: bisect((p) => lnBinomialAtLeast(tries, 1 - p, tries - hits) < lnRare),
  };
}

const boundsOf = ({ clients, corrupt, neighbours, threshold, leastHonest }: Setup) => {
  const rest = { candidates: clients, lost: 0 };
  const guarantees = chosenGraph({ model: 'active', clients, corrupt, ...rest });
  return {
    exposed: Math.exp(guarantees.lnExposure(neighbours, threshold)),
    split: Math.exp(guarantees.lnSplit(neighbours, threshold, leastHonest)),
  };
};

describe('sybils in graphs of chosen neighbours', () => {
  it.each([
    { clients: 30, corrupt: 6, neighbours: 9, threshold: 8, leastHonest: 5, graphs: 200_000 },
    { clients: 20, corrupt: 2, neighbours: 4, threshold: 4, leastHonest: 4, graphs: 150_000 },
    { clients: 60, corrupt: 12, neighbours: 12, threshold: 10, leastHonest: 4, graphs: 60_000 },
  ])('succeed no more often than the bounds say: %o', (setup) => {
    const counts = simulate(setup);
    const bounds = boundsOf(setup);
    const exposed = clopperPearson(counts.exposed, setup.graphs);
    const split = clopperPearson(counts.split, setup.graphs);
    expect(exposed.low).toBeLessThanOrEqual(bounds.exposed);
    expect(split.low).toBeLessThanOrEqual(bounds.split);
    // Clients choose independently, so that a single one being exposed is known exactly.
    const honest = setup.clients - setup.corrupt;
    const exactly = 1 - (1 - bounds.exposed / honest) ** honest;
    expect(exactly).toBeGreaterThanOrEqual(exposed.low);
    expect(exactly).toBeLessThanOrEqual(exposed.high);
    // There was something to count, and the bounds are not far from it.
    expect(counts.exposed + counts.split).toBeGreaterThan(100);
    expect(exposed.high + split.high).toBeGreaterThan((bounds.exposed + bounds.split) / 2);
  });

  it('succeed less often than was asked for, with the parameters that are found', () => {
    const securityBits = 8;
    const found = secAggParameters({
      clients: 100,
      corruptRate: 0.1,
      dropoutRate: 0.1,
      graph: 'sparse',
      securityBits,
    });
    const { corrupt, neighbours, threshold, leastHonestInSum } = found;
    // As many are there to choose among as may be left; larger sums take too long to look for.
    const clients = found.leastSurvivors;
    const leastHonest = Math.min(4, leastHonestInSum);
    const setup = { clients, corrupt, neighbours, leastHonest, graphs: 20_000 };
    const rate = (changed: number) => {
      const { exposed, split } = simulate({ ...setup, threshold: changed });
      return clopperPearson(exposed + split, setup.graphs).low;
    };
    expect(rate(threshold)).toBeLessThanOrEqual(2 ** -securityBits);
    expect(rate(threshold - 1)).toBeGreaterThan(2 ** -securityBits);
  });
});
