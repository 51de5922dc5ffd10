import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMap,
  federatedSecureSum,
  federatedSum,
  int32,
  localExecutorFactory,
  secAgg,
  tensorComputation,
  withContext,
} from 'fedloom';
import { expect, it } from 'vitest';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import { toSecureStack } from '../../../executors/secure/secure-stack.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { remote, watchRejections } from './remote.helpers.ts';
import { settled } from './requests.helpers.ts';

watchRejections();

const CLIENTS = 5;
const DATA = [
  [1, 10],
  [2, 20],
  [3, 30],
  [4, 40],
  [5, 50],
];

it('a secure sum goes on without a client whose line breaks, at whatever call', async () => {
  const aggregation = secAgg({ minimumClients: 1 });
  const { operators } = toSecureStack(aggregation);
  const backend = await loadBackend();
  const hosts: ExecutorHost[] = [];
  /** The last call of client 1 that arrives, in each run. */
  let last = Number.POSITIVE_INFINITY;
  let made = 0;
  const factory = localExecutorFactory({
    secureAggregation: aggregation,
    leaf: async (placement, index) => {
      const host = new ExecutorHost({
        makeExecutor: async () => leafExecutor(backend, { operators }),
      });
      hosts.push(host);
      const breaks = placement === 'clients' && index === 1;
      const calls = inMemoryCalls(host, {
        fault: ({ call, way }) => {
          if (!breaks) return undefined;
          made = Math.max(made, call);
          return call > last || (call === last && way === 'response') ? 'unavailable' : undefined;
        },
      });
      return new RemoteExecutor(calls);
    },
  });
  const context = new ExecutionContext(factory);
  const sum = federatedComputation([atClients(int32(2))], (x) => federatedSecureSum(x, 100));
  const run = async () => {
    let survivors: readonly string[] = [];
    const stop = context.on('progress', (event) => {
      if (event.stage === 'run' && event.step.kind === 'secure-sum') survivors = event.step.clients;
    });
    const total = await withContext(context, () => sum(DATA));
    stop();
    return { total: total.toArray(), survivors };
  };
  expect(await run()).toMatchObject({ total: [15, 150], survivors: { length: CLIENTS } });
  const calls = made;
  const outcomes = new Set<number>();
  for (last = 1; last <= calls; last += 2) {
    await factory.cleanUpExecutor({ clients: CLIENTS });
    const { total, survivors } = await run();
    const present = survivors.map((client) => Number(client.replace('clients/', '')));
    outcomes.add(present.length);
    expect(total).toEqual([0, 1].map((i) => present.reduce((s, c) => s + (DATA[c]?.[i] ?? 0), 0)));
  }
  // Before its input is there the client is lost to the sum, and after that it is in it.
  expect([...outcomes]).toEqual([CLIENTS - 1, CLIENTS]);
  await context.close();
  await settled();
  for (const host of hosts.filter((_, i) => i % (CLIENTS + 1) !== 2)) {
    expect(host.usage).toEqual({ executors: 0, values: 0 });
  }
});

it('a computation that is cancelled leaves nothing at its clients', async () => {
  const hosts: ExecutorHost[] = [];
  const context = new ExecutionContext(
    localExecutorFactory({
      leaf: () => {
        const { host, executor } = remote();
        hosts.push(host);
        return executor;
      },
    }),
  );
  const twice = tensorComputation([int32()], (x) => x.add(x));
  const program = federatedComputation([atClients(int32())], (x) =>
    federatedSum(federatedMap(twice, x)),
  );
  expect(await withContext(context, () => program([1, 2, 3]))).toBe(12);
  for (let turns = 0; turns < 40; turns += 3) {
    const controller = new AbortController();
    const running = context.invoke(program, [[1, 2, 3]], { signal: controller.signal });
    const outcome = running.then(
      (value) => expect(value).toBe(12),
      (error: unknown) => expect(error).toMatchObject({ code: 'context.cancelled' }),
    );
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    controller.abort();
    await outcome;
  }
  await context.close();
  await settled();
  for (const host of hosts) expect(host.usage).toEqual({ executors: 0, values: 0 });
});
