import { add as addTensors } from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { federatedComputation, tensorComputation } from '../../../computations/index.ts';
import { atClients, atServer, int32 } from '../../../computations/types/index.ts';
import type { ExecutorFactory } from '../../../executors/executor.ts';
import { masking } from '../../../executors/secure/index.ts';
import {
  federatedBroadcast,
  federatedMap,
  federatedSecureSumBitwidth,
  federatedSum,
} from '../../../intrinsics/index.ts';
import { ExecutionContext, type ProgressEvent } from '../../../runtime/index.ts';
import {
  type RemoteExecutorFactoryOptions,
  remoteExecutorFactory,
} from '../../../runtime/remote/remote-factory.ts';
import { describeExecutor } from '../../compliance/executor.ts';
import { type TrackedBackend, trackedBackend } from '../../executors/tracked-backend.ts';
import { TestWorker, type TestWorkerOptions } from './workers.helpers.ts';

const INT = int32();
const sum = federatedComputation([atClients(INT)], (x) => federatedSum(x));
const addPair = tensorComputation([INT, INT], (a, b) => addTensors(a, b));
const shiftedSum = federatedComputation([atServer(INT), atClients(INT)], (by, x) =>
  federatedSum(federatedMap(addPair, [federatedBroadcast(by), x])),
);
const shifted = federatedComputation([atServer(INT), atClients(INT)], (by, x) =>
  federatedMap(addPair, [federatedBroadcast(by), x]),
);
const secureSum = federatedComputation([atClients(INT)], (x) => federatedSecureSumBitwidth(x, 8));

let backend: TrackedBackend;
let workers: TestWorker[];
let closing: (() => Promise<void>)[];

beforeEach(async () => {
  backend = await trackedBackend();
  workers = [];
  closing = [];
});

afterEach(async () => {
  for (const close of closing.reverse()) await close();
  await Promise.all(workers.map((worker) => worker.stop()));
  expect(backend.live()).toBe(0);
});

/** Repeats quickly, and not often. */
const QUICK: RemoteExecutorFactoryOptions = {
  retry: { maxAttempts: 2, firstDelayMs: 1 },
  probeTimeoutMs: 2_000,
};

function worker(options: Partial<TestWorkerOptions> = {}): TestWorker {
  const made = new TestWorker({ name: `w${workers.length}`, backend, ...options });
  workers.push(made);
  return made;
}

function someWorkers(count: number, options: Partial<TestWorkerOptions> = {}): TestWorker[] {
  return Array.from({ length: count }, () => worker(options));
}

function contextOf(
  made: readonly { readonly calls: TestWorker['calls'] }[],
  options: RemoteExecutorFactoryOptions = {},
): ExecutionContext {
  const factory = remoteExecutorFactory(made, { backend, ...QUICK, ...options });
  const context = new ExecutionContext(factory, { retry: { maxAttempts: 5, firstDelayMs: 1 } });
  closing.push(() => context.close());
  return context;
}

const clientsMadeAt = (made: readonly TestWorker[]) => made.map((each) => each.made);

describe('clients of workers', () => {
  it('are spread as TensorFlow Federated does, one executor a worker', async () => {
    const made = someWorkers(3);
    const context = contextOf(made);
    expect(await context.invoke(shiftedSum, [10, [1, 2, 3, 4, 5, 6, 7]])).toBe(98);
    expect(clientsMadeAt(made)).toEqual([['{"clients":3}'], ['{"clients":3}'], ['{"clients":1}']]);
    // ceil(4 / 3) for each, and nothing for the last.
    expect(await context.invoke(shifted, [1, [1, 2, 3, 4]])).toEqual([2, 3, 4, 5]);
    expect(clientsMadeAt(made).map((all) => all.slice(1))).toEqual([
      ['{"clients":2}'],
      ['{"clients":2}'],
      [],
    ]);
  });

  it('are where they are said to be', async () => {
    const made = someWorkers(3);
    const placed = made.map((each, i) => ({
      ...each,
      calls: each.calls,
      clients: [0, 3, 1][i] as number,
    }));
    const context = contextOf(placed);
    expect(await context.invoke(shifted, [1, [1, 2, 3, 4]])).toEqual([2, 3, 4, 5]);
    expect(clientsMadeAt(made)).toEqual([[], ['{"clients":3}'], ['{"clients":1}']]);
    await expect(context.invoke(sum, [[1, 2, 3]])).rejects.toMatchObject({
      code: 'cardinality.mismatch',
    });
  });

  it('have an executor each, one by one', async () => {
    const made = someWorkers(2);
    const context = contextOf(made, { clients: 'one-by-one' });
    expect(await context.invoke(shifted, [1, [1, 2, 3]])).toEqual([2, 3, 4]);
    // An executor of one participant, that has no placements.
    expect(clientsMadeAt(made)).toEqual([['{}'], ['{}']]);
  });

  it('may be on workers of workers', async () => {
    const below = someWorkers(2);
    const middle = worker({ factory: remoteExecutorFactory(below, { backend, ...QUICK }) });
    const made = [middle, worker()];
    const context = contextOf(made);
    expect(await context.invoke(shiftedSum, [10, [1, 2, 3, 4, 5, 6, 7]])).toBe(98);
    expect(clientsMadeAt([...made, ...below])).toEqual([
      ['{"clients":4}'],
      ['{"clients":3}'],
      ['{"clients":2}'],
      ['{"clients":2}'],
    ]);
  });

  it('are summed securely, one by one', async () => {
    const { operators } = masking().secureStack();
    const made = someWorkers(3, { operators });
    const context = contextOf(made, { secureAggregation: masking() });
    expect(await context.invoke(secureSum, [[1, 2, 3, 4, 5]])).toBe(15);
    expect(clientsMadeAt(made)).toEqual([['{}'], ['{}'], ['{}']]);
  });

  it('are as many as the workers have, where nothing else tells', () => {
    const made = someWorkers(2).map(({ calls }) => ({ calls, clients: 4 }));
    const factory = remoteExecutorFactory(made);
    expect(factory.defaultClients).toBe(8);
    expect(remoteExecutorFactory(made, { defaultClients: 3 }).defaultClients).toBe(3);
  });
});

