/** @file Lost clients below caches, threads, watchers and wrappers of a stack. */

import type { Worker } from 'node:worker_threads';
import {
  atClients,
  debugExecutorFactory,
  ExecutionContext,
  type ExecutorFactory,
  federatedBroadcast,
  federatedComputation,
  federatedMap,
  federatedSecureSum,
  federatedSum,
  float32,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
  secAgg,
  sequence,
  sequenceSum,
  sizingExecutorFactory,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { INT } from '../blocks.ts';
import { PassThroughExecutor } from '../pass-through.ts';
import { type Meddling, MeddlingExecutor } from '../secure/meddling.ts';
import {
  at,
  type Faults,
  hangs,
  ofKind,
  outOfBattery,
  refuseUnhandledRejections,
  stepsOf,
  train,
  withFaults,
} from './lost-clients.helpers.ts';

refuseUnhandledRejections();

const sumTrained = federatedComputation([atClients(INT)], (x) =>
  federatedSum(federatedMap(train, x)),
);
const secureTrained = federatedComputation([atClients(INT)], (x) =>
  federatedSecureSum(federatedMap(train, x), 1000),
);
const drop = { lostClients: 'drop' } as const;

/** Fails the first so many times. */
function flaky(times: number): Faults {
  let left = times;
  return {
    work: () => {
      if (left-- > 0) throw new Error('a hiccup');
    },
  };
}

describe('a cache', () => {
  const twice = federatedComputation([atClients(INT)], (x) => {
    const server = federatedMap(train, federatedSum(federatedMap(train, x)));
    return federatedSum(federatedMap(train, federatedBroadcast(server)));
  });

  test.each([
    ['flat', {}],
    ['a tree', { maxFanout: 2 }],
  ])('keeps nothing that lacks a client, nor what is made of it (%s)', async (_shape, shape) => {
    const faults = flaky(1);
    await using context = new ExecutionContext(
      localExecutorFactory({
        ...shape,
        ...drop,
        caching: {},
        wrapLeaf: withFaults((client) => (client === 1 ? faults : {})),
      }),
      { compileLevel: 'reduce' },
    );
    const values = [[10, 20, 30, 40]] as const;
    // 11 + 31 + 41, one more at the server, and once more at all four clients.
    expect(await context.invoke(twice, values)).toBe(4 * (83 + 1 + 1));
    expect(await context.invoke(twice, values)).toBe(4 * (104 + 1 + 1));
    expect(await context.invoke(sumTrained, values)).toBe(104);
  });

  test('keeps no secure sum that lacks a client', async () => {
    const faults = flaky(1);
    await using context = new ExecutionContext(
      localExecutorFactory({
        caching: {},
        secureAggregation: secAgg(),
        wrapLeaf: withFaults((client) => (client === 1 ? faults : {})),
      }),
    );
    const values = [[10, 20, 30, 40, 50, 60, 70, 80]] as const;
    expect(await context.invoke(secureTrained, values)).toBe(360 + 8 - 21);
    expect(await context.invoke(secureTrained, values)).toBe(360 + 8);
  });

  test.each([
    ['sums', {}],
    ['floats', { quantization: { clippingRange: 128, quantizationRange: 2 ** 20 } }],
  ] as const)('keeps none that lost a client in the protocol (%s)', async (what, options) => {
    let left = 1;
    const call: Meddling['call'] = async (uri, go) => {
      if (uri === 'secagg_advertise' && left-- > 0) throw new Error('a hiccup');
      return go();
    };
    await using context = new ExecutionContext(
      localExecutorFactory({
        caching: {},
        secureAggregation: secAgg().with(options),
        wrapLeaf: (leaf, placement, client) =>
          `${placement}/${client}` === 'clients/1' ? new MeddlingExecutor(leaf, { call }) : leaf,
      }),
    );
    const sum = federatedComputation([atClients(INT)], (x) => federatedSecureSum(x, 1000));
    const floats = federatedComputation([atClients(float32())], (x) => federatedSum(x));
    const values = [[10, 20, 30, 40, 50, 60, 70, 80]] as const;
    const totals = [];
    for (let i = 0; i < 3; i++) {
      const total = await (what === 'sums'
        ? context.invoke(sum, values)
        : context.invoke(floats, values));
      totals.push(Math.round(total));
    }
    expect(totals).toEqual([340, 360, 360]);
  });
});

describe('worker threads', () => {
  /** The threads that begin while a context is used. */
  function threads(): { readonly workers: Worker[] } & Disposable {
    const workers: Worker[] = [];
    const note = (worker: Worker): void => {
      workers.push(worker);
    };
    process.on('worker', note);
    return { workers, [Symbol.dispose]: () => void process.off('worker', note) };
  }

  const totals = federatedComputation([atClients(sequence(INT))], (x) =>
    federatedSum(sequenceSum(x)),
  );

  test('that end lose their clients, and the next call has all of them again', async () => {
    using started = threads();
    await using context = new ExecutionContext(localExecutorFactory({ ...drop, threads: 2 }));
    // Elements of the last client: the thread of half of the clients ends while they are read.
    const deadly = {
      *[Symbol.iterator](): Generator<number> {
        for (let i = 0; i < 100_000; i++) {
          if (i === 100) void started.workers[1]?.terminate();
          yield 0;
        }
      },
    };
    const steps = await stepsOf(context, async () => {
      expect(await context.invoke(totals, [[[1], [2], [3], deadly]])).toBe(4);
    });
    const lost = ofKind(steps, 'dropped-clients').flatMap((step) => step.lost);
    expect(lost.map(({ client }) => client)).toEqual(['clients/1', 'clients/3']);
    for (const { cause } of ofKind(steps, 'client-lost')) {
      expect(cause).toMatchObject({ code: 'execution.worker_lost' });
    }
    expect(await context.invoke(totals, [[[1], [2], [3], [4]]])).toBe(10);
    expect(started.workers).toHaveLength(3);
  });

  test('that end between two calls are replaced, for any number of clients', async () => {
    using started = threads();
    await using context = new ExecutionContext(localExecutorFactory({ ...drop, threads: 1 }));
    expect(await context.invoke(sumTrained, [[1, 2, 3]])).toBe(9);
    expect(await context.invoke(sumTrained, [[1, 2]])).toBe(5);
    await Promise.all(started.workers.map((worker) => worker.terminate()));
    expect(await context.invoke(sumTrained, [[1, 2]])).toBe(5);
    expect(await context.invoke(sumTrained, [[1, 2, 3]])).toBe(9);
  });

  test('with a client that is slow lose it in its time', async () => {
    await using context = new ExecutionContext(
      localExecutorFactory({ ...drop, threads: 2, clientTimeoutMs: 1000 }),
    );
    const endless = {
      *[Symbol.iterator](): Generator<number> {
        for (;;) yield 1;
      },
    };
    expect(await context.invoke(totals, [[[1], endless, [3]]])).toBe(4);
  });
});

describe('watchers', () => {
  const factories: readonly [string, (options: LocalExecutorFactoryOptions) => ExecutorFactory][] =
    [
      ['sizing', sizingExecutorFactory],
      ['debug', debugExecutorFactory],
      ['tracing', (options) => localExecutorFactory({ ...options, tracing: true })],
      [
        'a wrapper of one’s own',
        (options) =>
          localExecutorFactory({ ...options, wrap: (stack) => new PassThroughExecutor(stack) }),
      ],
    ];

  test.each(factories)('let clients be lost that fail (%s)', async (_name, create) => {
    const wrapLeaf = withFaults(at([1], outOfBattery));
    await using context = new ExecutionContext(create({ ...drop, maxFanout: 2, wrapLeaf }));
    expect(await context.invoke(sumTrained, [[1, 10, 100]])).toBe(103);
    await using secure = new ExecutionContext(create({ secureAggregation: secAgg(), wrapLeaf }));
    expect(await secure.invoke(secureTrained, [[1, 10, 100, 5, 5, 5]])).toBe(121);
  });

  test.each(factories)('let a client be lost that hangs (%s)', async (_name, create) => {
    const wrapLeaf = withFaults(at([2], hangs));
    const options = { ...drop, clientTimeoutMs: 150, wrapLeaf };
    await using context = new ExecutionContext(create(options));
    expect(await context.invoke(sumTrained, [[1, 10, 100]])).toBe(13);
  });
});
