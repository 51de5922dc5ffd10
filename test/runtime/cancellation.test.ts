import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { data } from '../../computations/building-blocks.ts';
import { defineComputation } from '../../computations/define.ts';
import { federatedComputation, withContext } from '../../computations/index.ts';
import {
  atClients,
  atServer,
  type FunctionType,
  func,
  sequence,
  type Type,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorFactory, ExecutorValue } from '../../executors/executor.ts';
import { masking, paillier } from '../../executors/secure/index.ts';
import {
  compileForExecution,
  federatedBroadcast,
  federatedMap,
  federatedSecureSum,
  federatedSum,
  sequenceReduce,
  sequenceSum,
} from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import { add, addConstant, INT, int } from '../executors/blocks.ts';
import { PassThroughExecutor } from '../executors/pass-through.ts';
import { type TrackedBackend, trackedBackend } from '../executors/tracked-backend.ts';

const addOne = defineComputation<readonly [typeof INT], typeof INT>(
  'add_one',
  [INT],
  addConstant(1),
);
const addBoth = defineComputation<readonly [typeof INT, typeof INT], typeof INT>(
  'add_both',
  [INT, INT],
  add,
);
const mapOne = federatedComputation([atClients(INT)], (x) => federatedMap(addOne, x));
const sum = federatedComputation([atClients(INT)], (x) => federatedSum(x));
const totals = federatedComputation([atClients(sequence(INT))], (x) => sequenceSum(x));
const reduceAtClients = federatedComputation(
  [atClients(sequence(INT)), atServer(INT)],
  (batches, start) =>
    federatedMap(
      federatedComputation([sequence(INT), INT], (elements, zero) =>
        sequenceReduce(elements, zero, addBoth),
      ),
      [batches, federatedBroadcast(start)],
    ),
);

let backend: TrackedBackend;
let open: ExecutionContext[] = [];

beforeEach(async () => {
  backend = await trackedBackend();
  open = [];
});

afterEach(async () => {
  // Whatever was cancelled, nothing is left, and the context runs what it is given next.
  for (const context of open) {
    expect(await context.invoke(addOne, [1])).toBe(2);
    await context.close();
  }
  expect(backend.live()).toBe(0);
});

function use(options: Parameters<typeof localExecutorFactory>[0] = {}): ExecutionContext {
  return over(localExecutorFactory({ backend, ...options }));
}

function over(factory: ExecutorFactory): ExecutionContext {
  const context = new ExecutionContext(factory);
  open.push(context);
  return context;
}

/** An executor whose calls never end. */
class HangingExecutor extends PassThroughExecutor {
  override createCall(): Promise<ExecutorValue> {
    return new Promise(() => {});
  }
}

/** Numbers without end. */
function endless(onStop: () => void = () => {}): AsyncIterable<number> {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          await new Promise((resolve) => setImmediate(resolve));
          yield 1;
        }
      } finally {
        onStop();
      }
    },
  };
}

const soon = (): AbortSignal => AbortSignal.timeout(10);
const cancelled = { name: 'ContextError', code: 'context.cancelled' };
const late = { name: 'ContextError', code: 'context.deadline_exceeded' };

