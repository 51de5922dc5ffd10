import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { int32, struct } from '../../../computations/types/index.ts';
import { BatchRequestSchema } from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import { blockToValueMessage, toValueMessage } from '../../../computations/wire/index.ts';
import type { ExecutorValue } from '../../../executors/executor.ts';
import type { ExecutorCalls, ServedMethod } from '../../../executors/remote/calls.ts';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import { smallMessageBytes } from '../../../executors/remote/messages/sent-values.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { addConstant, appendDigit, failUnlessSmall, INT, int, ints } from '../blocks.ts';
import { backend, watchRejections } from './remote.helpers.ts';
import { Peer, settled } from './requests.helpers.ts';

watchRejections();

let host: ExecutorHost;
/** What crossed, in order. */
let crossed: ServedMethod[];

beforeEach(() => {
  host = new ExecutorHost({ makeExecutor: async () => leafExecutor(backend) });
  crossed = [];
});

function batchingCalls(): ExecutorCalls {
  return inMemoryCalls(host, {
    batches: true,
    fault: ({ method, way }) => {
      if (way === 'request') crossed.push(method);
      return undefined;
    },
  });
}

function taken(): ServedMethod[] {
  return crossed.splice(0);
}

async function number(value: ExecutorValue): Promise<number> {
  const read = await value.compute();
  return read.kind === 'tensor' ? Number(read.data[0]) : Number.NaN;
}

describe('an executor whose calls take batches', () => {
  it('sends an argument with the call of a function, and what is disposed of with the next', async () => {
    const executor = new RemoteExecutor(batchingCalls());
    const fn = await executor.createValue(addConstant(2), addConstant(2).type);
    expect(taken()).toEqual(['getExecutor', 'createValue']);
    for (const x of [1, 5]) {
      using argument = await executor.createValue(int(x), INT);
      using result = await executor.createCall(fn, argument);
      expect(await number(result)).toBe(x + 2);
      expect(taken()).toEqual(['batch', 'compute']);
    }
    // The function, and the last argument and result; those before went with the second call.
    expect(host.usage.values).toBe(3);
    await executor.flush();
    expect(host.usage.values).toBe(1);
    expect(taken()).toEqual(['dispose']);
    await executor.close();
    await host.close();
  });

  it('brings structs, and selections of results, along with what needs them', async () => {
    const executor = new RemoteExecutor(batchingCalls());
    const fn = await executor.createValue(appendDigit, appendDigit.type);
    const one = await executor.createValue(int(1), INT);
    const pair = await executor.createValue(
      { kind: 'struct', elements: [int(4), int(7)] },
      struct({ a: INT, b: INT }),
    );
    const seven = await executor.createSelection(pair, 1);
    pair[Symbol.dispose]();
    const argument = await executor.createStruct([
      { name: null, value: one },
      { name: null, value: seven },
    ]);
    taken();
    const result = await executor.createCall(fn, argument);
    expect(taken()).toEqual(['batch']);
    expect(await number(result)).toBe(17);
    // Made once, though it is needed again.
    expect(await number(seven)).toBe(7);
    expect(taken()).toEqual(['compute', 'compute']);
    for (const value of [one, seven, argument, result]) value[Symbol.dispose]();
    await executor.flush();
    expect(host.usage.values).toBe(1);
    await executor.close();
    await host.close();
  });

  it('makes a value once for all who need it at the same time', async () => {
    const executor = new RemoteExecutor(batchingCalls());
    const fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const argument = await executor.createValue(int(1), INT);
    const results = await Promise.all(
      Array.from({ length: 8 }, () => executor.createCall(fn, argument)),
    );
    expect(await Promise.all(results.map(number))).toEqual(new Array(8).fill(2));
    expect(host.usage.values).toBe(10);
    for (const value of [argument, ...results]) value[Symbol.dispose]();
    await executor.flush();
    expect(host.usage.values).toBe(1);
    await executor.close();
    await host.close();
  });

  it('sends what was given, though it is changed before it goes', async () => {
    const executor = new RemoteExecutor(batchingCalls());
    const data = ints(1, 2, 3);
    const value = await executor.createValue(data, int32(3));
    data.data[0] = 9;
    expect(await value.compute()).toMatchObject({ data: Int32Array.of(1, 2, 3) });
    await executor.close();
    await host.close();
  });

  it('leaves nothing behind of a call that fails, and makes what it needed anew', async () => {
    const executor = new RemoteExecutor(batchingCalls());
    const picky = await executor.createValue(failUnlessSmall, failUnlessSmall.type);
    const fine = await executor.createValue(addConstant(1), addConstant(1).type);
    const argument = await executor.createValue(int(1000), INT);
    await expect(executor.createCall(picky, argument)).rejects.toThrow();
    await settled();
    expect(host.usage.values).toBe(2);
    expect(await number(await executor.createCall(fine, argument))).toBe(1001);
    await executor.close();
    expect(host.usage).toEqual({ executors: 0, values: 0 });
    await host.close();
  });

  it('tells again what it disposed of when the batch fails that was to tell it', async () => {
    const executor = new RemoteExecutor(batchingCalls());
    const picky = await executor.createValue(failUnlessSmall, failUnlessSmall.type);
    const fine = await executor.createValue(addConstant(1), addConstant(1).type);
    const large = await executor.createValue(int(1000), INT);
    (await executor.createCall(fine, large))[Symbol.dispose]();
    await expect(executor.createCall(picky, large)).rejects.toThrow();
    await executor.flush();
    expect(taken().slice(-2)).toEqual(['batch', 'dispose']);
    await executor.close();
    expect(host.usage).toEqual({ executors: 0, values: 0 });
    await host.close();
  });

  it('asks one by one where the other side takes no batches, from the first refusal on', async () => {
    const methods: string[] = [];
    const calls: ExecutorCalls = {
      call: (method, request, options) => {
        methods.push(method);
        return host.call(method, request, options);
      },
      batch: async () => {
        methods.push('batch');
        throw transportError('transport.unimplemented', 'There is no method "batch".');
      },
    };
    const executor = new RemoteExecutor(calls);
    const fn = await executor.createValue(appendDigit, appendDigit.type);
    const argument = await executor.createStruct([
      { name: null, value: await executor.createValue(int(3), INT) },
      { name: null, value: await executor.createValue(int(4), INT) },
    ]);
    methods.splice(0);
    const result = await executor.createCall(fn, argument);
    expect(methods).toEqual(['batch', 'createValue', 'createValue', 'createStruct', 'createCall']);
    expect(await number(result)).toBe(34);
    await number(await executor.createCall(fn, argument));
    expect(methods.filter((method) => method === 'batch')).toHaveLength(1);
    await executor.close();
    expect(host.usage).toEqual({ executors: 0, values: 0 });
    await host.close();
  });

  it('takes back what a batch made that nobody waits for any more', async () => {
    const executor = new RemoteExecutor(batchingCalls());
    const fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const argument = await executor.createValue(int(1), INT);
    const controller = new AbortController();
    const calling = executor.createCall(fn, argument, { signal: controller.signal });
    await Promise.resolve();
    controller.abort(new Error('enough'));
    await expect(calling).rejects.toThrow('enough');
    await settled();
    expect(host.usage.values).toBe(1);
    expect(await number(await executor.createCall(fn, argument))).toBe(2);
    await executor.close();
    await host.close();
  });
});

