/** @file Whole rounds of the summation service: means and sums, both protocols, clients lost at any stage. */

import { expect, test } from 'vitest';
import { hospitals, MEAN, NAMES, type Step, SUM } from './hospitals.ts';

const many = Array.from({ length: 100 }, (_, i) => `clinic-${i}`);

test.each([
  { label: 'SecAgg, active', names: NAMES, workflow: { reconstructionThreshold: 3 } },
  { label: 'SecAgg, semi-honest', names: NAMES, workflow: { model: 'semi-honest' as const } },
  { label: 'SecAgg+, active', names: many, workflow: { numShares: 60 } },
  {
    label: 'SecAgg+, semi-honest',
    names: many,
    workflow: { numShares: 40, reconstructionThreshold: 0.55, model: 'semi-honest' as const },
  },
])('$label: the mean is within its bound, and sums are exact', async ({ names, workflow }) => {
  const { workflow: service, peers, meanOf } = hospitals({
    names,
    workflow,
    client: () => ({}),
  });
  const round = service.startMean(peers, MEAN);
  const { mean, clients, lost, errorBound, totalWeight } = await round.run();
  expect(clients).toEqual(names);
  expect(lost).toEqual([]);
  expect(totalWeight).toBe((names.length * (names.length + 1)) / 2);
  const clipped = names.length > 9;
  if (!clipped) {
    const wanted = meanOf(names);
    const found = [...mean.weights!, ...mean.bias!];
    for (const [i, value] of found.entries()) {
      expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(errorBound);
    }
    expect(errorBound).toBeLessThan(1e-2);
  }

  const { sums } = await service.startSum(peers, SUM).run();
  const total = BigInt((names.length * (names.length - 1)) / 2);
  expect([...sums.counts!]).toEqual([total, 2n * total]);
});
