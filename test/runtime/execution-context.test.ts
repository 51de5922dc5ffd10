import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { AnyComputation } from '../../computations/computation.ts';
import { defineComputation } from '../../computations/define.ts';
import { federatedComputation, setDefaultContext, withContext } from '../../computations/index.ts';
import { atClients, atServer, int32, sequence, struct } from '../../computations/types/index.ts';
import type { Cardinalities, Executor, ExecutorFactory } from '../../executors/executor.ts';
import {
  federatedBroadcast,
  federatedMap,
  federatedSum,
  sequenceSum,
} from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import { addConstant, failUnlessSmall, INT } from '../executors/blocks.ts';
import { type TrackedBackend, trackedBackend } from '../executors/tracked-backend.ts';

const addOne = defineComputation<readonly [typeof INT], typeof INT>(
  'add_one',
  [INT],
  addConstant(1),
);
const risky = defineComputation<readonly [typeof INT], typeof INT>('risky', [INT], failUnlessSmall);
const mapOne = federatedComputation([atClients(INT)], (x) => federatedMap(addOne, x));
const mapRisky = federatedComputation([atClients(INT)], (x) => federatedMap(risky, x));
const sum = federatedComputation([atClients(INT)], (x) => federatedSum(x));
const sumBoth = federatedComputation([atClients(INT), atClients(INT)], (x, y) => [
  federatedSum(x),
  federatedSum(y),
]);

let backend: TrackedBackend;

beforeEach(async () => {
  backend = await trackedBackend();
});

function local(options: Parameters<typeof localExecutorFactory>[0] = {}): ExecutionContext {
  return new ExecutionContext(localExecutorFactory({ backend, ...options }));
}

/** A factory that tells what was asked of it, and can be told to hang or to fail. */
class ScriptedFactory implements ExecutorFactory {
  readonly asked: Cardinalities[] = [];
  readonly cleaned: Cardinalities[] = [];
  start: 'work' | 'hang' | 'fail' = 'work';
  closed = false;
  readonly #inner: ExecutorFactory;

  constructor(inner: ExecutorFactory) {
    this.#inner = inner;
  }

  createExecutor(cardinalities: Cardinalities): Promise<Executor> {
    this.asked.push(cardinalities);
    if (this.start === 'hang') return new Promise(() => {});
    if (this.start === 'fail') return Promise.reject(new Error('no workers'));
    return this.#inner.createExecutor(cardinalities);
  }

  async cleanUpExecutor(cardinalities: Cardinalities): Promise<void> {
    this.cleaned.push(cardinalities);
    await this.#inner.cleanUpExecutor(cardinalities);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.#inner.close();
  }
}

describe('an invocation', () => {
  test('takes and gives plain data', async () => {
    await using context = local();
    expect(await context.invoke(mapOne, [[1, 2, 3]])).toEqual([2, 3, 4]);
    expect(await context.invoke(sum, [[1, 2, 3]])).toBe(6);
    expect(
      await context.invoke(sumBoth, [
        [1, 2],
        [3, 4],
      ]),
    ).toEqual([3, 7]);
    expect(await context.invoke(addOne, [1])).toBe(2);
    expect(backend.live()).toBe(0);
  });

  test('is a map over any clients', async () => {
    await using context = local();
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(values, async (data) => {
        expect(await context.invoke(mapOne, [data])).toEqual(data.map((value) => value + 1));
        expect(await context.invoke(sum, [data])).toBe(data.reduce((a, b) => a + b, 0));
      }),
      { numRuns: 25 },
    );
    expect(backend.live()).toBe(0);
  });

  test('reads sequences at the clients, from iterables of every kind', async () => {
    await using context = local();
    const totals = federatedComputation([atClients(sequence(INT))], (x) => sequenceSum(x));
    const generated = (async function* () {
      yield 4;
      yield 5;
    })();
    expect(await context.invoke(totals, [[[1, 2], new Set([3]), generated]])).toEqual([3, 3, 9]);
  });

  test('spreads an all-equal result over the clients where its type says so', async () => {
    await using context = local();
    const pass = federatedComputation([atClients(INT)], (x) => x);
    const sent = federatedComputation([atServer(INT), atClients(INT)], (s, _x) =>
      // Fits at run time; the TypeScript types keep all-equal values apart.
      pass(federatedBroadcast(s) as never),
    );
    expect(await context.invoke(sent, [7, [1, 2, 3]])).toEqual([7, 7, 7]);
  });

  test('runs by calling the computation, in the context that counts there', async () => {
    await using one = local({ defaultClients: 1 });
    await using two = local({ defaultClients: 2 });
    const ones = federatedComputation([atServer(INT)], (s) =>
      federatedSum(federatedMap(addOne, federatedBroadcast(s))),
    );
    setDefaultContext(one);
    try {
      const [inside, outside] = await Promise.all([withContext(two, () => ones(4)), ones(4)]);
      expect([inside, outside]).toEqual([10, 5]);
    } finally {
      setDefaultContext(null);
    }
  });

  test('compiles a computation once', async () => {
    let compilations = 0;
    class CountingFactory extends ScriptedFactory {
      // What the stack handles is asked for when the context is made, and by the compiler.
      get handles(): ReadonlySet<string> {
        compilations++;
        return new Set();
      }
    }
    await using context = new ExecutionContext(
      new CountingFactory(localExecutorFactory({ backend })),
    );
    compilations = 0;
    expect(await context.invoke(sum, [[1]])).toBe(1);
    expect(await context.invoke(sum, [[1, 2]])).toBe(3);
    expect(compilations).toBe(1);
    await context.invoke(mapOne, [[1]]);
    expect(compilations).toBe(2);
  });
});

