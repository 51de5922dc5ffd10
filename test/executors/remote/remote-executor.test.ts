import { describe, expect, it } from 'vitest';
import { data, intrinsic, lambda, reference } from '../../../computations/building-blocks.ts';
import {
  atClients,
  federated,
  func,
  int32,
  type MaterializedValue,
  sequence,
  struct,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import type { Executor } from '../../../executors/executor.ts';
import type { ExecutorCalls } from '../../../executors/remote/calls.ts';
import {
  RemoteExecutor,
  type RemoteExecutorOptions,
} from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { federatedInts, INT, int, plain } from '../blocks.ts';
import { backend, Recorder, remote, watchRejections } from './remote.helpers.ts';
import { deferred, ManualExecutor, settled } from './requests.helpers.ts';

watchRejections();

const closedError = expect.objectContaining({ code: 'context.closed' });
const failed = (code: string) => expect.objectContaining({ code: `transport.${code}` });

describe('an executor in another process', () => {
  it('is asked for at first use, once', async () => {
    const { executor, recorder } = remote();
    expect(recorder.take()).toEqual([]);
    await Promise.all([executor.createValue(int(1), INT), executor.createValue(int(2), INT)]);
    expect(recorder.take()).toEqual(['getExecutor', 'createValue', 'createValue']);
    await executor.close();
  });

  it('is never asked for if it is never used', async () => {
    const { executor, recorder, host } = remote();
    await executor.close();
    await expect(executor.createValue(int(1), INT)).rejects.toEqual(closedError);
    expect(recorder.take()).toEqual([]);
    expect(host.usage.executors).toBe(0);
  });

  it('is asked for again if that failed', async () => {
    let attempts = 0;
    const { executor } = remote(async () => {
      attempts += 1;
      if (attempts === 1) throw new RangeError('no memory');
      return leafExecutor(backend);
    });
    await expect(executor.createValue(int(1), INT)).rejects.toThrow('no memory');
    using value = await executor.createValue(int(1), INT);
    expect(await plain(await value.compute())).toBe(1);
    await executor.close();
  });

  it('is asked for on behalf of those who still wait when the first one gives up', async () => {
    const making = deferred<Executor>();
    const { executor, recorder } = remote(() => making.promise);
    const controller = new AbortController();
    const first = executor.createValue(int(1), INT, { signal: controller.signal });
    const second = executor.createValue(int(2), INT);
    await settled();
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    making.resolve(leafExecutor(backend));
    expect(await plain(await (await second).compute())).toBe(2);
    expect(recorder.methods.filter((method) => method === 'getExecutor')).toHaveLength(1);
    await executor.close();
  });

  it('is asked for anew after all who waited gave up', async () => {
    let attempts = 0;
    const { executor, host } = remote(async () => {
      attempts += 1;
      return attempts === 1 ? new Promise<Executor>(() => {}) : leafExecutor(backend);
    });
    const controller = new AbortController();
    const first = executor.createValue(int(1), INT, { signal: controller.signal });
    await settled();
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    await settled();
    expect(host.usage.executors).toBe(0);
    await executor.createValue(int(2), INT);
    await executor.close();
    expect(host.usage.executors).toBe(0);
  });

  it('is asked for anew at whatever moment the one who waited gives up', async () => {
    for (let turns = 0; turns < 15; turns++) {
      let attempts = 0;
      const making = deferred<Executor>();
      const { executor, host } = remote(async () => {
        attempts += 1;
        return attempts === 1 ? making.promise : leafExecutor(backend);
      });
      const controller = new AbortController();
      const first = executor.createValue(int(1), INT, { signal: controller.signal });
      const gaveUp = expect(first).rejects.toThrow('enough');
      await settled();
      controller.abort(new Error('enough'));
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const creating = executor.createValue(int(2), INT);
      await settled();
      // In time it still joins the first one's request.
      making.resolve(leafExecutor(backend));
      using second = await creating;
      expect(await plain(await second.compute())).toBe(2);
      await gaveUp;
      await executor.close();
      expect(host.usage.executors).toBe(0);
    }
  });
});

describe('values in another process', () => {
  it('are disposed of in batches, or after a while', async () => {
    const { executor, recorder, host } = remote(undefined, {
      disposeBatchSize: 3,
      disposeDelayMs: 1,
    });
    const values = await Promise.all([1, 2, 3, 4].map((n) => executor.createValue(int(n), INT)));
    recorder.take();
    for (const value of values) value[Symbol.dispose]();
    expect(recorder.take()).toEqual(['dispose']);
    while (recorder.methods.length === 0) await settled();
    expect(recorder.take()).toEqual(['dispose']);
    await executor.flush();
    expect(host.usage).toEqual({ executors: 1, values: 0 });
    await executor.close();
  });

  it('are given back when the executor closes, though others use it too', async () => {
    const host = new ExecutorHost({ makeExecutor: async () => leafExecutor(backend) });
    const calls = inMemoryCalls(host);
    const [first, second] = [new RemoteExecutor(calls), new RemoteExecutor(calls)];
    await first.createValue(int(1), INT);
    using kept = await second.createValue(int(2), INT);
    (await first.createValue(int(3), INT))[Symbol.dispose]();
    await first.close();
    expect(host.usage).toEqual({ executors: 1, values: 1 });
    expect(await plain(await kept.compute())).toBe(2);
    await second.close();
    expect(host.usage).toEqual({ executors: 0, values: 0 });
  });

  it('are told of again at the end, if they could not be disposed of', async () => {
    const host = new ExecutorHost({ makeExecutor: async () => leafExecutor(backend) });
    const recorder = new Recorder(inMemoryCalls(host));
    const other = new RemoteExecutor(inMemoryCalls(host));
    await other.createValue(int(1), INT);
    const executor = new RemoteExecutor(recorder, { disposeBatchSize: 1 });
    const value = await executor.createValue(int(1), INT);
    recorder.before = () => {
      throw transportError('transport.unavailable', 'down');
    };
    value[Symbol.dispose]();
    await executor.flush();
    expect(host.usage.values).toBe(2);
    recorder.before = () => {};
    await executor.close();
    expect(host.usage.values).toBe(1);
    await other.close();
  });

  it('do not keep the executor from closing, whatever became of the other side', async () => {
    for (const code of ['transport.unavailable', 'transport.internal'] as const) {
      const { executor, recorder } = remote();
      await executor.createValue(int(1), INT);
      recorder.before = () => {
        throw transportError(code, 'down');
      };
      await executor.close();
      await executor.close();
    }
    const { executor, recorder } = remote(undefined, { closeTimeoutMs: 5 });
    await executor.createValue(int(1), INT);
    recorder.before = () => new Promise(() => {});
    await executor.close();
  });

  it('are gone with their executor, and are not looked for in another one', async () => {
    const { executor, host, recorder } = remote();
    using x = await executor.createValue(int(1), INT);
    const gone = failed('failed_precondition');
    // Somebody else disposes of the executor.
    const calls = inMemoryCalls(host);
    const request = recorder.requests[1] as { executor: never };
    await calls.call(
      'disposeExecutor',
      {
        $typeName: 'tensorflow_federated.v0.DisposeExecutorRequest',
        executor: request.executor,
      },
      { timeoutMs: 1000 },
    );
    await expect(x.compute()).rejects.toEqual(gone);
    recorder.take();
    await expect(x.compute()).rejects.toEqual(gone);
    await expect(executor.createValue(int(1), INT)).rejects.toEqual(gone);
    await executor.close();
    expect(recorder.take()).toEqual([]);
  });

  it('that are read must be what their type says', async () => {
    const wrong = { code: 'execution.wrong_value' };
    const lying = (claimed: Type, content: MaterializedValue, truth: Type) => {
      const manual = new ManualExecutor(truth, content);
      const { executor } = remote(async () => manual, { cardinalities: { clients: 2 } });
      const attempt = executor.createValue(data('d', claimed), claimed);
      return { manual, executor, attempt };
    };
    const two = new TensorValue('int32', [2], Int32Array.of(1, 2));
    const sequenceOfTwo = { kind: 'sequence', elements: [two] } as const;
    for (const [claimed, content, truth] of [
      [INT, two, int32(2)],
      [int32(3), two, int32(2)],
      [struct([INT]), int(1), INT],
      [struct([INT, INT]), { kind: 'struct', elements: [int(1)] }, struct([INT])],
      [sequence(INT), sequenceOfTwo, sequence(int32(2))],
      [atClients(INT), federatedInts(1, 2, 3), atClients(INT)],
      [atClients(INT), federatedInts(1), federated(INT, 'server', true)],
      [federated(INT, 'clients', true), federatedInts(), atClients(INT)],
    ] as [Type, MaterializedValue, Type][]) {
      const { manual, executor, attempt } = lying(claimed, content, truth);
      await settled();
      manual.making[0]?.made.resolve();
      using value = await attempt;
      await expect(value.compute()).rejects.toMatchObject(wrong);
      await executor.close();
    }
    // How many agree is the other side's to say: TensorFlow Federated never says that all do.
    for (const [claimed, content, truth, expected] of [
      [atClients(INT), federatedInts(7), federated(INT, 'clients', true), [7, 7]],
      [federated(INT, 'clients', true), federatedInts(7, 7), atClients(INT), [7]],
      [int32(null), two, int32(2), [1, 2]],
      [
        struct({ a: atClients(INT), b: INT }),
        { kind: 'struct', elements: [federatedInts(7), int(1)] },
        struct({ a: federated(INT, 'clients', true), b: INT }),
        [[7, 7], 1],
      ],
    ] as [Type, MaterializedValue, Type, unknown][]) {
      const { manual, executor, attempt } = lying(claimed, content, truth);
      await settled();
      manual.making[0]?.made.resolve();
      using value = await attempt;
      expect(await plain(await value.compute())).toEqual(expected);
      await executor.close();
    }
  });
});

describe('work in another process', () => {
  const waiting = async (options: RemoteExecutorOptions = {}) => {
    const manual = new ManualExecutor(INT, int(7));
    const { executor, host } = remote(async () => manual, options);
    const making = executor.createValue(int(1), INT);
    await settled();
    manual.making[0]?.made.resolve();
    return { manual, executor, host, x: await making };
  };

  it('stops when its signal is aborted, and leaves nothing behind', async () => {
    const { manual, executor, host } = await waiting();
    const controller = new AbortController();
    const attempt = executor.createValue(int(2), INT, { signal: controller.signal });
    await settled();
    controller.abort(new Error('enough'));
    await expect(attempt).rejects.toThrow('enough');
    await settled();
    expect(manual.making[1]?.signal?.aborted).toBe(true);
    expect({ live: manual.live, values: host.usage.values }).toEqual({ live: 1, values: 1 });
    await executor.close();
  });

  it('stops when it takes too long', async () => {
    const { manual, executor, host } = await waiting({ computeTimeoutMs: 50 });
    await expect(executor.createValue(int(2), INT)).rejects.toEqual(failed('deadline_exceeded'));
    await settled();
    expect(manual.making[1]?.signal?.aborted).toBe(true);
    expect(host.usage.values).toBe(1);
    await executor.close();
  });

  it('stops when the executor closes', async () => {
    const { manual, executor, host } = await waiting();
    const attempt = executor.createValue(int(2), INT);
    await settled();
    const closing = executor.close();
    await expect(attempt).rejects.toEqual(closedError);
    await closing;
    await settled();
    expect({ ...host.usage, live: manual.live, closed: manual.closed }).toEqual({
      executors: 0,
      values: 0,
      live: 0,
      closed: 1,
    });
  });

  it('has a limit, whatever the transport does', async () => {
    const silent: ExecutorCalls = { call: () => new Promise(() => {}) };
    const executor = new RemoteExecutor(silent, { callTimeoutMs: 5 });
    await expect(executor.createValue(int(1), INT)).rejects.toEqual(failed('deadline_exceeded'));
    await executor.close();
  });

  it('takes back what comes when nobody waits for it any more', async () => {
    const host = new ExecutorHost({ makeExecutor: async () => leafExecutor(backend) });
    const held = deferred<void>();
    // A transport that hears of no cancellation.
    const deaf: ExecutorCalls = {
      async call(method, request) {
        const response = await host.call(method, request, { timeoutMs: 1000 });
        if (method === 'createValue') await held.promise;
        return response;
      },
    };
    const executor = new RemoteExecutor(deaf, { computeTimeoutMs: 5 });
    await expect(executor.createValue(int(1), INT)).rejects.toEqual(failed('deadline_exceeded'));
    expect(host.usage.values).toBe(1);
    held.resolve();
    await settled();
    expect(host.usage.values).toBe(0);
    await executor.close();
  });

  it('tells what failed when it is read, if the service answers at once', async () => {
    const { executor } = remote(undefined, { answers: 'at-once' });
    const type = func(INT, INT);
    using fn = await executor.createValue(intrinsic('nobody_knows', type), type);
    using x = await executor.createValue(int(1), INT);
    using y = await executor.createCall(fn, x);
    await expect(y.compute()).rejects.toMatchObject({ code: 'execution.unsupported_intrinsic' });
    await executor.close();
  });

  it('refuses a lambda with a name that nothing binds, over there', async () => {
    const { executor } = remote();
    const open = lambda('x', INT, reference('y', INT));
    await expect(executor.createValue(open, open.type)).rejects.toMatchObject({
      code: 'type.unbound_reference',
    });
    await executor.close();
  });
});
