/** @file Whole rounds of the summation service: means and sums, both protocols, clients lost anywhere. */

import { expect, test } from 'vitest';
import { hospitals, MEAN, NAMES, type Step, SUM } from './hospitals.ts';

const many = Array.from({ length: 16 }, (_, i) => `clinic-${i}`);

test.each([
  { label: 'SecAgg, active', names: NAMES, workflow: { reconstructionThreshold: 3 } },
  { label: 'SecAgg, semi-honest', names: NAMES, workflow: { model: 'semi-honest' as const } },
  { label: 'SecAgg+, active', names: many, workflow: { numShares: 11 } },
  {
    label: 'SecAgg+, semi-honest',
    names: many,
    workflow: { numShares: 0.5, reconstructionThreshold: 0.6, model: 'semi-honest' as const },
  },
])(
  '$label: the mean is within its bound, and sums are exact',
  async ({ names, workflow, label }) => {
    const wide = { clippingRange: 16 };
    const {
      workflow: service,
      peers,
      meanOf,
    } = hospitals({
      names,
      workflow: { ...workflow, ...wide },
      client: () => ({ quantization: wide }),
    });
    const round = service.startMean(peers, MEAN);
    expect(round.parameters.graph).toBe(label.startsWith('SecAgg+') ? 'sparse' : 'complete');
    const { mean, clients, lost, errorBound, totalWeight, traffic } = await round.run();
    expect(clients).toEqual(names);
    expect(lost).toEqual([]);
    expect(totalWeight).toBe((names.length * (names.length + 1)) / 2);
    expect(Object.keys(mean)).toEqual(['weights', 'bias']);
    expectNear([...mean.weights!, ...mean.bias!], meanOf(names), errorBound);
    expect(errorBound).toBeLessThan(1e-2);
    expect(traffic.toServer).toBeGreaterThan(0);

    const { sums } = await service.startSum(peers, SUM).run();
    const total = BigInt((names.length * (names.length - 1)) / 2);
    expect([...sums.counts!]).toEqual([total, 2n * total]);
  },
);

const LOST: readonly { readonly step: Step; readonly stage: string; readonly counts: boolean }[] = [
  { step: 'advertise', stage: 'setup', counts: false },
  { step: 'share-keys', stage: 'shareKeys', counts: false },
  { step: 'mask-vectors', stage: 'collectMaskedVectors', counts: false },
  { step: 'confirm-survivors', stage: 'unmask', counts: true },
  { step: 'unmask', stage: 'unmask', counts: true },
];

test.each(LOST)('a client lost at $step is named, and the rest have their mean', async (given) => {
  const { workflow, peers, meanOf } = hospitals({
    line: ({ name, step, answer }) =>
      name === 'south' && step === given.step
        ? Promise.reject(new Error('the line is dead'))
        : answer(),
  });
  const { mean, clients, lost, errorBound } = await workflow.startMean(peers, MEAN).run();
  const included = given.counts ? NAMES : NAMES.filter((name) => name !== 'south');
  expect(clients).toEqual(included);
  expect(lost).toEqual([
    {
      client: 'south',
      stage: given.stage,
      step: given.step,
      reason: 'failed',
      code: undefined,
      message: 'the line is dead',
    },
  ]);
  expectNear([...mean.weights!, ...mean.bias!], meanOf(included), errorBound);
});

test('a client that answers too late is lost, its request is aborted, and it is told to leave', async () => {
  const steps: string[] = [];
  let aborted = false;
  const { workflow, peers, clients } = hospitals({
    workflow: { timeout: 0.5 },
    line: ({ name, step, answer, signal }) => {
      if (name === 'west') steps.push(step);
      if (name !== 'west' || step !== 'share-keys') return answer();
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => {});
    },
  });
  const { lost, clients: included } = await workflow.startMean(peers, MEAN).run();
  expect(lost).toMatchObject([{ client: 'west', stage: 'shareKeys', reason: 'timeout' }]);
  expect(included).not.toContain('west');
  expect(aborted).toBe(true);
  await new Promise((resolve) => setTimeout(resolve));
  expect(steps).toEqual(['advertise', 'share-keys', 'leave']);
  expect(clients.map(({ sessions }) => sessions)).toEqual([0, 0, 0, 0, 0]);
});

test.each(LOST)(
  'too few left at $step end the round with who was missing, and no sum',
  async (given) => {
    const gone = ['north', 'south', 'lake'];
    const { workflow, peers, clients } = hospitals({
      line: ({ name, step, answer }) =>
        gone.includes(name) && step === given.step ? Promise.reject(new Error('gone')) : answer(),
    });
    const round = workflow.startMean(peers, MEAN);
    const error = await round.run().catch((failure) => failure);
    expect(error).toMatchObject({ name: 'ProtocolAbortError', missing: gone });
    expect(round.lost.map(({ client }) => client)).toEqual(gone);
    await new Promise((resolve) => setTimeout(resolve));
    const left = clients.filter((_, i) => !gone.includes(NAMES[i]!));
    expect(left.map(({ sessions }) => sessions)).toEqual([0, 0]);
    await expect(round.setup()).rejects.toThrow('it is over');
  },
);

test('clients come in the order of the roster, however they are given', async () => {
  const { workflow, peers } = hospitals();
  const { sums, clients } = await workflow.startSum([...peers].reverse().slice(1), SUM).run();
  expect(clients).toEqual(NAMES.slice(0, 4));
  expect([...sums.counts!]).toEqual([6n, 12n]);
});

test('rounds run at the same time, and each has its own events', async () => {
  const { workflow, peers } = hospitals();
  const events: string[] = [];
  workflow.on('setup', ({ kind, round }) => void (kind === 'end' && events.push(round)));
  const rounds = [
    workflow.startSum(peers, SUM),
    workflow.startMean(peers, MEAN),
    workflow.startSum(peers.slice(0, 3), SUM),
  ];
  const results = await Promise.all(rounds.map((round) => round.run()));
  expect(results.map(({ clients }) => clients.length)).toEqual([5, 5, 3]);
  expect(events.sort()).toEqual(rounds.map(({ id }) => id).sort());
});

test('weights that add up to nothing have no mean', async () => {
  const { workflow, peers } = hospitals({
    client: () => ({
      contribute: () => ({ tensors: { weights: [1, 2], bias: [3] }, weight: 0 }),
    }),
  });
  await expect(workflow.startMean(peers, MEAN).run()).rejects.toMatchObject({
    code: 'execution.zero_weight',
  });
});

test('a client that found another context than the rest is left out', async () => {
  const context = new Uint8Array([1, 2, 3]);
  const { workflow, peers } = hospitals({
    client: (_, i) => ({
      contribute: (round) => ({
        tensors: { counts: [1, 1] },
        ...(i === 1 && { context: Uint8Array.of(9) }),
        ...(i === 2 && { context: round.context }),
      }),
    }),
  });
  const { clients, lost, sums } = await workflow.startSum(peers, { ...SUM, context }).run();
  expect(clients).toEqual(NAMES.filter((name) => name !== 'east'));
  expect(lost).toMatchObject([{ client: 'east', code: 'context-mismatch', reason: 'refused' }]);
  expect([...sums.counts!]).toEqual([4n, 4n]);
});

function expectNear(found: readonly number[], wanted: readonly number[], bound: number): void {
  expect(found).toHaveLength(wanted.length);
  for (const [i, value] of found.entries()) {
    expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(bound);
  }
}
