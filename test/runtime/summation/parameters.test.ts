/** @file The rules of the parameters, one by one: a rule that is broken is an error before any message. */

import {
  generateIdentities,
  type SecAggWorkflowOptions,
  type SummationPeer,
  secAggWorkflow,
} from 'fedloom';
import { expect, test } from 'vitest';
import { hospitals, MEAN, NAMES, SUM } from './hospitals.ts';

const { roster } = generateIdentities(Array.from({ length: 40 }, (_, i) => `c${i}`));
const messages: string[] = [];
const peersOf = (count: number): SummationPeer[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `c${i}`,
    request: async () => {
      messages.push(`c${i}`);
      return new Uint8Array(0);
    },
  }));

const BROKEN: readonly (readonly [string, SecAggWorkflowOptions, RegExp])[] = [
  ['a threshold of 0', { reconstructionThreshold: 0 }, /reconstructionThreshold .* got 0/],
  ['a negative threshold', { reconstructionThreshold: -0.5 }, /got -0.5/],
  ['a threshold that is no count', { reconstructionThreshold: 2.5 }, /got 2.5/],
  ['a threshold that is no number', { reconstructionThreshold: Number.NaN }, /got NaN/],
  ['two shares', { numShares: 2 }, /numShares is a whole number from 3 .* got 2/],
  ['no shares', { numShares: 0 }, /got 0/],
  ['shares that are no count', { numShares: 3.5 }, /got 3.5/],
  ['more needed than there are', { reconstructionThreshold: 6, numShares: 5 }, /6 of 5 shares/],
  ['no clipping range', { clippingRange: 0 }, /clippingRange/],
  ['a negative clipping range', { clippingRange: -8 }, /clippingRange/],
  ['no levels', { quantizationRange: 1 }, /quantizationRange/],
  ['levels that are no count', { quantizationRange: 1000.5 }, /quantizationRange/],
  ['no weight', { maxWeight: 0 }, /maxWeight/],
  ['a modulus that is no power of two', { modulusRange: 2 ** 32 - 1 }, /power of two/],
  [
    'a modulus no larger than the levels',
    { modulusRange: 2 ** 22 },
    /larger than quantizationRange/,
  ],
  ['a modulus that is too large', { modulusRange: 2 ** 63 }, /2\^62/],
  ['no time', { timeout: 0 }, /timeout is a number of seconds/],
  ['endless time', { timeout: Number.POSITIVE_INFINITY }, /Nothing waits without a limit/],
  ['cohorts of one', { minimumClients: 1 }, /minimumClients/],
  ['an unknown model', { model: 'trusting' as never }, /'trusting'/],
  ['a roster that nobody checks', { model: 'semi-honest' }, /nobody would check/],
];

test.each(BROKEN)('%s is refused', (_, options, message) => {
  expect(() => secAggWorkflow({ roster, ...options })).toThrow(
    expect.objectContaining({ name: 'ValueError', message: expect.stringMatching(message) }),
  );
});

test('the active model needs a roster', () => {
  expect(() => secAggWorkflow({})).toThrow('needs a roster');
});

const UNFIT: readonly (readonly [string, SecAggWorkflowOptions, number, string, RegExp])[] = [
  ['too low a threshold', { reconstructionThreshold: 0.4 }, 10, 'insecure-parameters', /threshold/],
  ['two of many shares', { reconstructionThreshold: 2 }, 5, 'insecure-parameters', /threshold/],
  [
    'more than all shares',
    { reconstructionThreshold: 11 },
    10,
    'insecure-parameters',
    /11 .* 10 shares/,
  ],
  ['an overflow', { modulusRange: 2 ** 24 }, 5, 'modulus-too-small', /at most 4 clients/],
  ['shares of too few', { numShares: 3 }, 30, 'insecure-parameters', /neighbours/],
  ['a roster full of foes', { corruptRate: 0.9 }, 5, 'infeasible-parameters', /./],
];