describe('a batch by hand', () => {
  type Steps = NonNullable<MessageInitShape<typeof BatchRequestSchema>['steps']>;
  const data = (value: number): Steps[number] => ({
    kind: { case: 'value', value: smallMessageBytes(toValueMessage(int(value), INT)) },
  });
  const selection = (id: string): Steps[number] => ({
    kind: { case: 'selection', value: { sourceRef: { id }, index: 0 } },
  });

  async function refused(steps: Steps, code: string): Promise<void> {
    const { calls, executor } = await Peer.of(inMemoryCalls(host, { batches: true }));
    const request = create(BatchRequestSchema, { executor, steps });
    await expect(calls.batch?.(request, { timeoutMs: 10_000 })).rejects.toMatchObject({ code });
    expect(host.usage.values).toBe(0);
    await host.close();
  }

  it('that uses a step after it, or none, is refused', async () => {
    await refused([data(1), selection('#1')], 'transport.invalid_argument');
  });

  it('that names no value is refused', async () => {
    await refused([data(1), selection('#x')], 'transport.invalid_argument');
  });

  it('with a step of no kind is refused', async () => {
    await refused([data(1), {}], 'transport.invalid_argument');
  });

  it('with bytes that are no value is refused', async () => {
    const nonsense = Uint8Array.of(255, 255, 255);
    await refused(
      [data(1), { kind: { case: 'value', value: nonsense } }],
      'transport.invalid_argument',
    );
  });

  it('with very many steps is refused', async () => {
    await refused(new Array(1001).fill(data(1)), 'transport.resource_exhausted');
  });

  it('on an executor that is gone fails as any request does', async () => {
    const calls = inMemoryCalls(host, { batches: true });
    const request = create(BatchRequestSchema, { executor: { id: 'gone' }, steps: [data(1)] });
    await expect(calls.batch?.(request, { timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'transport.failed_precondition',
    });
    await host.close();
  });

  it('disposes of temporary values, and answers with the others in order', async () => {
    const { calls, executor } = await Peer.of(inMemoryCalls(host, { batches: true }));
    const fn = addConstant(3);
    const request = create(BatchRequestSchema, {
      executor,
      steps: [
        { kind: { case: 'value', value: smallMessageBytes(blockToValueMessage(fn)) } },
        { ...data(4), temporary: true },
        {
          kind: {
            case: 'call',
            value: { functionRef: { id: '#0' }, argumentRef: { id: '#1' } },
          },
        },
      ],
      computed: { id: '#2' },
    });
    const { made, value } = (await calls.batch?.(request, { timeoutMs: 10_000 })) ?? {};
    expect(made?.map(({ id }) => id)).toEqual(['1', '3']);
    expect(value).toEqual(toValueMessage(int(7), INT));
    expect(host.usage.values).toBe(2);
    await host.close();
  });
});
