/** @file Rounds with clients that dial in, each under a guard of its own. */

import * as tf from '@tensorflow/tfjs';
import {
  federatedComputation,
  federatedData,
  federatedMap,
  federatedSecureSum,
  federatedSum,
  int32,
  type SecureSumStep,
  secAgg,
  tensorComputation,
  withContext,
} from 'fedloom';
import { expect, test } from 'vitest';
import type { ExecutionContext } from '../../../runtime/execution-context.ts';
import { Federation } from './federation.ts';

const twice = tensorComputation([int32()], (x) => tf.mul(x, tf.scalar(2, 'int32')));
const total = federatedComputation([], () =>
  federatedSecureSum(federatedMap(twice, federatedData('reading', int32())), 1000),
);
const NAMES = ['north', 'south', 'east', 'west', 'centre'];
const secure = {
  secureAggregation: (identities: never) => secAgg({ identities, timeoutMs: 5_000 }),
};

function sumsOf(context: ExecutionContext): SecureSumStep[] {
  const steps: SecureSumStep[] = [];
  context.on('progress', (event) => {
    if (event.stage === 'run' && event.step.kind === 'secure-sum') steps.push(event.step);
  });
  return steps;
}

test('a secure sum over clients behind their own guards', async () => {
  await using federation = await Federation.start(NAMES);
  const cohort = await federation.coordinator.select({ atLeast: 5, within: 10_000 });
  expect(cohort.names).toEqual(NAMES);
  await using context = cohort.context(secure as never);
  const steps = sumsOf(context);
  expect(await withContext(context, () => total())).toBe(300);
  expect(await withContext(context, () => total())).toBe(300);
  expect(steps.map(({ clients }) => clients.length)).toEqual([5, 5]);
  for (const { audit } of federation.clients) {
    expect(audit.filter(({ kind }) => kind === 'released')).toHaveLength(2);
  }
});

test('a cohort of some', async () => {
  await using federation = await Federation.start(NAMES);
  await federation.coordinator.select({ atLeast: 5, within: 10_000 });
  const cohort = await federation.coordinator.select({ atLeast: 3, atMost: 3, within: 0 });
  await using context = cohort.context(secure as never);
  const steps = sumsOf(context);
  const expected = cohort.names.reduce((sum, name) => sum + 20 * (NAMES.indexOf(name) + 1), 0);
  expect(await withContext(context, () => total())).toBe(expected);
  expect(steps[0]?.clients).toEqual(cohort.names.map((name) => `clients/${NAMES.indexOf(name)}`));
});

test('a plain sum is refused by the clients, whatever the stack of the coordinator', async () => {
  await using federation = await Federation.start(NAMES);
  const cohort = await federation.coordinator.select({ atLeast: 5, within: 10_000 });
  await using context = cohort.context();
  const plain = federatedComputation([], () => federatedSum(federatedData('reading', int32())));
  await expect(withContext(context, () => plain())).rejects.toThrow(/policy.private_value/);
});

test('a client that is stopped is lost, and the round goes on; it comes back for another cohort', async () => {
  await using federation = await Federation.start(NAMES);
  const cohort = await federation.coordinator.select({ atLeast: 5, within: 10_000 });
  await using context = cohort.context(secure as never);
  const steps = sumsOf(context);
  await federation.client('east').stop();
  expect(await withContext(context, () => total())).toBe(240);
  expect(steps[0]?.lost.map(({ client }) => client)).toEqual(['clients/2']);
  federation.client('east').start();
  const again = await federation.coordinator.select({ atLeast: 5, within: 10_000 });
  await using all = again.context(secure as never);
  expect(await withContext(all, () => total())).toBe(300);
});

test('who is not in the roster is refused for good', async () => {
  await using federation = await Federation.start(['a', 'b', 'c'], { client: { name: 'mallory' } });
  const [client] = federation.clients;
  expect(String(await client?.ended)).toMatch(/transport.permission_denied.*"mallory"/);
});
