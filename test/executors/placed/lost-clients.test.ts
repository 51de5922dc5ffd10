/** @file Clients that fail in their own work, in stacks that fail with them, survive or drop them. */

import {
  type AtClients,
  atClients,
  atServer,
  ExecutionContext,
  federatedBroadcast,
  federatedComputation,
  federatedEval,
  federatedMap,
  federatedMax,
  federatedMean,
  federatedSecureSelect,
  federatedSelect,
  federatedSum,
  federatedValue,
  federatedZip,
  float32,
  int32,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
  type RequestOptions,
  sequenceSum,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { data, lambda } from '../../../computations/building-blocks.ts';
import { defineComputation } from '../../../computations/define.ts';
import { appendDigit, failUnlessSmall, INT, int, seven } from '../blocks.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';
import {
  at,
  type Faults,
  FaultyLeaf,
  hangs,
  ofKind,
  outOfBattery,
  refuseUnhandledRejections,
  stepsOf,
  train,
  withFaults,
} from './lost-clients.helpers.ts';

refuseUnhandledRejections();

const append = defineComputation<readonly [typeof INT, typeof INT], typeof INT>(
  'append_digit',
  [INT, INT],
  appendDigit,
);
const sum = federatedComputation([atClients(INT)], (x) => federatedSum(x));
const sumTrained = federatedComputation([atClients(INT)], (x) =>
  federatedSum(federatedMap(train, x)),
);
const trained = federatedComputation([atClients(INT)], (x) => federatedMap(train, x));

/** Stacks whose clients are found in different ways. */
const SHAPES: readonly [string, LocalExecutorFactoryOptions][] = [
  ['flat', {}],
  ['a tree', { maxFanout: 2 }],
  ['a tree that merges', { maxFanout: 2, treeAggregation: 'merge' }],
];

function contextOf(
  faultsOf: (client: number) => Faults,
  options: LocalExecutorFactoryOptions,
): ExecutionContext {
  return new ExecutionContext(localExecutorFactory({ wrapLeaf: withFaults(faultsOf), ...options }));
}

describe.each(SHAPES)('%s: a client that fails', (_shape, shape) => {
  test.each([
    [undefined, sumTrained],
    ['fail', sumTrained],
    ['survive', sumTrained],
    ['survive', trained],
    ['drop', trained],
  ] as const)('fails what reads its value, by name (%s)', async (lostClients, computation) => {
    await using context = contextOf(at([3, 4], outOfBattery), {
      ...shape,
      ...(lostClients && { lostClients }),
    });
    await expect(context.invoke(computation, [[0, 1, 2, 3, 4, 5, 6]])).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.client_failed',
      message: '[execution.client_failed] Client 3 failed in federated_map: out of battery',
      cause: { message: 'out of battery' },
    });
    expect(await context.invoke(sum, [[1, 2]])).toBe(3);
  });

  test('is left out where clients are dropped, and named', async () => {
    await using context = contextOf(at([1, 4], outOfBattery), { ...shape, lostClients: 'drop' });
    const steps = await stepsOf(context, async () => {
      expect(await context.invoke(sumTrained, [[1, 10, 100, 1000, 10_000]])).toBe(1104);
    });
    const lost = (client: number) => ({
      client: `clients/${client}`,
      stage: 'federated_map',
      reason: 'failed',
    });
    expect(ofKind(steps, 'client-lost')).toEqual(
      [1, 4].map((client) => ({
        kind: 'client-lost',
        ...lost(client),
        cause: expect.objectContaining({ message: 'out of battery' }),
      })),
    );
    expect(ofKind(steps, 'dropped-clients')).toEqual([
      {
        kind: 'dropped-clients',
        uri: 'federated_aggregate',
        clients: ['clients/0', 'clients/2', 'clients/3'],
        lost: [lost(1), lost(4)],
      },
    ]);
  });

  test('counts as done in what is told of progress', async () => {
    await using context = contextOf(at([1], outOfBattery), { ...shape, lostClients: 'drop' });
    const steps = await stepsOf(context, () => context.invoke(sumTrained, [[1, 2, 3, 4, 5]]));
    for (const work of ['receiving its data', 'federated_map', 'federated_aggregate']) {
      const counts = ofKind(steps, 'clients').filter((step) => step.work === work);
      expect(counts.map(({ done }) => done)).toEqual([0, 1, 2, 3, 4, 5]);
    }
  });

  test.each(['full', 'reduce'] as const)('is not asked again (compiled: %s)', async (level) => {
    const faulty: FaultyLeaf[] = [];
    const factory = localExecutorFactory({
      ...shape,
      lostClients: 'drop',
      wrapLeaf: (leaf, placement, index) => {
        if (`${placement}/${index}` !== 'clients/2') return leaf;
        faulty.push(new FaultyLeaf(leaf, outOfBattery));
        return faulty[0] as FaultyLeaf;
      },
    });
    const chain = federatedComputation([atClients(INT), atClients(INT)], (x, y) => {
      const zipped = federatedZip([federatedMap(train, x), y]);
      return federatedSum(federatedMap(train, federatedMap(append, zipped)));
    });
    await using context = new ExecutionContext(factory, { compileLevel: level });
    const values = [1, 2, 3, 4];
    expect(await context.invoke(chain, [values, values])).toBe(22 + 33 + 55);
    expect(faulty[0]?.requestsAfterFault).toBe(0);
  });

  test('by its data, its source of data, a broadcast or an evaluation is lost, too', async () => {
    const census = defineComputation<readonly [], AtClients<typeof INT>>(
      'census',
      [],
      lambda(null, null, data('census', atClients(INT))),
    );
    const drop = { ...shape, lostClients: 'drop' } as const;
    const refusing: Faults = {
      receive: () => {
        throw new Error('disk full');
      },
    };
    await using receiving = contextOf(at([0], refusing), drop);
    expect(await receiving.invoke(sum, [[1, 2, 4]])).toBe(6);

    const all = federatedComputation([atServer(INT)], (x) => federatedSum(federatedBroadcast(x)));
    const constants = federatedComputation([], () =>
      federatedSum(federatedValue(3, 'clients', INT)),
    );
    await using told = contextOf(at([0], refusing), { ...drop, defaultClients: 4 });
    expect(await told.invoke(all, [5])).toBe(15);
    expect(await told.invoke(constants, [])).toBe(9);

    const evaluate = defineComputation<readonly [], typeof INT>('seven', [], seven);
    const sevens = federatedComputation([], () => federatedSum(federatedEval(evaluate, 'clients')));
    await using asked = contextOf(at([1], outOfBattery), { ...drop, defaultClients: 4 });
    expect(await asked.invoke(sevens, [])).toBe(21);

    const counted = federatedComputation([], () => federatedSum(census()));
    await using found = new ExecutionContext(
      localExecutorFactory({
        ...drop,
        defaultClients: 3,
        dataSource: (_placement, client) => ({
          resolve: () => {
            if (client === 2) throw new Error('the file is gone');
            return int(10 ** client);
          },
        }),
      }),
    );
    const steps = await stepsOf(found, async () => {
      expect(await found.invoke(counted, [])).toBe(11);
    });
    expect(ofKind(steps, 'client-lost')).toMatchObject([
      { client: 'clients/2', cause: { message: expect.stringContaining('the file is gone') } },
    ]);
  });

  test('to receive what all have in common fails a result that says so', async () => {
    const everywhere = federatedComputation([atServer(INT)], (x) => federatedBroadcast(x));
    const options = { ...shape, lostClients: 'drop', defaultClients: 4 } as const;
    await using context = contextOf(at([3], { receive: failing }), options);
    await expect(context.invoke(everywhere, [5])).rejects.toThrow(
      /Client 3 failed in (federated_broadcast|receiving its data): disk full/,
    );
  });

  test('when it sends its value is lost to the aggregation, if clients are dropped', async () => {
    const silent: Faults = {
      send: () => {
        throw new Error('no signal');
      },
    };
    await using context = contextOf(at([1], silent), { ...shape, lostClients: 'drop' });
    const steps = await stepsOf(context, async () => {
      expect(await context.invoke(sum, [[1, 10, 100, 1000]])).toBe(1101);
    });
    expect(ofKind(steps, 'dropped-clients')).toMatchObject([
      { lost: [{ client: 'clients/1', stage: 'federated_aggregate', reason: 'failed' }] },
    ]);
    await using surviving = contextOf(at([1], silent), { ...shape, lostClients: 'survive' });
    await expect(surviving.invoke(sum, [[1, 10, 100, 1000]])).rejects.toMatchObject({
      code: 'execution.client_failed',
      message: expect.stringContaining('Client 1 failed in federated_aggregate: no signal'),
    });
  });

  test('has no part in a mean, weighted or not, or a maximum', async () => {
    const plain = federatedComputation([atClients(float32())], (x) => federatedMean(x));
    const weighted = federatedComputation(
      [atClients(float32()), atClients(float32())],
      (x, weight) => federatedMean(x, { weight }),
    );
    const largest = federatedComputation([atClients(INT)], (x) => federatedMax(x));
    let received = 0;
    const second: Faults = {
      receive: () => {
        received++;
        // The weight comes after the value.
        if (received % 2 === 0) throw new Error('full');
      },
    };
    const drop = { ...shape, lostClients: 'drop' } as const;
    await using first = contextOf(at([0], { receive: failing }), drop);
    expect(await first.invoke(plain, [[90, 2, 4]])).toBe(3);
    expect(await first.invoke(largest, [[90, 2, 4]])).toBe(4);
    await using unweighed = contextOf(at([0], second), drop);
    const values = [90, 2, 5];
    const weights = [1, 2, 1];
    expect(await unweighed.invoke(weighted, [values, weights])).toBe(3);
  });

  test('fails an aggregation that is left with too few, for the first cause', async () => {
    const options = { ...shape, lostClients: 'drop', minimumSurvivors: 3 } as const;
    const values = [1, 2, 3, 4, 5];
    await using enough = contextOf(at([0, 4], outOfBattery), options);
    expect(await enough.invoke(sumTrained, [values])).toBe(12);
    await using tooFew = contextOf(at([0, 1, 4], outOfBattery), options);
    const steps = await stepsOf(tooFew, async () => {
      await expect(tooFew.invoke(sumTrained, [values])).rejects.toMatchObject({
        name: 'ExecutionError',
        code: 'execution.too_few_clients',
        message:
          "[execution.too_few_clients] federated_aggregate is left with 2 of 5 clients, and this stack asks for at least 3 (minimumSurvivors). Lost: clients/0 in 'federated_map' (out of battery), clients/1 in 'federated_map' (out of battery), clients/4 in 'federated_map' (out of battery).",
        cause: { message: 'out of battery' },
      });
    });
    expect(ofKind(steps, 'dropped-clients')).toEqual([]);
    // Without a loss there is nothing to complain of.
    expect(await tooFew.invoke(sum, [[1]])).toBe(1);
    expect(await tooFew.invoke(sum, [[]])).toBe(0);
  });

  test('with all others is a mistake of the program, which is told', async () => {
    const risky = defineComputation<readonly [typeof INT], typeof INT>(
      'risky',
      [INT],
      failUnlessSmall,
    );
    const program = federatedComputation([atClients(INT)], (x) =>
      federatedSum(federatedMap(risky, x)),
    );
    await using context = contextOf(() => ({}), { ...shape, lostClients: 'drop' });
    await expect(context.invoke(program, [[999, 999, 999]])).rejects.toMatchObject({
      code: 'execution.too_few_clients',
      cause: { code: 'execution.sum_overflow' },
    });
  });

  test('before it has its rows of a selection, or asks for wrong ones, gets none', async () => {
    const plain = federatedComputation(
      [atClients(int32(2)), atServer(INT), atServer(INT)],
      (keys, maxKey, source) =>
        federatedSum(sequenceSum(federatedSelect(keys, maxKey, source, append))),
    );
    const secure = federatedComputation(
      [atClients(int32(2)), atServer(INT), atServer(INT)],
      (keys, maxKey, source) =>
        federatedSum(sequenceSum(federatedSecureSelect(keys, maxKey, source, append))),
    );
    const args = (wrong: number) =>
      [
        [
          [0, 1],
          [1, wrong],
          [2, 0],
          [1, 1],
        ],
        2,
        1,
      ] as const;
    const drop = { ...shape, lostClients: 'drop' } as const;
    for (const computation of [plain, secure]) {
      await using context = contextOf(() => ({}), drop);
      // Rows are 10, 11 and 12.
      const steps = await stepsOf(context, async () => {
        expect(await context.invoke(computation, args(7))).toBe(65);
      });
      expect(ofKind(steps, 'client-lost')).toMatchObject([{ client: 'clients/1' }]);
      await using refusing = contextOf(at([3], { receive: failing }), drop);
      expect(await refusing.invoke(computation, args(0))).toBe(64);
      await using failingStack = contextOf(at([3], { receive: failing }), shape);
      await expect(failingStack.invoke(computation, args(0))).rejects.toMatchObject({
        code: 'execution.client_failed',
      });
    }
    const keysStay: Faults = {
      send: () => {
        throw new Error('keys stay here');
      },
    };
    await using silent = contextOf(at([2], keysStay), drop);
    const steps = await stepsOf(silent, () =>
      silent.invoke(plain, args(0)).catch((error: unknown) => error),
    );
    expect(ofKind(steps, 'client-lost')[0]).toMatchObject({
      client: 'clients/2',
      stage: 'federated_select',
    });
    await using strict = contextOf(() => ({}), shape);
    await expect(strict.invoke(plain, args(7))).rejects.toMatchObject({
      code: 'execution.key_out_of_range',
    });
  });
});

