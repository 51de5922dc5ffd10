import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExecutionError, type TransportErrorCode } from '../../../computations/types/index.ts';
import { ExecutorGroup } from '../../../computations/wire/index.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
} from '../../../executors/remote/calls.ts';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import {
  type Retry,
  RetryingCalls,
  type RetryOptions,
} from '../../../executors/remote/client/retry.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { addConstant, INT, int, plain } from '../blocks.ts';
import { trackedBackend } from '../tracked-backend.ts';
import { ask } from './requests.helpers.ts';

const METHODS = Object.keys(ExecutorGroup.method) as ExecutorMethod[];

/** Calls that fail so often, and then answer. */
class Failing implements ExecutorCalls {
  calls = 0;
  readonly timeouts: number[] = [];
  readonly #failures: number;
  readonly #error: unknown;

  constructor(failures: number, error: unknown) {
    this.#failures = failures;
    this.#error = error;
  }

  call: ExecutorCalls['call'] = async (method, _request, { timeoutMs }: CallOptions) => {
    this.calls += 1;
    this.timeouts.push(timeoutMs);
    if (this.calls <= this.#failures) throw this.#error;
    return create(ExecutorGroup.method[method].output) as never;
  };
}

const down = (code: TransportErrorCode = 'transport.unavailable') => transportError(code, 'down');

describe('retries', () => {
  beforeEach(
    () => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }),
  );
  afterEach(() => {
    // No timer is left, however a call ended.
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  async function outcome(
    method: ExecutorMethod,
    failing: Failing,
    options: RetryOptions = {},
    call: Partial<CallOptions> = {},
  ) {
    const retries: Retry[] = [];
    const calls = new RetryingCalls(failing, {
      random: () => 1,
      onRetry: (retry) => retries.push(retry),
      ...options,
    });
    const asking = ask(calls, method, {}, { timeoutMs: 3_600_000, ...call }).then(
      () => null,
      (error: unknown) => error,
    );
    await vi.runAllTimersAsync();
    return { error: await asking, delays: retries.map(({ delayMs }) => delayMs), retries };
  }

  it.each(METHODS)('%s is repeated only if that does no harm', async (method) => {
    const repeatedAfter = async (code: TransportErrorCode): Promise<boolean> => {
      const failing = new Failing(1, down(code));
      const { error } = await outcome(method, failing);
      expect(error === null).toBe(failing.calls === 2);
      return failing.calls === 2;
    };
    const harmless = ['getExecutor', 'compute', 'dispose'].includes(method);
    expect(await repeatedAfter('transport.unavailable')).toBe(harmless);
    expect(await repeatedAfter('transport.failed_precondition')).toBe(method === 'getExecutor');
    for (const code of [
      'transport.internal',
      'transport.deadline_exceeded',
      'transport.resource_exhausted',
      'transport.cancelled',
      'transport.unauthenticated',
    ] as const) {
      expect(await repeatedAfter(code)).toBe(false);
    }
  });

  it('leave alone what the executor fails with', async () => {
    const error = new ExecutionError('execution.worker_lost', 'lost');
    const failing = new Failing(1, error);
    expect((await outcome('compute', failing)).error).toBe(error);
    expect(failing.calls).toBe(1);
  });

  it('come after waits that double up to the longest', async () => {
    const failing = new Failing(6, down());
    const { error, delays } = await outcome('compute', failing, { maxDelayMs: 20 });
    expect(error).toBeNull();
    expect(delays).toEqual([2, 4, 8, 16, 20, 20]);
    const half = await outcome('compute', new Failing(3, down()), { random: () => 0 });
    expect(half.delays).toEqual([1, 2, 4]);
  });

  it('end after so many attempts, and say how many there were', async () => {
    const failing = new Failing(100, down());
    const { error } = await outcome('getExecutor', failing, { maxAttempts: 4 });
    expect(failing.calls).toBe(4);
    expect(error).toMatchObject({
      code: 'transport.unavailable',
      message: expect.stringContaining('getExecutor failed 4 times, at last: down'),
      cause: { code: 'transport.unavailable' },
    });
    const once = down();
    expect((await outcome('compute', new Failing(9, once), { maxAttempts: 1 })).error).toBe(once);
  });

  it('end in time, whatever the limits are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          maxAttempts: fc.integer({ min: 1, max: 50 }),
          maxTotalMs: fc.nat(100_000),
          firstDelayMs: fc.nat(1_000),
          maxDelayMs: fc.nat(50_000),
        }),
        fc.integer({ min: 1, max: 200_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (options, timeoutMs, random) => {
          const start = performance.now();
          const failing = new Failing(Number.POSITIVE_INFINITY, down());
          const { error, delays } = await outcome(
            'compute',
            failing,
            { ...options, random: () => random },
            { timeoutMs },
          );
          expect(error).toMatchObject({ name: 'TransportError' });
          expect(failing.calls).toBeLessThanOrEqual(options.maxAttempts);
          const limitMs = Math.min(options.maxTotalMs, timeoutMs);
          expect(performance.now() - start).toBeLessThanOrEqual(limitMs + 2);
          for (const delayMs of delays) expect(delayMs).toBeLessThanOrEqual(options.maxDelayMs);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('share the time limit of the call', async () => {
    const failing = new Failing(100, down());
    const { error } = await outcome('compute', failing, { maxAttempts: 99 }, { timeoutMs: 100 });
    expect(error).toMatchObject({ code: 'transport.deadline_exceeded' });
    expect(failing.timeouts[0]).toBe(100);
    expect(failing.timeouts).toEqual([...failing.timeouts].sort((a, b) => b - a));
    expect(failing.timeouts.at(-1)).toBeLessThan(100);
  });

  it('stop waiting when they are cancelled', async () => {
    const failing = new Failing(100, down());
    const controller = new AbortController();
    const calls = new RetryingCalls(failing, { firstDelayMs: 10_000 });
    const asking = ask(calls, 'compute', {}, { signal: controller.signal, timeoutMs: 60_000 });
    const expected = expect(asking).rejects.toThrow('enough');
    await vi.advanceTimersByTimeAsync(1);
    controller.abort(new Error('enough'));
    await expected;
    expect(failing.calls).toBe(1);
  });
});

it.each<[string, RetryOptions]>([
  ['no attempt', { maxAttempts: 0 }],
  ['half an attempt', { maxAttempts: 1.5 }],
  ['endless attempts', { maxAttempts: Number.POSITIVE_INFINITY }],
  ['a negative time', { maxTotalMs: -1 }],
  ['NaN', { firstDelayMs: Number.NaN }],
])('retries are refused with %s', (_what, options) => {
  expect(() => new RetryingCalls(new Failing(0, null), options)).toThrow(
    expect.objectContaining({ code: 'value.out_of_range' }),
  );
});

describe('an executor behind a line that breaks', () => {
  it('is used all the same where that does no harm, and leaves no value behind', async () => {
    const backend = await trackedBackend();
    const host = new ExecutorHost({ makeExecutor: async () => leafExecutor(backend) });
    const lost = new Set<string>();
    const calls = inMemoryCalls(host, {
      // The first of each kind, on its way there; of those that are repeated, the second on its way back.
      fault: ({ method, way }) => {
        const kind = `${method} ${way}`;
        const repeats = method === 'compute' || method === 'dispose';
        if (lost.has(kind) || (!repeats && method !== 'getExecutor')) return undefined;
        if (way === 'response' && method === 'getExecutor') return undefined;
        lost.add(kind);
        return 'unavailable';
      },
    });
    const retries: string[] = [];
    const executor = new RemoteExecutor(
      new RetryingCalls(calls, { onRetry: ({ method }) => retries.push(method) }),
    );
    const fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const x = await executor.createValue(int(1), INT);
    const y = await executor.createCall(fn, x);
    expect(await plain(await y.compute())).toBe(2);
    for (const handle of [fn, x, y]) handle[Symbol.dispose]();
    await executor.flush();
    expect(retries).toEqual(['getExecutor', 'compute', 'compute', 'dispose', 'dispose']);
    expect(backend.live()).toBe(0);
    await executor.close();
    expect(host.usage).toEqual({ executors: 0, values: 0 });
  });

  it('makes no value twice', async () => {
    const backend = await trackedBackend();
    const host = new ExecutorHost({ makeExecutor: async () => leafExecutor(backend) });
    const calls = inMemoryCalls(host, {
      fault: ({ method, way }) =>
        method === 'createValue' && way === 'response' ? 'unavailable' : undefined,
    });
    const executor = new RemoteExecutor(new RetryingCalls(calls));
    await expect(executor.createValue(int(1), INT)).rejects.toMatchObject({
      code: 'transport.unavailable',
    });
    expect(host.usage.values).toBe(1);
    // Its number is not known here, but it goes with the executor.
    await executor.close();
    expect(host.usage).toEqual({ executors: 0, values: 0 });
  });
});