describe('cardinalities', () => {
  test('are told by the arguments, then by the factory, then zero', async () => {
    const factory = new ScriptedFactory(localExecutorFactory({ backend }));
    await using context = new ExecutionContext(factory);
    await context.invoke(sum, [[1, 2, 3]]);
    await context.invoke(addOne, [1]);
    expect(factory.asked).toEqual([{ clients: 3 }, { clients: 0 }]);
    await using other = local({ defaultClients: 4 });
    const seven = federatedComputation([atServer(INT)], (s) => federatedSum(federatedBroadcast(s)));
    expect(await other.invoke(seven, [7])).toBe(28);
  });

  test('that conflict are refused with the names of the arguments', async () => {
    await using context = local();
    const attempt = context.invoke(sumBoth, [
      [1, 2],
      [1, 2, 3],
    ]);
    await expect(attempt).rejects.toMatchObject({
      name: 'CardinalityError',
      code: 'cardinality.conflict',
    });
    await expect(attempt).rejects.toThrow(
      "Conflicting cardinalities for clients: 2 (argument 'x') vs 3 (argument 'y')",
    );
  });

  test('need lists', async () => {
    await using context = local();
    const attempt = context.invoke(sum as AnyComputation, [5]);
    await expect(attempt).rejects.toMatchObject({ code: 'cardinality.not_a_list' });
    await expect(attempt).rejects.toThrow(/argument 'x'.*\{int32\}@CLIENTS.*number/);
  });

  test('are found inside structs', async () => {
    await using context = local();
    const type = struct({ a: atClients(INT), b: atClients(INT) });
    const first = federatedComputation([type], (v) => federatedSum(v.a));
    expect(await context.invoke(first, [{ a: [1, 2], b: [3, 4] }])).toBe(3);
    await expect(context.invoke(first, [{ a: [1, 2], b: [3] }])).rejects.toThrow(
      /2 \(argument 'v'\.a\) vs 1 \(argument 'v'\.b\)/,
    );
  });
});

describe('bad input', () => {
  test('is refused by name before anything runs, and the context stays usable', async () => {
    const factory = new ScriptedFactory(localExecutorFactory({ backend }));
    await using context = new ExecutionContext(factory);
    const bad: readonly (readonly [readonly unknown[], string])[] = [
      [[[1, Number.NaN]], 'value.not_an_integer'],
      [[[1, 1.5]], 'value.not_an_integer'],
      [[[1, 2 ** 31]], 'value.out_of_range'],
      [[[1, 'two']], 'value.wrong_type'],
      [[[1, [2]]], 'value.wrong_shape'],
      [[[1], [2]], 'type.arity'],
    ];
    for (const [args, code] of bad) {
      await expect(context.invoke(sum as AnyComputation, args)).rejects.toMatchObject({ code });
    }
    expect(factory.asked).toEqual([]);
    expect(await context.invoke(sum, [[1, 2]])).toBe(3);
  });

  test('names the parameter and the client', async () => {
    await using context = local();
    await expect(context.invoke(sum as AnyComputation, [[1, 'two']])).rejects.toThrow(
      /argument 'x', client 1/,
    );
  });
});

