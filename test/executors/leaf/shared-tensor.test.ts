import { expect, test } from 'vitest';
import type { Backend } from '../../../computations/tensors/index.ts';
import { federated, TensorValue } from '../../../computations/types/index.ts';
import { forMany, SharedTensorValue } from '../../../executors/leaf/shared-tensor.ts';
import { FederatingExecutor } from '../../../executors/placed/federating.ts';
import { leafExecutor } from '../../../runtime/leaf-executor.ts';
import { addConstant, federatedInts, INT, int } from '../blocks.ts';
import { trackedBackend } from '../tracked-backend.ts';

test('a value for all clients is brought to their backend once, and freed with the last', async () => {
  const tracked = await trackedBackend();
  let uploads = 0;
  const backend: Backend = {
    ...tracked,
    upload(value) {
      uploads++;
      return tracked.upload(value);
    },
  };
  const clients = Array.from({ length: 5 }, () => leafExecutor(backend));
  const executor = new FederatingExecutor({ server: leafExecutor(backend), clients });
  const type = federated(INT, 'clients', true);
  const value = await executor.createValue(federatedInts(7), type);
  const fn = addConstant(1);
  const results = await Promise.all(
    executor.members(value).map(async (member, i) => {
      const client = clients[i] as (typeof clients)[0];
      using callee = await client.createValue(fn, fn.type);
      return await client.createCall(callee, member);
    }),
  );
  expect(uploads).toBe(1);
  for (const result of results) {
    expect(String(await result.compute())).toBe('8');
    result[Symbol.dispose]();
  }
  expect(tracked.live()).toBe(1);
  value[Symbol.dispose]();
  expect(tracked.live()).toBe(0);
  await executor.close();
});

test('is brought anew after all have let go, and is freed when an executor closes', async () => {
  const backend = await trackedBackend();
  const shared = forMany(int(3));
  expect(shared).toBeInstanceOf(SharedTensorValue);
  expect(forMany(shared)).toBe(shared);
  const fn = addConstant(1);
  for (let i = 0; i < 2; i++) {
    const leaves = [leafExecutor(backend), leafExecutor(backend)];
    for (const leaf of leaves) {
      const callee = await leaf.createValue(fn, fn.type);
      await leaf.createCall(callee, await leaf.createValue(shared, INT));
    }
    expect(backend.live()).toBe(3);
    for (const leaf of leaves) await leaf.close();
    expect(backend.live()).toBe(0);
  }
});

test('data that changes later is not mistaken for what it was', async () => {
  const backend = await trackedBackend();
  const data = Int32Array.of(1);
  const clients = [leafExecutor(backend)];
  const executor = new FederatingExecutor({ server: leafExecutor(backend), clients });
  const read: string[] = [];
  const held: Disposable[] = [];
  for (const content of [1, 5]) {
    data[0] = content;
    const given = new TensorValue('int32', [], data);
    const value = await executor.createValue(
      { kind: 'federated', members: [given] },
      federated(INT, 'clients', true),
    );
    held.push(value);
    const [client] = clients as [(typeof clients)[0]];
    const [member] = executor.members(value);
    const callee = await client.createValue(addConstant(1), addConstant(1).type);
    using result = await client.createCall(callee, member);
    read.push(String(await result.compute()));
  }
  expect(read).toEqual(['2', '6']);
  for (const value of held) value[Symbol.dispose]();
  await executor.close();
});
