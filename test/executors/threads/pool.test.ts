import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { intrinsic } from '../../../computations/building-blocks.ts';
import {
  func,
  int32,
  type MaterializedValue,
  sequence,
  struct,
  TensorValue,
} from '../../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../../../executors/executor.ts';
import { ThreadPool } from '../../../executors/threads/pool.ts';
import { addConstant, INT, int, ints, plain } from '../blocks.ts';

const module = new URL('./worker.helpers.ts', import.meta.url);
const shared = new ThreadPool({ threads: 2, module });
const open: { close(): Promise<void> }[] = [];

/** Something to be closed after the test. */
function closing<T extends { close(): Promise<void> }>(closable: T): T {
  open.push(closable);
  return closable;
}

const poolOf = (options: Partial<ConstructorParameters<typeof ThreadPool>[0]> = {}): ThreadPool =>
  closing(new ThreadPool({ threads: 1, module, ...options }));

afterEach(async () => {
  expect(shared.usage).toMatchObject({ handles: 0, streams: 0 });
  await Promise.all(open.splice(0).map((each) => each.close()));
});
afterAll(() => shared.close());

async function callOf(
  executor: Executor,
  uri: string,
  options: RequestOptions = {},
): Promise<ExecutorValue> {
  const type = func(null, INT);
  using fn = await executor.createValue(intrinsic(uri, type), type);
  return await executor.createCall(fn, undefined, options);
}

async function threadOf(executor: Executor): Promise<unknown> {
  using value = await callOf(executor, 'test_thread');
  return plain(await value.compute());
}

async function total(
  executor: Executor,
  elements: Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>,
  options: RequestOptions = {},
): Promise<unknown> {
  using value = await executor.createValue({ kind: 'sequence', elements }, sequence(INT), options);
  return plain(await value.compute(options));
}

describe('a pool', () => {
  test('starts workers when they are needed, and spreads executors over them', async () => {
    const pool = poolOf({ threads: 2 });
    expect(pool.usage.workers).toBe(0);
    const first = await pool.executor();
    expect(pool.usage.workers).toBe(1);
    const executors = [first, await pool.executor(), await pool.executor(), await pool.executor()];
    const threads = await Promise.all(executors.map(threadOf));
    expect(new Set(threads).size).toBe(2);
    expect(threads.filter((thread) => thread === threads[0]).length).toBe(2);
    // One that was closed makes room.
    await Promise.all([executors[0]!.close(), executors[2]!.close()]);
    expect(await threadOf(await pool.executor())).toBe(threads[0]);
  });

  test.each([0, 1.5, -1, Number.NaN])('of %s threads is refused', (threads) => {
    expect(() => new ThreadPool({ threads, module })).toThrow(
      expect.objectContaining({ name: 'ValueError', code: 'value.out_of_range' }),
    );
  });

  test('gives up a worker that does not start in time', async () => {
    const pool = poolOf({ data: { start: 'hang' }, startTimeoutMs: 50 });
    await expect(pool.executor()).rejects.toMatchObject({
      name: 'ContextError',
      code: 'context.start_timeout',
      message: expect.stringContaining('within 50 ms'),
    });
    expect(pool.usage.workers).toBe(0);
  });

  test('says why a worker does not start', async () => {
    const pool = poolOf({ data: { start: 'throw' } });
    await expect(pool.executor()).rejects.toMatchObject({
      code: 'execution.worker_lost',
      message: expect.stringContaining('no start today'),
    });
    expect(pool.usage.workers).toBe(0);
  });

  test('refuses to be used after closing, and ends what runs', async () => {
    const pool = poolOf();
    const executor = await pool.executor();
    const attempt = expect(callOf(executor, 'test_wait')).rejects.toMatchObject({
      code: 'context.closed',
    });
    await vi.waitFor(() => expect(pool.usage.handles).toBeGreaterThan(0));
    await pool.close();
    await pool.close();
    await attempt;
    await expect(pool.executor()).rejects.toMatchObject({ code: 'context.closed' });
    await executor.close();
    expect(pool.usage.workers).toBe(0);
  });
});

describe('a worker that breaks down', () => {
  test.each(['test_exit', 'test_throw_later'])(
    'by %s fails its clients and is replaced',
    async (how) => {
      const pool = poolOf();
      const executor = await pool.executor();
      const lost = { name: 'ExecutionError', code: 'execution.worker_lost' };
      const waiting = expect(callOf(executor, 'test_wait')).rejects.toMatchObject(lost);
      await expect(callOf(executor, how)).rejects.toMatchObject(lost);
      await waiting;
      await expect(executor.createValue(int(1), INT)).rejects.toMatchObject(lost);
      await executor.close();
      expect(typeof (await threadOf(await pool.executor()))).toBe('number');
    },
  );
});

describe('cancellation', () => {
  test('ends a request at once, and leaves nothing on the worker', async () => {
    const executor = closing(await shared.executor());
    const controller = new AbortController();
    const { signal } = controller;
    const attempt = callOf(executor, 'test_wait', { signal });
    const because = new Error('enough');
    const rejected = expect(attempt).rejects.toBe(because);
    setTimeout(() => controller.abort(because), 5);
    await rejected;
    // The worker goes on.
    expect(typeof (await threadOf(executor))).toBe('number');
    await expect(executor.createValue(int(1), INT, { signal })).rejects.toBe(because);
  });

  test('of a request that is answered already disposes of the answer', async () => {
    const executor = closing(await shared.executor());
    const controller = new AbortController();
    const making = executor.createValue(int(1), INT, { signal: controller.signal });
    controller.abort(new Error('never mind'));
    await expect(making).rejects.toThrow('never mind');
    using value = await executor.createValue(int(2), INT);
    expect(await plain(await value.compute())).toBe(2);
  });
});

