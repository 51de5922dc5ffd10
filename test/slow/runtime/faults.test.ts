/**
 * @file Faults of real processes: clients that are killed at every stage of a secure sum, whose clocks are
 * wrong, who run out of memory; a coordinator that is restarted between rounds and within one.
 */

import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  int32,
  type SecAggOptions,
  type SecureSumStep,
  secAgg,
  withContext,
} from 'fedloom';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ExecutionContext } from '../../../runtime/execution-context.ts';
import { Cluster } from './processes.ts';
import { watched } from './watched.ts';

const NAMES = ['north', 'south', 'east', 'west', 'centre'];
const total = federatedComputation([], () =>
  federatedSecureSum(federatedData('reading', int32(1)), 1000),
);
const VICTIM = 1;
const HOUR = 3_600_000;
const SMALL_HEAP = ['--max-old-space-size=128'];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start(NAMES, {
    // Valid by all clocks.
    keysMade: new Date(Date.now() - 3 * HOUR),
    nodeOptions: {
      north: clockOff(HOUR),
      west: clockOff(-HOUR),
      east: SMALL_HEAP,
      centre: SMALL_HEAP,
    },
  });
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose](), 60_000);

/** A context of all clients, in which something happens when the victim is asked for an operator. */
async function contextOf(
  operator = '',
  happens = (): void => {},
  { names = NAMES, options = {} as SecAggOptions } = {},
): Promise<ExecutionContext> {
  const cohort = await cluster.coordinator!.select({
    atLeast: names.length,
    within: 90_000,
    where: ({ name }) => names.includes(name),
  });
  let done = false;
  return cohort.context({
    secureAggregation: (identities) => secAgg({ identities, timeoutMs: 10_000, ...options }),
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
  readonly lost: SecureSumStep['lost'];
}

async function roundIn(context: ExecutionContext): Promise<Round> {
  const steps: SecureSumStep[] = [];
  context.on('progress', (event) => {
    if (event.stage === 'run' && event.step.kind === 'secure-sum') steps.push(event.step);
  });
  const sums = await withContext(context, () => total());
  const [{ clients, lost } = { clients: [], lost: [] }] = steps;
  return { sum: Number(sums.toArray()), clients, lost };
}

/** The sum of whoever is said to be in it. */
function sumOf(clients: readonly string[]): number {
  return clients.reduce((sum, client) => sum + 10 * (Number(client.split('/')[1]) + 1), 0);
}

/** All that JavaScript knows of the time is off by so much; OpenSSL has the clock of the machine. */
function clockOff(ms: number): readonly string[] {
  const program = `
    const Real = globalThis.Date;
    globalThis.Date = class Date extends Real {
      constructor(...given) { given.length === 0 ? super(Real.now() + ${ms}) : super(...given); }
      static now() { return Real.now() + ${ms}; }
    };`;
  return ['--import', `data:text/javascript,${encodeURIComponent(program)}`];
}

/** What a client has from now on does not fit into its heap. */
function outgrow(name: string): void {
  writeFileSync(cluster.dataOf(name), `[${'{},'.repeat(8_000_000)}{}]`);
}

test('clocks that are an hour off keep nobody from a round', async () => {
  await using context = await contextOf();
  expect(await roundIn(context)).toMatchObject({ sum: 150, lost: [] });
}, 120_000);

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

test('a coordinator that is killed within a round: the next one has its clients again', async () => {
  const masking = join(cluster.folder, 'masking');
  const first = await cluster.coordinate('killed-coordinator.program.ts', masking);
  await vi.waitFor(() => expect(existsSync(masking)).toBe(true), { timeout: 90_000, interval: 50 });
  first.kill('SIGKILL');
  await once(first, 'exit');
  const second = await cluster.coordinate('killed-coordinator.program.ts');
  let said = '';
  second.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  expect(await once(second, 'close')).toEqual([0, null]);
  expect(said).toBe('sum 150\n');
  await cluster.listen();
}, 180_000);

describe('a client that runs out of memory', () => {
  test('is lost by name, and the round goes on', async () => {
    await using context = await contextOf();
    outgrow('east');
    const { sum, clients, lost } = await roundIn(context);
    expect(await cluster.ended('east')).toContain('heap out of memory');
    expect({ sum, count: clients.length }).toEqual({ sum: 120, count: 4 });
    expect(lost).toMatchObject([{ client: 'clients/2', reason: 'failed' }]);
  }, 120_000);

  test('ends a round that cannot do without it, and the next one completes', async () => {
    const names = NAMES.filter((name) => name !== 'east');
    {
      await using context = await contextOf('', () => {}, { names, options: { threshold: 4 } });
      outgrow('centre');
      await expect(roundIn(context)).rejects.toMatchObject({
        code: 'protocol.too_few_clients',
        message: expect.stringContaining('clients/4'),
      });
    }
    expect(await cluster.ended('centre')).toContain('heap out of memory');
    await using again = await contextOf('', () => {}, { names: names.slice(0, 3) });
    expect((await roundIn(again)).sum).toBe(70);
  }, 120_000);
});
