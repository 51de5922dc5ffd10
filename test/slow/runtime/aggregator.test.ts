/** @file A sum with an aggregator in a process of its own, which is killed, and whom others claim to be. */

import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  int32,
  paillier,
  withContext,
} from 'fedloom';
import { ClientProcess } from 'fedloom/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readKeyFolder } from '../../../runtime/cli/key-folder.node.ts';
import type { ExecutionContext } from '../../../runtime/execution-context.ts';
import { standardBlumPrimes } from '../../protocols/paillier/keys.ts';
import { Cluster } from './processes.ts';
import { watched } from './watched.ts';

const NAMES = ['north', 'south', 'east'];
const PAILLIER = { keyHolder: 'server', modulusBits: 2048 } as const;
const total = federatedComputation([], () =>
  federatedSecureSum(federatedData('reading', int32(1)), 1000),
);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start(NAMES, {
    roles: ['aggregator'],
    policy: { protocols: { paillier: PAILLIER } },
    // Keys are proven in one go: a process says nothing for as long as that takes it.
    heartbeat: { heartbeatMs: 1_000, silenceMs: 20_000, graceMs: 1_500 },
  });
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose](), 60_000);

async function contextOf(asked = (_uri: string): void => {}): Promise<ExecutionContext> {
  const cohort = await cluster.coordinator!.select({ atLeast: NAMES.length, within: 90_000 });
  return cohort.context({
    secureAggregation: (identities) =>
      // Of a size that counts, and with a proof; but no test waits for new primes.
      paillier({ ...PAILLIER, identities, keys: { paillier: standardBlumPrimes } }),
    wrapLeaf: (leaf, placement) => (placement === 'aggregator' ? watched(leaf, asked) : leaf),
  });
}

async function sumIn(context: ExecutionContext): Promise<unknown> {
  return Array.from((await withContext(context, () => total())).toArray() as number[]);
}

test('adds exactly, and is lost by name when it is killed; with the next one it goes on', async () => {
  const operators: string[] = [];
  let adding = 0;
  await using context = await contextOf((uri) => {
    operators.push(uri);
    if (uri === 'paillier_add' && ++adding === NAMES.length + 2) cluster.kill('aggregator');
  });
  expect(await sumIn(context)).toEqual([60]);
  expect(operators.filter((uri) => uri === 'paillier_add')).toHaveLength(NAMES.length);
  await expect(sumIn(context)).rejects.toMatchObject({
    stage: 'aggregate',
    offender: 'aggregator/0',
    message: expect.stringContaining('aggregator/0'),
  });
  await cluster.restart('aggregator');
  expect(await sumIn(context)).toEqual([60]);
}, 120_000);

test('is not whom a client claims to be', async () => {
  const { credentials } = await readKeyFolder(cluster.keysOf('north'));
  const impostor = new ClientProcess({
    connect: `localhost:${cluster.port}`,
    credentials,
    name: 'aggregator',
    capabilities: { operators: ['paillier'], backend: '', platform: '', version: '' },
    policy: { text: '', hash: new Uint8Array(0) },
    makeExecutor: () => Promise.reject(new Error('nobody asks')),
  });
  await expect(impostor.run()).rejects.toMatchObject({
    code: 'transport.permission_denied',
    message: expect.stringContaining('"north" claims to be "aggregator"'),
  });
  await impostor.close();
});