describe('values', () => {
  test('sent to a worker stay usable here', async () => {
    const executor = closing(await shared.executor());
    const given = ints(1, 2, 3);
    const part = new TensorValue('int32', [2], new Int32Array([7, 8, 9, 10]).subarray(1, 3));
    using value = await executor.createValue(
      { kind: 'struct', elements: [given, given, part] },
      struct([int32(3), int32(3), int32(2)]),
    );
    const both = [await plain(await value.compute()), await plain(await value.compute())];
    expect(both).toEqual([
      [
        [1, 2, 3],
        [1, 2, 3],
        [8, 9],
      ],
      [
        [1, 2, 3],
        [1, 2, 3],
        [8, 9],
      ],
    ]);
    expect([...given.data]).toEqual([1, 2, 3]);
  });

  test('survive many posts of more than a megabyte', async () => {
    const executor = closing(await shared.executor());
    const size = 300_000;
    const values = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        executor.createValue(
          new TensorValue('int32', [size], new Int32Array(size).fill(i)),
          int32(size),
        ),
      ),
    );
    const read = await Promise.all(values.map((value) => value.compute()));
    for (const value of values) value[Symbol.dispose]();
    expect(read.map((value) => value.kind === 'tensor' && value.data.at(-1))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
  });

  test('of one block are sent once, and again when the worker forgot it', async () => {
    const executor = closing(await shared.executor());
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 600; n += 1) {
        using fn = await executor.createValue(addConstant(n), addConstant(n).type);
        if (n % 100 !== 0) continue;
        using x = await executor.createValue(int(1), INT);
        using sum = await executor.createCall(fn, x);
        expect(await plain(await sum.compute())).toBe(n + 1);
      }
    }
  });
});

describe('errors', () => {
  test('keep class, code, details and cause', async () => {
    const executor = closing(await shared.executor());
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    using wrong = await executor.createValue(ints(1), int32(1));
    await expect(executor.createCall(fn, wrong)).rejects.toMatchObject({
      name: 'FederatedTypeError',
      code: 'type.not_assignable',
      expected: 'int32',
      given: 'int32[1]',
    });
  });

  test('of an iterable come back to who reads it', async () => {
    const executor = closing(await shared.executor());
    const failing = {
      async *[Symbol.asyncIterator]() {
        yield int(1);
        throw new RangeError('the disk is full');
      },
    };
    await expect(total(executor, failing)).rejects.toThrow('the disk is full');
  });
});

describe('a lazy sequence', () => {
  test('arrives whole, however many elements it has', async () => {
    const executor = closing(await shared.executor());
    for (const length of [0, 1, 31, 32, 33, 200]) {
      const elements = {
        *[Symbol.iterator]() {
          for (let i = 0; i < length; i++) yield int(i);
        },
      };
      expect(await total(executor, elements)).toEqual(Array.from({ length }, (_, i) => i));
    }
  });

  test('is read no faster than it is used', async () => {
    const executor = closing(await shared.executor());
    let read = 0;
    const elements = {
      *[Symbol.iterator]() {
        for (;;) {
          read++;
          yield int(1);
        }
      },
    };
    const value = await executor.createValue({ kind: 'sequence', elements }, sequence(INT));
    await threadOf(executor);
    expect(read).toBe(0);
    value[Symbol.dispose]();
    await vi.waitFor(() => expect(shared.usage.streams).toBe(0));
  });

  test('gives what is there, while the next element takes its time', async () => {
    const executor = closing(await shared.executor());
    const controller = new AbortController();
    let stopped = false;
    const elements: AsyncIterable<MaterializedValue> = {
      [Symbol.asyncIterator]() {
        let count = 0;
        return {
          next: () =>
            count++ < 3
              ? Promise.resolve({ done: false, value: int(count) })
              : new Promise(() => {}),
          return: async () => {
            stopped = true;
            return { done: true, value: undefined };
          },
        };
      },
    };
    const attempt = total(executor, elements, { signal: controller.signal });
    const rejected = expect(attempt).rejects.toThrow('that was long enough');
    setTimeout(() => controller.abort(new Error('that was long enough')), 30);
    await rejected;
    await vi.waitFor(() => expect(stopped).toBe(true));
    await vi.waitFor(() => expect(shared.usage.streams).toBe(0));
  });

  test('that waits does not keep others of the same worker waiting', async () => {
    const pool = poolOf();
    const [slow, quick] = [await pool.executor(), await pool.executor()];
    let release: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const waiting = total(slow, {
      async *[Symbol.asyncIterator]() {
        await gate;
        yield int(1);
      },
    });
    expect(await total(quick, [int(2)])).toEqual([2]);
    expect(typeof (await threadOf(quick))).toBe('number');
    release?.();
    expect(await waiting).toEqual([1]);
  });

  test('is dropped when its executor closes', async () => {
    const executor = await shared.executor();
    const elements = { *[Symbol.iterator]() {} };
    const value = await executor.createValue({ kind: 'sequence', elements }, sequence(INT));
    expect(shared.usage.streams).toBe(1);
    await executor.close();
    expect(shared.usage).toMatchObject({ handles: 0, streams: 0 });
    value[Symbol.dispose]();
  });
});
