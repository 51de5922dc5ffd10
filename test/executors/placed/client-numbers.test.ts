/** @file Clients that are some of many: messages and protocols call them by their numbers among all. */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMap,
  federatedSecureSum,
  generateIdentities,
  int32,
  rosterIdentities,
  secAgg,
  tensorComputation,
  withContext,
} from 'fedloom';
import { expect, test } from 'vitest';
import { loadBackend } from '../../../computations/tensors/index.ts';
import type { Cardinalities, Executor, ExecutorFactory } from '../../../executors/executor.ts';
import { FederatingExecutor } from '../../../executors/placed/federating.ts';
import { ReferenceResolvingExecutor } from '../../../executors/reference-resolving.ts';
import { toSecureStack } from '../../../executors/secure/secure-stack.ts';
import { leafExecutor } from '../../../runtime/leaf-executor.ts';

const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 1000));

/** A stack of the clients at these places of a roster of six. */
async function cohort(places: readonly number[], lost?: number): Promise<ExecutionContext> {
  const { roster, identities } = generateIdentities(['a', 'b', 'c', 'd', 'e', 'f']);
  const secure = toSecureStack(
    secAgg({ identities: rosterIdentities({ roster, identities }), corruptRate: 0 }),
  );
  const backend = await loadBackend();
  const leaf = (): Executor => leafExecutor(backend, { operators: secure.operators });
  const factory: ExecutorFactory = {
    handles: secure.handles,
    async createExecutor(_: Cardinalities) {
      const placed = new FederatingExecutor(
        {
          server: leaf(),
          clients: places.map((place) => (place === lost ? failing(leaf()) : leaf())),
          clientNumbers: places,
        },
        { lostClients: 'survive' },
      );
      return new ReferenceResolvingExecutor(secure.wrap(placed));
    },
    cleanUpExecutor: async () => {},
    close: async () => {},
  };
  return new ExecutionContext(factory);
}

function failing(leaf: Executor): Executor {
  return {
    createValue: () => Promise.reject(new Error('gone')),
    createCall: (...args) => leaf.createCall(...args),
    createStruct: (elements) => leaf.createStruct(elements),
    createSelection: (source, index) => leaf.createSelection(source, index),
    close: () => leaf.close(),
  };
}

test('a cohort of a roster sums under the names of its places', async () => {
  await using context = await cohort([1, 3, 4]);
  const clients: string[] = [];
  context.on('progress', (event) => {
    if (event.stage === 'run' && event.step.kind === 'secure-sum') {
      clients.push(...event.step.clients);
    }
  });
  expect(await withContext(context, () => sum([10, 20, 30]))).toBe(60);
  expect(clients).toEqual(['clients/1', 'clients/3', 'clients/4']);
});

test('whoever is lost is named by its place', async () => {
  const steps: string[] = [];
  await using context = await cohort([0, 2, 3, 5], 3);
  context.on('progress', (event) => {
    if (event.stage === 'run' && event.step.kind === 'client-lost') steps.push(event.step.client);
  });
  expect(await withContext(context, () => sum([1, 2, 4, 8]))).toBe(11);
  expect(steps).toEqual(['clients/3']);

  await using plain = await cohort([0, 2, 3, 5], 3);
  const plusOne = tensorComputation([int32()], (x) => x.add(1));
  const mapped = federatedComputation([atClients(int32())], (x) => federatedMap(plusOne, x));
  await expect(withContext(plain, () => mapped([1, 2, 4, 8]))).rejects.toThrow(/Client 3 failed/);
});

test.each([[[1, 2]], [[2, 1, 3]], [[0, 0, 1]], [[0, 1.5, 2]]])(
  '%j are no numbers of three clients',
  async (numbers) => {
    const backend = await loadBackend();
    const clients = [0, 1, 2].map(() => leafExecutor(backend));
    expect(
      () =>
        new FederatingExecutor({
          server: leafExecutor(backend),
          clients,
          clientNumbers: numbers as number[],
        }),
    ).toThrow(/cardinality.mismatch/);
  },
);
