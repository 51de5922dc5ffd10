import { expect, test } from 'vitest';
import { call, data, lambda, reference } from '../../../computations/building-blocks.ts';
import { atClients, sequence } from '../../../computations/types/index.ts';
import type { DataSource } from '../../../executors/leaf/data-source.ts';
import { leafExecutor, localExecutorFactory } from '../../../runtime/index.ts';
import { run } from '../../compliance/executor-run.ts';
import { add, addConstant, callIntrinsic, INT, int, pair } from '../blocks.ts';
import { trackedBackend } from '../tracked-backend.ts';

const source: DataSource = {
  resolve: async (uri) =>
    uri === 'answer'
      ? int(42)
      : uri === 'list'
        ? { kind: 'sequence', elements: [int(1), int(2)] }
        : null,
};

test('named data is found by the data source, tensors and sequences', async () => {
  const leaf = leafExecutor(await trackedBackend(), { dataSource: source });
  const next = lambda(null, null, call(addConstant(1), data('answer', INT)));
  expect(await run(leaf, next)).toBe(43);
  expect(await run(leaf, lambda(null, null, data('list', sequence(INT))))).toEqual([1, 2]);
  await leaf.close();
});

test('named data that is not there is refused by its name', async () => {
  const leaf = leafExecutor(await trackedBackend(), { dataSource: source });
  await expect(run(leaf, lambda(null, null, data('question', INT)))).rejects.toThrow(/'question'/);
  await leaf.close();
});

test('placed data is found by each client for itself', async () => {
  const factory = localExecutorFactory({
    backend: await trackedBackend(),
    dataSource: (placement, index) => ({
      resolve: (uri) => (placement === 'clients' && uri === 'mine' ? int(10 * index) : null),
    }),
  });
  const executor = await factory.createExecutor({ clients: 3 });
  const type = atClients(INT);
  const next = lambda(
    null,
    null,
    callIntrinsic('federated_map', [addConstant(1), data('mine', type)], type),
  );
  expect(await run(executor, next)).toEqual([1, 11, 21]);
  await factory.close();
});

test('named data is found by the functions that sequences are mapped with', async () => {
  const leaf = leafExecutor(await trackedBackend(), { dataSource: source });
  const element = reference('x', INT);
  const plusAnswer = lambda('x', INT, call(add, pair(element, data('answer', INT))));
  const mapped = callIntrinsic(
    'sequence_map',
    [plusAnswer, data('list', sequence(INT))],
    sequence(INT),
  );
  expect(await run(leaf, lambda(null, null, mapped))).toEqual([43, 44]);
  await leaf.close();
});
