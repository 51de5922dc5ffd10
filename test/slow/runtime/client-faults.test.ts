/** @file Clients whose clock is wrong, and clients that run out of memory in the middle of a round. */

import { writeFileSync } from 'node:fs';
import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  int32,
  type SecureSumStep,
  secAgg,
  withContext,
} from 'fedloom';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './processes.ts';

const NAMES = ['north', 'south', 'east', 'west', 'centre', 'border'];
const HOUR = 3_600_000;
const total = federatedComputation([], () =>
  federatedSecureSum(federatedData('reading', int32(1)), 1000),
);

/** All that JavaScript knows of the time is off by so much. */
function clockOff(ms: number): readonly string[] {
  const program = `
    const Real = globalThis.Date;
    globalThis.Date = class Date extends Real {
      constructor(...given) { given.length === 0 ? super(Real.now() + ${ms}) : super(...given); }
      static now() { return Real.now() + ${ms}; }
    };`;
  return ['--import', `data:text/javascript,${encodeURIComponent(program)}`];
}

const SMALL_HEAP = ['--max-old-space-size=128'];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start(NAMES, {
    // Valid by all three clocks.
    keysMade: new Date(Date.now() - 3 * HOUR),
    nodeOptions: {
      north: clockOff(HOUR),
      south: clockOff(-HOUR),
      east: SMALL_HEAP,
      centre: SMALL_HEAP,
    },
  });
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose](), 60_000);

/** @param threshold of clients that must stay. */
async function round(names: readonly string[], threshold = 4) {
  const cohort = await cluster.coordinator!.select({
    atLeast: names.length,
    within: 90_000,
    where: ({ name }) => names.includes(name),
  });
  await using context = cohort.context({
    secureAggregation: (identities) => secAgg({ identities, timeoutMs: 20_000, threshold }),
  });
  const steps: SecureSumStep[] = [];
  context.on('progress', (event) => {
    if (event.stage === 'run' && event.step.kind === 'secure-sum') steps.push(event.step);
  });
  const result = await withContext(context, () => total());
  return { sum: Number(result.toArray()), step: steps[0] };
}

/** What a client has from now on does not fit into its heap. */
function outgrow(name: string): void {
  writeFileSync(cluster.dataOf(name), `[${'{},'.repeat(8_000_000)}{}]`);
}

test('clocks that are an hour off do not keep anybody from a round', async () => {
  const { sum, step } = await round(NAMES);
  expect(sum).toBe(210);
  expect(step?.lost).toEqual([]);
}, 120_000);

test('a client that runs out of memory is lost by name, and the round goes on', async () => {
  outgrow('east');
  const { sum, step } = await round(NAMES);
  expect(await cluster.ended('east')).toContain('heap out of memory');
  expect(sum).toBe(180);
  expect(step?.lost).toMatchObject([{ client: 'clients/2', reason: 'failed' }]);
  expect(cluster.coordinator!.clients.get('east')?.isConnected ?? false).toBe(false);
}, 120_000);

test('and ends a round that cannot do without it, which says whom it needed', async () => {
  outgrow('centre');
  const others = NAMES.filter((name) => name !== 'east');
  await expect(round(others, others.length)).rejects.toMatchObject({
    code: 'protocol.too_few_clients',
    message: expect.stringContaining('clients/4'),
  });
  expect(await cluster.ended('centre')).toContain('heap out of memory');
  expect((await round(['north', 'south', 'west', 'border'])).sum).toBe(130);
}, 120_000);
