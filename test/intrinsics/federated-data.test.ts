/** @file Data that clients have under a name: in a computation, in its disclosure, and when it runs. */

import * as fedloom from 'fedloom';
import {
  disclosure,
  ExecutionContext,
  federatedComputation,
  federatedData,
  federatedMap,
  federatedMean,
  federatedSum,
  float32,
  int32,
  localExecutorFactory,
  sequence,
  sequenceSum,
  tensorComputation,
  withContext,
} from 'fedloom';
import { expect, test } from 'vitest';
import { TensorValue } from '../../computations/types/index.ts';

const mean = federatedComputation([], () => federatedMean(federatedData('readings', float32())));

function contextOf(values: readonly number[]): ExecutionContext {
  return new ExecutionContext(
    localExecutorFactory({
      defaultClients: values.length,
      dataSource: (_, index) => ({
        resolve: (uri) =>
          uri === 'readings'
            ? new TensorValue('float32', [], Float32Array.of(values[index]!))
            : null,
      }),
    }),
  );
}

test('is found where each client is', async () => {
  expect(String(mean.type)).toBe('( -> float32@SERVER)');
  await using context = contextOf([1, 2, 6]);
  expect(await withContext(context, () => mean())).toBe(3);
});

test('that a client does not have is asked for by its name', async () => {
  const other = federatedComputation([], () => federatedSum(federatedData('diaries', int32())));
  await using context = contextOf([1, 2]);
  await expect(withContext(context, () => other())).rejects.toThrow(/no data named 'diaries'/);
});

test('counts as the clients’ own, and its loss to the server is reported', () => {
  expect(String(disclosure(mean))).toContain('data(readings)');
});

test('may be a sequence of any length', async () => {
  const total = tensorComputation([int32()], (x) => x.mul(2));
  const doubled = federatedComputation([], () =>
    federatedSum(federatedMap(total, sequenceSum(federatedData('counts', sequence(int32()))))),
  );
  await using context = new ExecutionContext(
    localExecutorFactory({
      defaultClients: 2,
      dataSource: (_, index) => ({
        resolve: () => ({
          kind: 'sequence',
          elements: Array.from(
            { length: index + 1 },
            (_, i) => new TensorValue('int32', [], Int32Array.of(i + 1)),
          ),
        }),
      }),
    }),
  );
  expect(await withContext(context, () => doubled())).toBe(8);
});

test('has a name', () => {
  expect(() => federatedComputation([], () => federatedData('', int32()))).toThrow(/type.invalid/);
  expect(() => fedloom.federatedData('x', int32())).toThrow(/context.not_federated|outside/);
});