describe('a signal', () => {
  test('that is aborted already', async () => {
    const why = new Error('nobody wants it any more');
    const attempt = use().invoke(mapOne, [[1]], { signal: AbortSignal.abort(why) });
    await expect(attempt).rejects.toMatchObject({ ...cancelled, cause: why });
    await expect(attempt).rejects.toThrow(/was cancelled by its signal: nobody wants it any more/);
  });

  test('that comes too late changes nothing', async () => {
    const controller = new AbortController();
    expect(await use().invoke(mapOne, [[1]], { signal: controller.signal })).toEqual([2]);
    controller.abort();
  });

  test('while an executor starts', async () => {
    const inner = localExecutorFactory({ backend });
    let give: (() => void) | undefined;
    let released = 0;
    const context = over({
      createExecutor: (cardinalities) =>
        give === undefined
          ? new Promise((resolve) => {
              give = () => resolve(inner.createExecutor(cardinalities));
            })
          : inner.createExecutor(cardinalities),
      releaseExecutor(executor) {
        released++;
        inner.releaseExecutor?.(executor);
      },
      cleanUpExecutor: (cardinalities) => inner.cleanUpExecutor(cardinalities),
      close: () => inner.close(),
    });
    await expect(context.invoke(sum, [[1]], { signal: soon() })).rejects.toMatchObject(cancelled);
    expect(released).toBe(0);
    give?.();
    await vi.waitFor(() => expect(released).toBe(1));
  });

  test('while a client does not answer', async () => {
    const context = use({
      wrapLeaf: (leaf, placement, index) =>
        placement === 'clients' && index === 1 ? new HangingExecutor(leaf) : leaf,
    });
    const attempt = context.invoke(mapOne, [[1, 2, 3]], { signal: soon() });
    await expect(attempt).rejects.toMatchObject(cancelled);
  });

  test('while the server does not answer', async () => {
    let servers = 0;
    const context = use({
      wrapLeaf: (leaf, placement) =>
        placement === 'server' && servers++ === 0 ? new HangingExecutor(leaf) : leaf,
    });
    await expect(context.invoke(sum, [[1, 2]], { signal: soon() })).rejects.toMatchObject(
      cancelled,
    );
  });

  test('before a client is called', async () => {
    const controller = new AbortController();
    let calls = 0;
    const context = use({
      wrapLeaf: (leaf) =>
        new (class extends PassThroughExecutor {
          override createCall(fn: ExecutorValue, argument?: ExecutorValue): Promise<ExecutorValue> {
            calls++;
            if (calls === 2) controller.abort();
            return super.createCall(fn, argument);
          }
        })(leaf),
    });
    const { signal } = controller;
    await expect(context.invoke(mapOne, [[1, 2, 3, 4]], { signal })).rejects.toMatchObject(
      cancelled,
    );
    expect(calls).toBe(2);
  });

  test('while sequences without end are read, which are told to stop', async () => {
    let stopped = 0;
    const source = endless(() => stopped++);
    const attempt = use().invoke(totals, [[source, source]], { signal: soon() });
    await expect(attempt).rejects.toMatchObject(cancelled);
    await vi.waitFor(() => expect(stopped).toBe(2));
  });

  test('while a long reduction never gives way by itself', async () => {
    const ones = {
      *[Symbol.iterator]() {
        for (;;) yield 1;
      },
    };
    const attempt = use().invoke(reduceAtClients, [[ones, ones], 0], { signal: soon() });
    await expect(attempt).rejects.toMatchObject(cancelled);
  });

  test('while an element of a sequence never comes', async () => {
    let returned = 0;
    const stuck: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          returned++;
          return new Promise(() => {});
        },
      }),
    };
    const attempt = use().invoke(totals, [[stuck]], { signal: soon() });
    await expect(attempt).rejects.toMatchObject(cancelled);
    await vi.waitFor(() => expect(returned).toBe(1));
  });

  test('while one sequence for all clients is read', async () => {
    const shared = federatedComputation([atClients(sequence(INT), { allEqual: true })], (x) =>
      sequenceSum(x),
    );
    const attempt = use({ defaultClients: 2 }).invoke(shared, [endless()], { signal: soon() });
    await expect(attempt).rejects.toMatchObject(cancelled);
  });

  test('while a result is read', async () => {
    const echo = federatedComputation([atClients(sequence(INT))], (x) => x);
    const attempt = use().invoke(echo, [[endless()]], { signal: soon() });
    await expect(attempt).rejects.toMatchObject(cancelled);
  });

  test('while named data is searched for', async () => {
    const census = defineComputation<readonly [], ReturnType<typeof atClients>>('census', [], {
      kind: 'lambda',
      parameter: null,
      result: data('census', atClients(INT)),
      type: func(null, atClients(INT)),
    });
    const context = use({
      defaultClients: 2,
      dataSource: () => ({ resolve: () => new Promise(() => {}) }),
    });
    const attempt = context.invoke(census, [], { signal: soon() });
    await expect(attempt).rejects.toMatchObject(cancelled);
  });

  test.each([
    ['masking', masking()],
    ['paillier', paillier({ modulusBits: 512, allowInsecureModulus: true })],
  ])('while a party of a secure sum by %s does not answer', async (_name, secureAggregation) => {
    const secureSum = federatedComputation([atClients(INT)], (x) => federatedSecureSum(x, 100));
    let clients = 0;
    const context = use({
      secureAggregation,
      wrapLeaf: (leaf, placement) =>
        placement === 'clients' && clients++ === 1 ? new HangingExecutor(leaf) : leaf,
    });
    const attempt = context.invoke(secureSum, [[1, 2, 3]], { signal: soon() });
    await expect(attempt).rejects.toMatchObject(cancelled);
    expect(await context.invoke(secureSum, [[1, 2, 3]])).toBe(6);
  });

  test('of one invocation leaves others on the same stack alone', async () => {
    const context = use();
    const others = Array.from({ length: 5 }, (_, i) => context.invoke(mapOne, [[i]]));
    const attempt = context.invoke(totals, [[endless()]], { signal: soon() });
    const slow = context.invoke(totals, [[Array.from({ length: 3000 }, () => 1)]]);
    await expect(attempt).rejects.toMatchObject(cancelled);
    expect(await Promise.all(others)).toEqual([[1], [2], [3], [4], [5]]);
    expect(await slow).toEqual([3000]);
  });

  test('is let go of when an invocation is over', async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await use().invoke(sum, [[1, 2]], { signal });
    expect(added).toHaveBeenCalled();
    expect(removed.mock.calls.length).toBe(added.mock.calls.length);
  });
});

