import { expect, test } from 'vitest';
import type { Cardinalities, Executor } from '../../executors/executor.ts';
import { managedExecutorFactory } from '../../runtime/index.ts';

interface Log {
  readonly built: number[];
  readonly closed: number[];
}

function fakeExecutor(clients: number, log: Log): Executor {
  const refuse = (): Promise<never> => Promise.reject(new Error('not for use'));
  return {
    createValue: refuse,
    createCall: refuse,
    createStruct: refuse,
    createSelection: refuse,
    async close() {
      log.closed.push(clients);
    },
  };
}

function make(maxExecutors: number) {
  const log: Log = { built: [], closed: [] };
  const factory = managedExecutorFactory({
    maxExecutors,
    build: async ({ clients = 0 }) => {
      log.built.push(clients);
      return fakeExecutor(clients, log);
    },
  });
  const use = async (cardinalities: Cardinalities): Promise<Executor> => {
    const executor = await factory.createExecutor(cardinalities);
    factory.releaseExecutor?.(executor);
    return executor;
  };
  return { factory, log, use };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('hands out the same executor for the same cardinalities, in any order of writing', async () => {
  const { factory, log, use } = make(3);
  const first = await use({ clients: 1, server: 1 });
  expect(await use({ server: 1, clients: 1 })).toBe(first);
  expect(await use({ clients: 2 })).not.toBe(first);
  expect(log.built).toEqual([1, 2]);
  await factory.close();
});

test('two that ask at once get the same one', async () => {
  const { factory, log } = make(3);
  const [a, b] = await Promise.all([
    factory.createExecutor({ clients: 1 }),
    factory.createExecutor({ clients: 1 }),
  ]);
  expect(a).toBe(b);
  expect(log.built).toEqual([1]);
  await factory.close();
});

test('closes the one that was used least recently when there are too many', async () => {
  const { factory, log, use } = make(2);
  await use({ clients: 1 });
  await use({ clients: 2 });
  await use({ clients: 1 });
  await use({ clients: 3 });
  await settle();
  expect(log.closed).toEqual([2]);
  await factory.close();
  expect([...log.closed].sort()).toEqual([1, 2, 3]);
});

test('does not close an executor in use, but when its last user is done', async () => {
  const { factory, log, use } = make(1);
  const first = await factory.createExecutor({ clients: 1 });
  await factory.createExecutor({ clients: 1 });
  await use({ clients: 2 });
  await factory.cleanUpExecutor({ clients: 1 });
  await settle();
  expect(log.closed).toEqual([]);
  factory.releaseExecutor?.(first);
  await settle();
  expect(log.closed).toEqual([]);
  factory.releaseExecutor?.(first);
  await settle();
  expect(log.closed).toEqual([1]);
  await factory.close();
});

test('cleaning up closes what is unused at once, and makes the next one new', async () => {
  const { factory, log, use } = make(2);
  const first = await use({ clients: 1 });
  await factory.cleanUpExecutor({ clients: 1 });
  await factory.cleanUpExecutor({ clients: 9 });
  expect(log.closed).toEqual([1]);
  expect(await use({ clients: 1 })).not.toBe(first);
  await factory.close();
});

test('a build that fails is not kept', async () => {
  let attempts = 0;
  const log: Log = { built: [], closed: [] };
  const factory = managedExecutorFactory({
    build: async () => {
      attempts++;
      if (attempts === 1) throw new Error('not yet');
      return fakeExecutor(0, log);
    },
  });
  await expect(factory.createExecutor({})).rejects.toThrow('not yet');
  await factory.createExecutor({});
  await factory.close();
  expect(log.closed).toEqual([0]);
});

test('closing does not wait for a start that never completes, and closes it if it does', async () => {
  const log: Log = { built: [], closed: [] };
  let finish: (executor: Executor) => void = () => {};
  const factory = managedExecutorFactory({
    build: () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  });
  const starting = factory.createExecutor({ clients: 1 });
  await factory.close();
  expect(log.closed).toEqual([]);
  finish(fakeExecutor(1, log));
  await starting;
  await settle();
  expect(log.closed).toEqual([1]);
});

test('refuses after closing', async () => {
  const { factory } = make(1);
  await factory.close();
  await expect(factory.createExecutor({})).rejects.toMatchObject({ code: 'context.closed' });
});