describe('a worker that is lost', () => {
  it('before an invocation is left out, and serves again when it is back', async () => {
    const made = someWorkers(2);
    const [first] = made as [TestWorker];
    const down = vi.fn();
    const context = contextOf(made, { onWorkerDown: down });
    first.down();
    expect(await context.invoke(shiftedSum, [10, [1, 2, 3]])).toBe(36);
    expect(clientsMadeAt(made)).toEqual([[], ['{"clients":3}']]);
    expect(down).toHaveBeenCalledWith('w0', expect.objectContaining({ status: 14 }));
    await first.restart();
    expect(await context.invoke(shiftedSum, [10, [1, 2, 3]])).toBe(36);
    expect(clientsMadeAt(made)).toEqual([['{"clients":2}'], ['{"clients":3}', '{"clients":1}']]);
  });

  it.each(['together', 'one-by-one'] as const)(
    'in the middle of one is made up for by the rest, %s',
    async (clients) => {
      const made = someWorkers(2);
      const [first] = made as [TestWorker];
      const context = contextOf(made, { clients });
      const events: ProgressEvent[] = [];
      context.on('progress', (event) => events.push(event));
      first.failsAt = (method) => method === 'createCall';
      expect(await context.invoke(shiftedSum, [10, [1, 2, 3]])).toBe(36);
      expect(events.filter(({ stage }) => stage === 'retry')).toMatchObject([{ attempt: 1 }]);
      await first.restart();
      expect(await context.invoke(shiftedSum, [10, [1, 2, 3]])).toBe(36);
      expect(first.made.length).toBe(2);
    },
  );

  it('that comes back without what it held begins anew', async () => {
    const made = someWorkers(2);
    const [first] = made as [TestWorker];
    const context = contextOf(made);
    expect(await context.invoke(sum, [[1, 2, 3]])).toBe(6);
    // Nobody notices, until the executor that is kept is asked.
    await first.restart();
    expect(await context.invoke(sum, [[1, 2, 3]])).toBe(6);
    expect(first.made).toEqual(['{"clients":2}', '{"clients":2}']);
  });

  it('takes its clients with it, where the stack drops those', async () => {
    const made = someWorkers(3);
    const [, second] = made as [TestWorker, TestWorker];
    const context = contextOf(made, { lostClients: 'drop' });
    const lost: unknown[] = [];
    context.on('progress', (event) => {
      if (event.stage === 'run' && event.step.kind === 'dropped-clients')
        lost.push(event.step.lost);
    });
    second.failsAt = (method) => method === 'createCall';
    expect(await context.invoke(shiftedSum, [0, [1, 10, 100]])).toBe(101);
    expect(lost).toMatchObject([[{ client: 'clients/1', reason: 'failed' }]]);
    await second.restart();
    expect(await context.invoke(shiftedSum, [0, [1, 10, 100]])).toBe(111);
  });

  it('takes the clients with it that are said to be there, whenever it is lost', async () => {
    const made = someWorkers(2);
    const [first] = made as [TestWorker];
    const stated = made.map(({ calls }) => ({ calls, clients: 1 }));
    const context = contextOf(stated, { lostClients: 'drop' });
    first.down();
    expect(await context.invoke(sum, [[1, 10]])).toBe(10);
    await first.restart();
    expect(await context.invoke(sum, [[1, 10]])).toBe(11);
    const failing = contextOf(stated);
    first.down();
    await expect(failing.invoke(sum, [[1, 10]])).rejects.toMatchObject({
      code: 'transport.unavailable',
    });
  });

  it('of a secure sum ends it, and another is not begun unasked', async () => {
    const { operators } = masking().secureStack();
    const made = someWorkers(3, { operators });
    const factory = remoteExecutorFactory(made, {
      backend,
      ...QUICK,
      secureAggregation: masking(),
    });
    const context = new ExecutionContext(factory);
    closing.push(() => context.close());
    const events: ProgressEvent[] = [];
    context.on('progress', (event) => events.push(event));
    (made[1] as TestWorker).failsAt = (method) => method === 'createCall';
    await expect(context.invoke(secureSum, [[1, 2, 3]])).rejects.toBeInstanceOf(Error);
    expect(events.map(({ stage }) => stage)).not.toContain('retry');
    await (made[1] as TestWorker).restart();
    expect(await context.invoke(secureSum, [[1, 2, 3]])).toBe(6);
  });

  it('for ever is UNAVAILABLE, after as many attempts as are allowed', async () => {
    const made = someWorkers(2);
    for (const each of made) each.down();
    const context = contextOf(made);
    const events: ProgressEvent[] = [];
    context.on('progress', (event) => events.push(event));
    await expect(context.invoke(sum, [[1, 2]])).rejects.toMatchObject({
      code: 'transport.unavailable',
      message: expect.stringContaining('w0 is down'),
    });
    expect(events.filter(({ stage }) => stage === 'retry').length).toBe(4);
  });

  it('silently is not waited for longer than a probe may take', async () => {
    const silent = { calls: { call: () => new Promise<never>(() => {}) } };
    const made = [silent, worker()];
    const context = contextOf(made, { probeTimeoutMs: 50 });
    expect(await context.invoke(sum, [[1, 2]])).toBe(3);
  });
});

