import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lambda, reference } from '../../../computations/building-blocks.ts';
import { struct, TransportError } from '../../../computations/types/index.ts';
import { fromValueMessage } from '../../../computations/wire/index.ts';
import type { Cardinalities, Executor } from '../../../executors/executor.ts';
import { FederatingExecutor } from '../../../executors/placed/federating.ts';
import { ReferenceResolvingExecutor } from '../../../executors/reference-resolving.ts';
import type { ExecutorCalls } from '../../../executors/remote/calls.ts';
import { ExecutorHost, type ExecutorHostOptions } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { addConstant, failUnlessSmall, INT, int } from '../blocks.ts';
import { backend, watchRejections } from './remote.helpers.ts';
import { ask, deferred, ManualExecutor, Peer, settled } from './requests.helpers.ts';

watchRejections();

const stack = ({ clients }: Cardinalities): Executor =>
  clients === undefined
    ? leafExecutor(backend)
    : new ReferenceResolvingExecutor(
        new FederatingExecutor({
          server: leafExecutor(backend),
          clients: Array.from({ length: clients }, () => leafExecutor(backend)),
        }),
      );

function hostOf(
  make: (cardinalities: Cardinalities) => Executor | Promise<Executor> = stack,
  options: Omit<ExecutorHostOptions, 'makeExecutor'> = {},
): ExecutorHost {
  return new ExecutorHost({ makeExecutor: async (each) => make(each), ...options });
}

const failed = (code: string) => expect.objectContaining({ code: `transport.${code}` });