describe('a failure', () => {
  test('leaves nothing behind, and the context usable', async () => {
    await using context = local();
    await expect(context.invoke(mapRisky, [[1, 999, 3]])).rejects.toMatchObject({
      code: 'execution.client_failed',
    });
    expect(backend.live()).toBe(0);
    expect(await context.invoke(mapRisky, [[1, 2, 3]])).toEqual([1, 2, 3]);
  });

  test('makes the next invocation start on a new executor', async () => {
    const factory = new ScriptedFactory(localExecutorFactory({ backend }));
    await using context = new ExecutionContext(factory);
    await expect(context.invoke(mapRisky, [[999]])).rejects.toThrow();
    expect(factory.cleaned).toEqual([{ clients: 1 }]);
    await context.invoke(mapRisky, [[1]]);
    expect(factory.cleaned).toHaveLength(1);
  });

  test('of one invocation does not disturb others that run on the same executor', async () => {
    await using context = local();
    const attempts = Array.from({ length: 30 }, (_, i) =>
      context.invoke(mapRisky, [[i % 3 === 0 ? 999 : i, 1]]),
    );
    const outcomes = await Promise.allSettled(attempts);
    outcomes.forEach((outcome, i) => {
      if (i % 3 === 0) {
        expect(outcome).toMatchObject({ reason: { code: 'execution.client_failed' } });
      } else {
        expect(outcome).toEqual({ status: 'fulfilled', value: [i, 1] });
      }
    });
    expect(backend.live()).toBe(0);
  });

  test('to start is reported as it is, and tried anew', async () => {
    const factory = new ScriptedFactory(localExecutorFactory({ backend }));
    factory.start = 'fail';
    await using context = new ExecutionContext(factory);
    await expect(context.invoke(sum, [[1]])).rejects.toThrow('no workers');
    factory.start = 'work';
    expect(await context.invoke(sum, [[1]])).toBe(1);
  });

  test('to start in time ends with the limit and what it waited for', async () => {
    const factory = new ScriptedFactory(localExecutorFactory({ backend }));
    factory.start = 'hang';
    await using context = new ExecutionContext(factory, { startTimeoutMs: 10 });
    const attempt = context.invoke(sum, [[1, 2]]);
    await expect(attempt).rejects.toMatchObject({
      name: 'ContextError',
      code: 'context.start_timeout',
    });
    await expect(attempt).rejects.toThrow(/2 clients was not ready within 10 ms/);
    factory.start = 'work';
    expect(await context.invoke(sum, [[1, 2]])).toBe(3);
  });
});

describe('concurrent invocations', () => {
  test('of different sizes keep apart', async () => {
    await using context = local({ maxExecutors: 2 });
    const sizes = Array.from({ length: 24 }, (_, i) => i % 6);
    const results = await Promise.all(
      sizes.map((size) => context.invoke(sum, [new Array<number>(size).fill(2)])),
    );
    expect(results).toEqual(sizes.map((size) => 2 * size));
    expect(backend.live()).toBe(0);
  });
});

describe('closing', () => {
  test('waits for what runs, then refuses', async () => {
    const factory = new ScriptedFactory(localExecutorFactory({ backend }));
    const context = new ExecutionContext(factory);
    const running = context.invoke(sum, [[1, 2]]);
    const closing = context.close();
    await expect(context.invoke(sum, [[1]])).rejects.toMatchObject({ code: 'context.closed' });
    expect(await running).toBe(3);
    await closing;
    expect(factory.closed).toBe(true);
    await context.close();
  });

  test('can cancel what runs', async () => {
    const factory = new ScriptedFactory(localExecutorFactory({ backend }));
    factory.start = 'hang';
    const context = new ExecutionContext(factory);
    const running = context.invoke(sum, [[1]]);
    const cancelled = expect(running).rejects.toMatchObject({
      name: 'ContextError',
      code: 'context.cancelled',
    });
    await context.close({ cancel: true });
    await cancelled;
    expect(factory.closed).toBe(true);
  });

  test('can cancel after a close that waits', async () => {
    const endless = {
      async *[Symbol.asyncIterator](): AsyncGenerator<number> {
        for (;;) {
          await new Promise((resolve) => setImmediate(resolve));
          yield 1;
        }
      },
    };
    const totals = federatedComputation([atClients(sequence(int32()))], (x) => sequenceSum(x));
    const context = local();
    const running = context.invoke(totals, [[endless]]);
    const cancelled = expect(running).rejects.toMatchObject({ code: 'context.cancelled' });
    const waiting = context.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await context.close({ cancel: true });
    await cancelled;
    await waiting;
    expect(backend.live()).toBe(0);
  });

  test('is done by using', async () => {
    const factory = new ScriptedFactory(localExecutorFactory({ backend }));
    {
      await using context = new ExecutionContext(factory);
      await context.invoke(sum, [[1]]);
    }
    expect(factory.closed).toBe(true);
    const other = new ScriptedFactory(localExecutorFactory({ backend }));
    {
      using _context = new ExecutionContext(other);
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(other.closed).toBe(true);
  });
});