describe('a client that fails', () => {
  it('is named by its number among all', async () => {
    const small = tensorComputation([INT], (x) => x.div(x));
    const failing = federatedComputation([atClients(INT)], (x) => federatedMap(small, x));
    for (const clients of ['together', 'one-by-one'] as const) {
      const context = contextOf(someWorkers(2), { clients });
      await expect(context.invoke(failing, [[1, 2, 3, 0]])).rejects.toMatchObject({
        code: 'execution.client_failed',
        message: expect.stringContaining('Client 3 failed'),
      });
    }
  });
});

describe('a remote factory', () => {
  it('refuses clients without workers, but not a server alone', async () => {
    const context = contextOf([]);
    await expect(context.invoke(sum, [[1]])).rejects.toMatchObject({
      code: 'transport.invalid_argument',
      status: 3,
    });
    const atServerOnly = federatedComputation([atServer(INT)], (x) => x);
    expect(await context.invoke(atServerOnly, [7])).toBe(7);
  });

  it.each<[string, RemoteExecutorFactoryOptions, readonly (number | undefined)[]]>([
    ['together and secure', { clients: 'together', secureAggregation: masking() }, [1]],
    ['together and dropping', { clients: 'together', lostClients: 'drop' }, [1]],
    ['of no shape', { clients: 'apart' as 'together' }, [1]],
    ['with clients of some workers', {}, [1, undefined]],
    ['with half a client', {}, [1, 0.5]],
    ['with less than no client', {}, [-1]],
  ])('refuses options: %s', (_, options, clients) => {
    const made = clients.map((count) => ({
      calls: worker().calls,
      ...(count !== undefined && { clients: count }),
    }));
    expect(() => remoteExecutorFactory(made, options)).toThrow(
      expect.objectContaining({ code: 'value.out_of_range' }),
    );
  });

  it('closes what reaches its workers', async () => {
    const close = vi.fn(async () => {});
    const factory = remoteExecutorFactory([{ calls: worker().calls, close }], { backend });
    await (await factory.createExecutor({ clients: 1 })).close();
    await factory.close();
    expect(close).toHaveBeenCalledOnce();
  });
});

function remotely(
  makeFactory: (made: readonly TestWorker[], all: TrackedBackend) => ExecutorFactory,
) {
  return async () => {
    const all = await trackedBackend();
    const made = [0, 1].map((i) => new TestWorker({ name: `w${i}`, backend: all }));
    return {
      create: (clients: number) => makeFactory(made, all).createExecutor({ clients }),
      liveTensors: () => all.live(),
      settle: () => vi.waitFor(() => expect(all.live()).toBe(0)),
    };
  };
}

describeExecutor(
  'remote factory, clients together',
  remotely((made, all) => remoteExecutorFactory(made, { backend: all })),
);
describeExecutor(
  'remote factory, clients one by one',
  remotely((made, all) => remoteExecutorFactory(made, { backend: all, clients: 'one-by-one' })),
);