describe('a deadline', () => {
  test('ends what takes longer', async () => {
    const attempt = use().invoke(totals, [[endless()]], { timeoutMs: 10 });
    await expect(attempt).rejects.toMatchObject(late);
    await expect(attempt).rejects.toThrow(/was not done within 10 ms/);
  });

  test('ends work that never gives way by itself', async () => {
    const ones = {
      *[Symbol.iterator]() {
        for (;;) yield 1;
      },
    };
    const attempt = use().invoke(totals, [[ones]], { timeoutMs: 10 });
    await expect(attempt).rejects.toMatchObject(late);
  });

  test('leaves no timer behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const context = use();
      expect(await context.invoke(addOne, [1], { timeoutMs: 60_000 })).toBe(2);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([-1, Number.NaN, 2 ** 31])('of %s ms is refused', async (timeoutMs) => {
    await expect(use().invoke(addOne, [1], { timeoutMs })).rejects.toMatchObject({
      name: 'ValueError',
      code: 'value.out_of_range',
    });
  });
});

describe('withContext', () => {
  test('hands its signal and its time to plain calls', async () => {
    const context = use();
    const attempts = withContext(context, () => Promise.allSettled([totals([endless()])]), {
      signal: soon(),
    });
    expect(await attempts).toMatchObject([{ reason: cancelled }]);
    const timed = withContext(context, async () => totals([endless()]), { timeoutMs: 10 });
    await expect(timed).rejects.toMatchObject(late);
  });

  test('counts its time from when it is called', async () => {
    const attempt = withContext(
      use(),
      async () => {
        for (;;) await mapOne([1]);
      },
      { timeoutMs: 30 },
    );
    await expect(attempt).rejects.toMatchObject(late);
  });

  test('within another one can be ended by both', async () => {
    const context = use();
    const never = new AbortController().signal;
    const inner = (): unknown =>
      withContext(context, () => totals([endless()]), { signal: never, timeoutMs: 60_000 });
    await expect(withContext(context, inner, { signal: soon() })).rejects.toMatchObject(cancelled);
    await expect(withContext(context, inner, { timeoutMs: 10 })).rejects.toMatchObject(late);
  });
});

describe('closing', () => {
  test('with cancel tells the executors to stop', async () => {
    let stopped = 0;
    const context = new ExecutionContext(localExecutorFactory({ backend }));
    const running = context.invoke(totals, [[endless(() => stopped++)]]);
    const expected = expect(running).rejects.toMatchObject(cancelled);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await context.close({ cancel: true });
    await expected;
    await vi.waitFor(() => expect(stopped).toBe(1));
  });
});

describe('a stack that is interrupted unwinds by itself, without being closed', () => {
  const secureSum = federatedComputation([atClients(INT)], (x) => federatedSecureSum(x, 100));

  test.each([
    ['in a map', mapOne.buildingBlock, {}],
    ['in a secure sum by masking', secureSum.buildingBlock, { secureAggregation: masking() }],
    [
      'in a secure sum by paillier',
      secureSum.buildingBlock,
      { secureAggregation: paillier({ modulusBits: 512, allowInsecureModulus: true }) },
    ],
  ])('%s with a client that does not answer', async (_where, block, options) => {
    const factory = localExecutorFactory({
      backend,
      ...options,
      wrapLeaf: (leaf, placement, index) =>
        placement === 'clients' && index === 1 ? new HangingExecutor(leaf) : leaf,
    });
    const executor = await factory.createExecutor({ clients: 3 });
    const type = block.type as FunctionType;
    using fn = await executor.createValue(
      compileForExecution(block, factory.handles ?? new Set()),
      type,
    );
    const members = [int(1), int(2), int(3)];
    using argument = await executor.createValue(
      { kind: 'federated', members },
      type.parameter as Type,
    );
    const why = new Error('that was long enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(why), 100);
    const { signal } = controller;
    await expect(executor.createCall(fn, argument, { signal })).rejects.toBe(why);
    await factory.close();
  });
});

test('an executor that knows nothing of signals does not delay a cancellation', async () => {
  const closed: Executor[] = [];
  const deaf = {
    createValue: () => new Promise<never>(() => {}),
    createCall: () => new Promise<never>(() => {}),
    createStruct: () => new Promise<never>(() => {}),
    createSelection: () => new Promise<never>(() => {}),
    close: async () => void closed.push(deaf),
  } satisfies Executor;
  const context = new ExecutionContext({
    createExecutor: async () => deaf,
    cleanUpExecutor: () => deaf.close(),
    close: () => deaf.close(),
  });
  await expect(context.invoke(sum, [[1]], { signal: soon() })).rejects.toMatchObject(cancelled);
  expect(closed).toEqual([deaf]);
  await context.close();
});
