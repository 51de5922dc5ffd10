/**
 * @file Twenty thousand seeds of simulated rounds, and more of those that are rare among them. `npx tsx
 * scripts/simulate-secagg.ts --seed … --trace` shows one of them again.
 */

import { describe, expect, test } from 'vitest';
import {
  type PlanChanges,
  replayCommand,
  type SimulationResult,
  simulate,
} from '../../protocols/secagg/simulator/index.ts';

const SEEDS = 20_000;
const PARTS = 8;

describe(`${SEEDS} seeds`, () => {
  test.each(Array.from({ length: PARTS }, (_, part) => part))('part %i', async (part) => {
    const first = (part * SEEDS) / PARTS;
    const { results, broken } = await simulateAll(first, SEEDS / PARTS);
    expect(broken).toEqual([]);
    const ends = results.flatMap((result) => result.ends);
    const finished = ends.filter(({ kind }) => kind === 'finish').length;
    // Most of what happens to a round it survives, or this would not test much.
    expect(finished).toBeGreaterThan(ends.length / 4);
  });
});

test.each<PlanChanges>([
  { model: 'active', graph: 'sparse', server: 'honest' },
  { model: 'active', graph: 'sparse', server: 'equivocating' },
  { model: 'semi-honest', graph: 'sparse' },
  { model: 'active', graph: 'complete', server: 'equivocating', clients: 5 },
  { model: 'active', graph: 'complete', server: 'meddling', clients: 7 },
])('%o', async (changes) => {
  const count = changes.graph === 'sparse' ? 50 : 200;
  const { broken } = await simulateAll(1_000_000, count, changes);
  expect(broken).toEqual([]);
});

test('what the parameters of sparse graphs leave to chance happens as rarely as they say', async () => {
  const { results, broken } = await simulateAll(2_000_000, 250, {
    model: 'active',
    graph: 'sparse',
    server: 'equivocating',
    clients: 16,
  });
  expect(broken).toEqual([]);
  const chancy = results.filter(({ plan }) => plan.securityBits < 40);
  const unlucky = chancy.filter(({ judgement }) => judgement.unlucky).length;
  expect(chancy.length).toBeGreaterThan(30);
  const risk = 2 ** -chancy[0]!.plan.securityBits;
  expect(unlucky).toBeLessThanOrEqual(chancy.length * risk + 4 * Math.sqrt(chancy.length * risk));
});

async function simulateAll(
  first: number,
  count: number,
  changes: PlanChanges = {},
): Promise<{ readonly results: SimulationResult[]; readonly broken: string[] }> {
  const results: SimulationResult[] = [];
  const broken: string[] = [];
  for (let seed = first; seed < first + count; seed += 1) {
    // The runner expects a sign of life now and then.
    if (seed % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    const result = simulate(seed, { changes });
    results.push(result);
    for (const { rule, text } of result.violations) {
      broken.push(`[${rule}] ${text}: ${replayCommand({ seed }, changes)}`);
    }
  }
  return { results, broken };
}