test.each(UNFIT)(
  '%s is refused for the cohort, before any message',
  (_, options, count, reason, text) => {
    const workflow = secAggWorkflow({ roster, ...options });
    expect(() => workflow.startMean(peersOf(count), MEAN)).toThrow(
      expect.objectContaining({
        name: 'ProtocolAbortError',
        code: 'protocol.bad_parameters',
        reason,
        message: expect.stringMatching(text),
      }),
    );
    expect(messages).toEqual([]);
  },
);

test('thresholds are counts or proportions of the shares, rounded up', () => {
  const thresholdOf = (options: SecAggWorkflowOptions, count: number): number =>
    secAggWorkflow({ roster, corruptRate: 0, ...options }).startMean(peersOf(count), MEAN)
      .parameters.threshold;
  expect(thresholdOf({ reconstructionThreshold: 0.7 }, 10)).toBe(7);
  expect(thresholdOf({ reconstructionThreshold: 0.71 }, 10)).toBe(8);
  expect(thresholdOf({ reconstructionThreshold: 1 }, 10)).toBe(10);
  expect(thresholdOf({ reconstructionThreshold: 8 }, 10)).toBe(8);
  expect(thresholdOf({ reconstructionThreshold: 0.8, numShares: 11 }, 20)).toBe(9);
});

test('as many shares as clients, or more, are the complete graph', () => {
  const graphOf = (numShares: number): string =>
    secAggWorkflow({ roster, numShares }).startMean(peersOf(10), MEAN).parameters.graph;
  expect([10, 25, 1].map(graphOf)).toEqual(['complete', 'complete', 'complete']);
  const sparse = secAggWorkflow({ roster, numShares: 15 }).startMean(peersOf(20), MEAN);
  expect(sparse.parameters).toMatchObject({ graph: 'sparse', neighbours: 14 });
});

test.each([
  ['two of one name', [...peersOf(4), ...peersOf(1)], /Two clients are called "c0"/],
  ['too few', peersOf(2), /3 \(minimumClients\)/],
  ['one that is no member', [...peersOf(4), { ...peersOf(1)[0]!, name: 'x' }], /"x" is none of/],
] as const)('clients are refused: %s', (_, clients, message) => {
  expect(() => secAggWorkflow({ roster }).startMean(clients, MEAN)).toThrow(message);
});

test.each([
  ['none', {}, /no tensor/],
  ['of no name', { '': 1 }, /1 to 256 bytes/],
  ['of a name with control characters', { 'a\n': 1 }, /control/],
  ['of half a number', { a: 1.5 }, /whole numbers/],
  ['of negative size', { a: [2, -1] }, /whole numbers/],
  ['of too many values', { a: [2 ** 20, 2 ** 20] }, /values/],
] as const)('tensors are refused: %s', (_, tensors, message) => {
  expect(() => secAggWorkflow({ roster }).startMean(peersOf(5), { tensors })).toThrow(message);
});

test.each([0, -1, 1.5, 2n ** 64n, 2n ** 62n])('a maximum of %s is refused', (maximum) => {
  const tensors = { a: { maximum } };
  expect(() => secAggWorkflow({ roster }).startSum(peersOf(5), { tensors })).toThrow(
    expect.objectContaining({ code: 'protocol.bad_parameters' }),
  );
});

test('a context is at most 64 KiB', () => {
  const context = new Uint8Array(65_537);
  expect(() => secAggWorkflow({ roster }).startSum(peersOf(5), { ...SUM, context })).toThrow(
    '65536',
  );
});

test('the largest sums that fit are exact', async () => {
  const maximum = (2n ** 64n - 1n) / 5n;
  const { workflow, peers } = hospitals({
    client: () => ({ contribute: () => ({ tensors: { a: [maximum], ['__proto__']: [1n] } }) }),
  });
  const tensors = JSON.parse('{"a": {}, "__proto__": {}}') as { [name: string]: object };
  const { sums } = await workflow
    .startSum(peers, {
      tensors: Object.fromEntries(
        Object.keys(tensors).map((name) => [name, { maximum, shape: 1 }]),
      ),
    })
    .run();
  expect(sums.a![0]).toBe(5n * maximum);
  expect(NAMES).toHaveLength(5);
});

test('an unknown stage has no listeners', () => {
  expect(() => secAggWorkflow({ roster }).on('fit' as never, () => {})).toThrow("no stage 'fit'");
});