describe.each(SHAPES)('%s: a client that does not finish', (_shape, shape) => {
  test('fails the computation, by name, where nobody may be lost', async () => {
    await using context = contextOf(at([2], hangs), { ...shape, clientTimeoutMs: 60 });
    await expect(context.invoke(trained, [[1, 2, 3]])).rejects.toMatchObject({
      code: 'execution.client_failed',
      message:
        '[execution.client_failed] Client 2 failed in federated_map: it was not done within 60 ms',
      cause: { name: 'ClientTimeout' },
    });
  });

  test('is lost after its time', async () => {
    const options = { ...shape, lostClients: 'drop', clientTimeoutMs: 60 } as const;
    await using context = contextOf(at([0, 3], hangs), options);
    const steps = await stepsOf(context, async () => {
      expect(await context.invoke(sumTrained, [[1, 10, 100, 1000]])).toBe(112);
    });
    expect(ofKind(steps, 'dropped-clients')).toMatchObject([
      {
        clients: ['clients/1', 'clients/2'],
        lost: [
          { client: 'clients/0', stage: 'federated_map', reason: 'timeout' },
          { client: 'clients/3', stage: 'federated_map', reason: 'timeout' },
        ],
      },
    ]);
    await using silent = contextOf(at([1], { send: () => new Promise(() => {}) }), options);
    expect(await silent.invoke(sum, [[1, 10, 100, 1000]])).toBe(1101);
  });

  test('leaves nothing when it comes up with a value after all', async () => {
    const backend: TrackedBackend = await trackedBackend();
    let finish: () => void = () => {};
    const late = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const options = { ...shape, lostClients: 'drop', clientTimeoutMs: 60, backend } as const;
    await using context = contextOf(at([1], { deliver: () => late }), options);
    expect(await context.invoke(sumTrained, [[1, 2, 3]])).toBe(6);
    expect(backend.live()).toBe(1);
    finish();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(backend.live()).toBe(0);
  });

  test('is told that its time is over', async () => {
    const told: (AbortSignal | undefined)[] = [];
    const listen = (options?: RequestOptions): Promise<void> => {
      told.push(options?.signal);
      return new Promise(() => {});
    };
    const options = { ...shape, clientTimeoutMs: 30 };
    const faults: readonly (readonly [Faults, string])[] = [
      [{ work: listen }, 'federated_map'],
      [{ receive: (_type, request) => listen(request) }, 'receiving its data'],
      [{ send: (_type, request) => listen(request) }, 'sending its result'],
    ];
    for (const [fault, work] of faults) {
      await using context = contextOf(at([1], fault), options);
      await expect(context.invoke(trained, [[1, 2, 3]])).rejects.toThrow(
        `Client 1 failed in ${work}: it was not done within 30 ms`,
      );
      expect(told.at(-1)?.reason).toMatchObject({ name: 'ClientTimeout' });
    }
    await using context = contextOf(at([1], { send: (_type, request) => listen(request) }), {
      ...options,
      lostClients: 'drop',
    });
    expect(await context.invoke(sumTrained, [[1, 2, 3]])).toBe(6);
    expect(told).toHaveLength(4);
    expect(told.at(-1)?.reason).toMatchObject({ name: 'ClientTimeout' });
  });

  test('ends with the call that is cancelled or late, as ever', async () => {
    const backend: TrackedBackend = await trackedBackend();
    const options = { ...shape, lostClients: 'drop', backend } as const;
    await using context = contextOf(at([1], hangs), options);
    const controller = new AbortController();
    const steps = await stepsOf(context, async () => {
      const attempt = context.invoke(sumTrained, [[1, 2, 3]], { signal: controller.signal });
      setTimeout(() => controller.abort('enough'), 20);
      await expect(attempt).rejects.toMatchObject({ code: 'context.cancelled' });
    });
    expect(ofKind(steps, 'client-lost')).toEqual([]);
    const timed = { ...options, clientTimeoutMs: 60_000 };
    await using patient = contextOf(at([1], hangs), timed);
    await expect(patient.invoke(sumTrained, [[1, 2, 3]], { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'context.deadline_exceeded',
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(backend.live()).toBe(0);
  });
});

describe('options', () => {
  test.each([
    { lostClients: 'ignore' as never },
    { clientTimeoutMs: 0 },
    { clientTimeoutMs: 2 ** 31 },
    { clientTimeoutMs: Number.NaN },
    { lostClients: 'drop', minimumSurvivors: 0 },
    { lostClients: 'drop', minimumSurvivors: 1.5 },
    { lostClients: 'survive', minimumSurvivors: 2 },
    { minimumSurvivors: 2 },
  ] as const)('that check nothing are refused: %o', (options) => {
    expect(() => localExecutorFactory(options)).toThrow(
      expect.objectContaining({ name: 'ValueError', code: 'value.out_of_range' }),
    );
  });
});

function failing(): never {
  throw new Error('disk full');
}