describe('executors of a host', () => {
  it('are the same for the same cardinalities, in any order, and are named after them', async () => {
    const host = hostOf((each) => {
      made.push(each);
      return leafExecutor(backend);
    });
    const made: Cardinalities[] = [];
    const first = await Peer.of(host, { server: 1, clients: 4 });
    const same = await Peer.of(host, { clients: 4, server: 1 });
    const other = await Peer.of(host, { clients: 5 });
    expect(same.executor).toEqual(first.executor);
    expect(other.executor).not.toEqual(first.executor);
    expect(first.executor.id).toMatch(/^clients=4,server=1\/[0-9a-f]+\/1$/);
    expect(other.executor.id).toMatch(/^clients=5\/[0-9a-f]+\/2$/);
    expect((await Peer.of(host)).executor.id).toMatch(/^\/[0-9a-f]+\/3$/);
    expect(made).toEqual([{ clients: 4, server: 1 }, { clients: 5 }, {}]);
    await host.close();
  });

  it('live until all who asked for them have disposed of them', async () => {
    const host = hostOf();
    const first = await Peer.of(host);
    const second = await Peer.of(host);
    await first.leave();
    const id = await second.data(int(1), INT);
    await second.leave();
    expect(host.usage).toEqual({ executors: 0, values: 0 });
    await second.leave();
    await second.dispose(id);
    await expect(second.data(int(1), INT)).rejects.toEqual(failed('failed_precondition'));
    await expect(second.compute(id)).rejects.toThrow(/No executor found for ID '\//);
    expect((await Peer.of(host)).executor).not.toEqual(first.executor);
  });

  it('are made anew after a failure, which all who waited are told', async () => {
    let attempts = 0;
    const making = deferred<Executor>();
    const host = hostOf(() => {
      attempts += 1;
      return attempts === 1 ? making.promise : leafExecutor(backend);
    });
    const waiting = [Peer.of(host), Peer.of(host)];
    making.reject(new RangeError('no memory'));
    for (const each of await Promise.allSettled(waiting)) {
      expect(each).toMatchObject({ reason: { message: 'no memory' } });
    }
    expect(host.usage.executors).toBe(0);
    const peer = await Peer.of(host);
    expect(attempts).toBe(2);
    await peer.data(int(1), INT);
  });

  it('are told of at the first use, where requests are answered at once', async () => {
    const host = hostOf(
      () => {
        throw new RangeError('no memory');
      },
      { answers: 'at-once' },
    );
    const peer = await Peer.of(host);
    const id = await peer.data(int(1), INT);
    await expect(peer.compute(id)).rejects.toThrow(/could not be made: no memory/);
    await expect(peer.compute(id)).rejects.toThrow(/No executor found/);
    expect(host.usage).toEqual({ executors: 0, values: 0 });
  });

  it('are closed if they are made after nobody waits any more', async () => {
    const making = deferred<Executor>();
    const executor = new ManualExecutor(INT, int(1));
    const host = hostOf(() => making.promise);
    const controller = new AbortController();
    const waiting = ask(host, 'getExecutor', {}, { signal: controller.signal });
    await settled();
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await settled();
    expect(host.usage.executors).toBe(0);
    making.resolve(executor);
    await settled();
    expect(executor.closed).toBe(1);
  });

  it('do not keep the host from closing while they are being made', async () => {
    const host = hostOf(() => new Promise<Executor>(() => {}));
    const waiting = Peer.of(host);
    await settled();
    await host.close();
    await host.close();
    await expect(Peer.of(host)).rejects.toEqual(failed('unavailable'));
    expect(() => host.connect()).toThrow(TransportError);
    waiting.catch(() => {});
  });

  it('go down for all with whatever fails as FAILED_PRECONDITION', async () => {
    const host = hostOf();
    const victim = await Peer.of(host);
    const other = await Peer.of(host);
    const id = await other.data(int(1), INT);
    // What it builds on is gone, as in a tree of services.
    const failing = hostOf(() => ({
      ...leafExecutor(backend),
      createValue: async () => {
        throw transportError('transport.failed_precondition', 'gone');
      },
      close: async () => {},
    }));
    const first = await Peer.of(failing);
    const second = await Peer.of(failing);
    await expect(first.data(int(1), INT)).rejects.toThrow('gone');
    await expect(second.data(int(1), INT)).rejects.toThrow(/No executor found/);
    expect(failing.usage.executors).toBe(0);
    // Any other failure harms nobody.
    await expect(victim.compute('999')).rejects.toEqual(failed('not_found'));
    expect(await other.compute(id)).toBeDefined();
    await host.close();
  });
});

describe('values of a host', () => {
  it.each(['when-made', 'at-once'] as const)(
    'are made, used and disposed of (%s)',
    async (answers) => {
      const host = hostOf(stack, { answers });
      const peer = await Peer.of(host);
      const fn = await peer.block(addConstant(2));
      const x = await peer.data(int(40), INT);
      const y = await peer.apply(fn, x);
      const both = await peer.struct(x, y);
      const second = await peer.select(both, 1);
      await peer.dispose(fn, x, y, both);
      const message = await peer.compute(second);
      expect(fromValueMessage(message as never)).toMatchObject({
        value: { data: Int32Array.of(42) },
      });
      expect(host.usage).toEqual({ executors: 1, values: 1 });
      await peer.dispose(second, second, x, '12345', 'garbage');
      expect(host.usage.values).toBe(0);
      await settled();
      expect(backend.live()).toBe(0);
      await host.close();
    },
  );

  it('tell what failed at once, or when they are computed', async () => {
    const patient = await Peer.of(hostOf());
    const fn = await patient.block(failUnlessSmall);
    const x = await patient.data(int(300), INT);
    const overflow = expect.objectContaining({ code: 'execution.sum_overflow' });
    await expect(patient.apply(fn, x)).rejects.toEqual(overflow);

    const hasty = await Peer.of(hostOf(stack, { answers: 'at-once' }));
    const hastyFn = await hasty.block(failUnlessSmall);
    const result = await hasty.apply(hastyFn, await hasty.data(int(300), INT));
    const further = await hasty.struct(result);
    await expect(hasty.compute(further)).rejects.toEqual(overflow);
    await expect(hasty.compute(result)).rejects.toEqual(overflow);
  });

  it('are named before they are made, where only compute waits', async () => {
    const executor = new ManualExecutor(INT, int(7));
    const peer = await Peer.of(hostOf(() => executor, { answers: 'at-once' }));
    const x = await peer.data(int(1), INT);
    const call = await peer.apply(x);
    const computing = peer.compute(call);
    await settled();
    expect(executor.making).toHaveLength(1);
    executor.making[0]?.made.resolve();
    await settled();
    executor.making[1]?.made.resolve();
    expect(fromValueMessage((await computing) as never)).toMatchObject({ kind: 'data' });
  });

  it('are not left behind by a call that is cancelled, or takes too long', async () => {
    for (const obeys of [true, false]) {
      const executor = new ManualExecutor(INT, int(7), { obeys });
      const host = hostOf(() => executor);
      const peer = await Peer.of(host);
      const controller = new AbortController();
      const { signal } = controller;
      const cancelled = peer.data(int(1), INT, { signal });
      const late = peer.data(int(1), INT, { timeoutMs: 1 });
      await expect(late).rejects.toEqual(failed('deadline_exceeded'));
      controller.abort(new Error('enough'));
      await expect(cancelled).rejects.toThrow('enough');
      await settled();
      expect(executor.making.map((each) => each.signal?.aborted)).toEqual([true, true]);
      for (const { made } of executor.making) made.resolve();
      await settled();
      expect({ live: executor.live, ...host.usage }).toEqual({ live: 0, executors: 1, values: 0 });
      // Nothing is begun for a call that was cancelled before.
      await expect(peer.data(int(1), INT, { signal })).rejects.toThrow('enough');
      expect(executor.making).toHaveLength(2);
      await host.close();
    }
  });

  it('that are being made end with their executor, and say so', async () => {
    const executor = new ManualExecutor(INT, int(7), { obeys: true });
    const host = hostOf(() => executor);
    const peer = await Peer.of(host);
    const making = peer.data(int(1), INT);
    await settled();
    await peer.leave();
    await expect(making).rejects.toEqual(failed('failed_precondition'));
    expect({ live: executor.live, closed: executor.closed }).toEqual({ live: 0, closed: 1 });
  });

  it('stay as long as work on them goes on, whoever disposes of them', async () => {
    const executor = new ManualExecutor(INT, int(7));
    const host = hostOf(() => executor);
    const peer = await Peer.of(host);
    const making = peer.data(int(1), INT);
    await settled();
    executor.making[0]?.made.resolve();
    const x = await making;
    const calling = peer.apply(x);
    await settled();
    await peer.dispose(x);
    expect(executor.live).toBe(1);
    executor.making[1]?.made.resolve();
    await calling;
    await settled();
    expect({ live: executor.live, values: host.usage.values }).toEqual({ live: 1, values: 1 });
  });
});

describe('peers of a host', () => {
  it('that are connected cannot reach what others have, though they guess its name', async () => {
    const host = hostOf();
    const alice = await Peer.of(inMemoryCalls(host.connect()));
    const mallory = host.connect();
    const id = await alice.data(int(1), INT);
    const { executor } = alice;
    const valueRef = { id };
    await expect(ask(mallory, 'compute', { executor, valueRef })).rejects.toEqual(
      failed('failed_precondition'),
    );
    await ask(mallory, 'dispose', { executor, valueRef: [valueRef] });
    await ask(mallory, 'disposeExecutor', { executor });
    await ask(host, 'disposeExecutor', { executor });
    expect(await alice.compute(id)).toBeDefined();
    // Even what they ask for alike is not shared.
    const own = await Peer.of(mallory);
    expect(own.executor).not.toEqual(executor);
    await expect(own.compute(id)).rejects.toEqual(failed('not_found'));
    await host.close();
  });

  it('leave nothing behind when their connection ends', async () => {
    const executors: ManualExecutor[] = [];
    const host = hostOf(() => {
      const executor = new ManualExecutor(INT, int(7));
      executors.push(executor);
      return executor;
    });
    const calls = host.connect();
    const peer = await Peer.of(calls);
    await Peer.of(calls);
    await Peer.of(calls, { clients: 2 });
    const making = peer.data(int(1), INT);
    await settled();
    expect(host.usage).toEqual({ executors: 2, values: 1 });
    await calls.close();
    await calls.close();
    await expect(making).rejects.toEqual(failed('failed_precondition'));
    expect(host.usage).toEqual({ executors: 0, values: 0 });
    expect(executors.map(({ closed }) => closed)).toEqual([1, 1]);
    await expect(Peer.of(calls)).rejects.toEqual(failed('unavailable'));
  });

  it('get no more executors, values or data than they may', async () => {
    const host = hostOf(stack, {
      limits: { maxExecutors: 3, maxExecutorsPerPeer: 2, maxValues: 3, maxDataBytes: 500 },
    });
    const exhausted = failed('resource_exhausted');
    const calls = host.connect();
    const peer = await Peer.of(calls, { clients: 1 });
    await Peer.of(calls, { clients: 2 });
    await expect(Peer.of(calls, { clients: 3 })).rejects.toEqual(exhausted);
    const others = host.connect();
    await Peer.of(others, { clients: 1 });
    await expect(Peer.of(others, { clients: 2 })).rejects.toEqual(exhausted);

    const [x, y] = [await peer.data(int(1), INT), await peer.data(int(1), INT)];
    // Of two there is room, and of a third once one is gone.
    await expect(peer.data(int(1), INT)).rejects.toEqual(exhausted);
    await peer.dispose(x);
    const z = await peer.data(int(1), INT);
    await peer.struct(y, z);
    await expect(peer.struct(y)).rejects.toEqual(exhausted);
    await host.close();
  });
});

describe('hostile requests', () => {
  let host: ExecutorHost;
  let calls: ExecutorCalls;
  let peer: Peer;
  beforeEach(async () => {
    host = hostOf();
    calls = host;
    peer = await Peer.of(calls, { clients: 2 });
  });
  afterEach(async () => {
    // Whatever happened, the executor goes on.
    expect(await peer.compute(await peer.data(int(1), INT))).toBeDefined();
    await host.close();
  });

  it.each([
    ['garbage', 'x1'],
    ['nothing', ''],
    ['a negative number', '-1'],
    ['a fraction', '1.5'],
    ['a number in other digits', '٣'],
    ['a number beyond all', '1'.repeat(1000)],
  ])('a reference that is %s is no argument', async (_what, id) => {
    const invalid = failed('invalid_argument');
    await expect(peer.compute(id)).rejects.toEqual(invalid);
    await expect(peer.apply(id)).rejects.toEqual(invalid);
    await expect(peer.select(id, 0)).rejects.toEqual(invalid);
    await expect(peer.struct(id)).rejects.toEqual(invalid);
    await expect(peer.compute(id)).rejects.toMatchObject({
      message: expect.stringMatching(/^.{0,200}$/s),
    });
  });

  it('requests without their parts are no argument', async () => {
    const { executor } = peer;
    const invalid = failed('invalid_argument');
    await expect(ask(calls, 'createValue', { executor })).rejects.toEqual(invalid);
    await expect(ask(calls, 'createCall', { executor })).rejects.toEqual(invalid);
    await expect(ask(calls, 'createSelection', { executor })).rejects.toEqual(invalid);
    await expect(ask(calls, 'createStruct', { executor, element: [{}] })).rejects.toEqual(invalid);
    await expect(ask(calls, 'compute', { executor })).rejects.toEqual(invalid);
    await expect(ask(calls, 'compute', {})).rejects.toEqual(failed('failed_precondition'));
    await ask(calls, 'dispose', {});
    await ask(calls, 'disposeExecutor', {});
  });

  it.each(['constructor', '__proto__', 'toString', 'getexecutor', ''])(
    "there is no method '%s'",
    async (method) => {
      const attempt = calls.call(method as never, {} as never, { timeoutMs: 1000 });
      await expect(attempt).rejects.toEqual(failed('unimplemented'));
    },
  );

  it.each<[string, object, string]>([
    ['a negative one', { placement: { uri: 'clients' }, cardinality: -1 }, 'invalid_argument'],
    ['NaN', { placement: { uri: 'clients' }, cardinality: Number.NaN }, 'invalid_argument'],
    ['a fraction', { placement: { uri: 'clients' }, cardinality: 0.5 }, 'invalid_argument'],
    ['no placement', { cardinality: 1 }, 'invalid_argument'],
    ['a placement of no name', { placement: { uri: '' }, cardinality: 1 }, 'invalid_argument'],
    [
      'a placement of another alphabet',
      { placement: { uri: 'Clients' }, cardinality: 1 },
      'invalid_argument',
    ],
    [
      'a placement of every object',
      { placement: { uri: '__proto__' }, cardinality: 1 },
      'invalid_argument',
    ],
    [
      'more than there is memory for',
      { placement: { uri: 'clients' }, cardinality: 2 ** 31 - 1 },
      'resource_exhausted',
    ],
  ])('cardinalities: %s', async (_what, cardinality, code) => {
    const cardinalities = [cardinality as never];
    await expect(ask(calls, 'getExecutor', { cardinalities })).rejects.toEqual(failed(code));
    expect(host.usage.executors).toBe(1);
  });

  it('cardinalities that are stated twice, or without end', async () => {
    const one = { placement: { uri: 'clients' }, cardinality: 1 };
    await expect(ask(calls, 'getExecutor', { cardinalities: [one, one] })).rejects.toEqual(
      failed('invalid_argument'),
    );
    const many = Array.from({ length: 100_000 }, (_, i) => ({
      placement: { uri: `p${'_'.repeat(i % 30)}` },
      cardinality: 1,
    }));
    await expect(ask(calls, 'getExecutor', { cardinalities: many })).rejects.toEqual(
      failed('resource_exhausted'),
    );
  });

  it('a million values to dispose of', async () => {
    const { executor } = peer;
    const valueRef = Array.from({ length: 1_000_000 }, (_, i) => ({
      $typeName: 'tensorflow_federated.v0.ValueRef' as const,
      id: String(i + 1_000),
    }));
    await ask(calls, 'dispose', { executor, valueRef });
  });

  it.each([-1, 2, 2 ** 31 - 1, Number.NaN])('the element %s of a struct of two', async (index) => {
    const x = await peer.data(int(1), INT);
    const both = await peer.struct(x, x);
    await expect(peer.select(both, index)).rejects.toMatchObject({ code: 'type.wrong_kind' });
  });

  it('structs of structs of structs', async () => {
    const exhausted = failed('resource_exhausted');
    const x = await peer.data(int(1), INT);
    // Two of the same each time: 2^40 of them would need no more than 40 requests.
    const doubling = async (): Promise<void> => {
      let wide = x;
      for (let i = 0; i < 40; i++) wide = await peer.struct(wide, wide);
    };
    await expect(doubling()).rejects.toEqual(exhausted);
    const nesting = async (): Promise<void> => {
      let deep = x;
      for (let i = 0; i < 5000; i++) deep = await peer.struct(deep);
    };
    await expect(nesting()).rejects.toEqual(exhausted);
  });

  it('what has another kind, or does not fit', async () => {
    const x = await peer.data(int(1), INT);
    const fn = await peer.block(addConstant(1));
    const both = await peer.data(
      { kind: 'struct', elements: [int(1), int(2)] },
      struct([INT, INT]),
    );
    await expect(peer.apply(x)).rejects.toMatchObject({ code: 'type.wrong_kind' });
    await expect(peer.apply(fn)).rejects.toMatchObject({ code: 'type.arity' });
    await expect(peer.apply(fn, both)).rejects.toMatchObject({ code: 'type.not_assignable' });
    await expect(peer.select(x, 0)).rejects.toMatchObject({ code: 'type.wrong_kind' });
    await expect(peer.compute(fn)).rejects.toMatchObject({ code: 'execution.unsupported_value' });
    const open = lambda('x', INT, reference('y', INT));
    await expect(peer.block(open)).rejects.toMatchObject({ code: 'type.unbound_reference' });
  });

  it.each([0, -1, Number.NaN])('a time limit of %s is over at once', async (timeoutMs) => {
    const slow = await Peer.of(hostOf(() => new ManualExecutor(INT, int(1))));
    await expect(slow.data(int(1), INT, { timeoutMs })).rejects.toEqual(
      failed('deadline_exceeded'),
    );
  });

  it('a time limit longer than a timer can keep is not over at once', async () => {
    const x = await peer.data(int(1), INT, { timeoutMs: Number.POSITIVE_INFINITY });
    expect(await peer.compute(x, { timeoutMs: 2 ** 40 })).toBeDefined();
  });
});
