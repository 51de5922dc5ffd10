/**
 * @file Faults of real processes: clients that are killed at every stage of a secure sum, a coordinator
 * that is restarted between rounds and within one.
 */

import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  int32,
  secAgg,
  withContext,
} from 'fedloom';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExecutionContext } from '../../../runtime/execution-context.ts';
import { Cluster } from './processes.ts';
import { watched } from './watched.ts';

const NAMES = ['north', 'south', 'east', 'west', 'centre'];
const total = federatedComputation([], () =>
  federatedSecureSum(federatedData('reading', int32(1)), 1000),
);
const VICTIM = 1;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start(NAMES);
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose](), 60_000);

/** A context of all clients, in which something happens when the victim is asked for an operator. */
async function contextOf(operator = '', happens = (): void => {}): Promise<ExecutionContext> {
  const cohort = await cluster.coordinator!.select({ atLeast: NAMES.length, within: 90_000 });
  let done = false;
  return cohort.context({
    secureAggregation: (identities) => secAgg({ identities, timeoutMs: 10_000 }),
    remote: { callTimeoutMs: 10_000, computeTimeoutMs: 10_000 },
    wrapLeaf: (leaf, placement, index) =>
      placement !== 'clients' || index !== VICTIM
        ? leaf
        : watched(leaf, (uri) => {
            if (done || uri !== operator) return;
            done = true;
            happens();
          }),
  });
}

interface Round {
  readonly sum: number;
  readonly clients: readonly string[];
}

async function roundIn(context: ExecutionContext): Promise<Round> {
  let clients: readonly string[] = [];
  context.on('progress', (event) => {
    if (event.stage === 'run' && event.step.kind === 'secure-sum') clients = event.step.clients;
  });
  const sums = await withContext(context, () => total());
  return { sum: Number(sums.toArray()), clients };
}

/** The sum of whoever is said to be in it. */
function sumOf(clients: readonly string[]): number {
  return clients.reduce((sum, client) => sum + 10 * (Number(client.split('/')[1]) + 1), 0);
}

describe.each([
  ['secagg_advertise', false],
  ['secagg_share_keys', false],
  ['secagg_mask_vectors', false],
  ['secagg_confirm_survivors', true],
  ['secagg_unmask_confirmed', true],
] as const)('a client that is killed when it is asked for %s', (operator, isInSum) => {
  test('is lost, and the round goes on', async () => {
    const name = NAMES[VICTIM] as string;
    {
      await using context = await contextOf(operator, () => cluster.kill(name));
      const { sum, clients } = await roundIn(context);
      expect(clients.includes(`clients/${VICTIM}`)).toBe(isInSum);
      expect(clients).toHaveLength(isInSum ? 5 : 4);
      expect(sum).toBe(sumOf(clients));
    }
    await cluster.restart(name);
    await using again = await contextOf();
    expect(await roundIn(again)).toMatchObject({ sum: 150 });
  }, 120_000);
});

test('a coordinator that is restarted between rounds finds its clients again', async () => {
  {
    await using context = await contextOf();
    expect((await roundIn(context)).sum).toBe(150);
  }
  await cluster.coordinator!.close(500);
  await cluster.listen();
  await using context = await contextOf();
  expect((await roundIn(context)).sum).toBe(150);
}, 120_000);

test('a coordinator that is restarted within a round: that ends, the next completes', async () => {
  {
    await using context = await contextOf(
      'secagg_mask_vectors',
      () => void cluster.coordinator!.close(0),
    );
    await expect(roundIn(context)).rejects.toThrow(/protocol\.|transport\.|execution\./);
  }
  await cluster.coordinator!.close(0);
  await cluster.listen();
  await using context = await contextOf();
  expect((await roundIn(context)).sum).toBe(150);
}, 120_000);
