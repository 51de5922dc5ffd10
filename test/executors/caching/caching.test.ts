import { expect, test } from 'vitest';
import {
  type BuildingBlock,
  data,
  intrinsic,
  lambda,
} from '../../../computations/building-blocks.ts';
import { loadBackend } from '../../../computations/tensors/index.ts';
import {
  abstract,
  atClients,
  atServer,
  func,
  int32,
  type MaterializedValue,
  sequence,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import { CachingExecutor, type CachingOptions } from '../../../executors/caching/caching.ts';
import type { Executor, ExecutorValue } from '../../../executors/executor.ts';
import type { Operator } from '../../../executors/leaf/operator.ts';
import { OperatorExecutor } from '../../../executors/leaf/operators.ts';
import { ReferenceResolvingExecutor } from '../../../executors/reference-resolving.ts';
import { leafExecutor, localExecutorFactory } from '../../../runtime/index.ts';
import { run } from '../../compliance/executor-run.ts';
import {
  addConstant,
  callIntrinsic,
  failUnlessSmall,
  federatedInts,
  INT,
  int,
  ints,
  mapComputation,
  seven,
} from '../blocks.ts';
import { PassThroughExecutor } from '../pass-through.ts';
import { trackedBackend } from '../tracked-backend.ts';

const plusOne = addConstant(1);

interface Spied {
  readonly executor: CachingExecutor;
  readonly inner: PassThroughExecutor;
  count(method: string): number;
}

async function spied(
  options: CachingOptions = {},
  target?: Executor,
  wrap = (executor: Executor) => new PassThroughExecutor(executor),
): Promise<Spied> {
  const inner = wrap(target ?? leafExecutor(await loadBackend()));
  const executor = new CachingExecutor(inner, options);
  const count = (method: string) =>
    inner.calls.filter((call) => call.split(' ')[0] === method).length;
  return { executor, inner, count };
}

async function callOn(
  executor: Executor,
  fn: BuildingBlock,
  value: MaterializedValue,
  type: Type,
): Promise<MaterializedValue> {
  using callee = await executor.createValue(fn, fn.type);
  using given = await executor.createValue(value, type);
  using result = await executor.createCall(callee, given);
  return await result.compute();
}

test('makes an equal call once, also for arrays and structs', async () => {
  const { executor, inner, count } = await spied();
  for (const value of [int(1), int(1), int(1)]) {
    expect(String(await callOn(executor, plusOne, value, INT))).toBe('2');
  }
  expect(inner.calls).toEqual(['createValue compiled', 'createValue tensor', 'createCall']);
  expect(String(await callOn(executor, plusOne, int(2), INT))).toBe('3');
  expect(count('createCall')).toBe(2);

  for (let i = 0; i < 2; i++) {
    using vector = await executor.createValue(ints(1, 2, 3), int32(3));
    using pair = await executor.createStruct([
      { name: 'a', value: vector },
      { name: null, value: vector },
    ]);
    using selected = await executor.createSelection(pair, 1);
    expect(String(await selected.compute())).toBe('[1, 2, 3]');
  }
  expect(count('createStruct')).toBe(1);
  expect(count('createSelection')).toBe(1);
  await executor.close();
});

test('tells values apart that differ in dtype, shape, names, type or place', async () => {
  const { executor, count } = await spied();
  const bytes = new TensorValue('uint8', [4], Uint8Array.of(1, 0, 0, 0));
  for (const [value, type] of [
    [int(1), INT],
    [ints(1), int32(1)],
    [ints(1), int32(null)],
    [bytes, { kind: 'tensor', dtype: 'uint8', shape: [4] }],
    [new TensorValue('string', [2], ['ab', 'c']), { kind: 'tensor', dtype: 'string', shape: [2] }],
    [new TensorValue('string', [2], ['a', 'bc']), { kind: 'tensor', dtype: 'string', shape: [2] }],
  ] as [MaterializedValue, Type][]) {
    using _ = await executor.createValue(value, type);
  }
  expect(count('createValue')).toBe(6);
  using one = await executor.createValue(int(1), INT);
  for (const name of ['a', 'b', null]) {
    using _ = await executor.createStruct([{ name, value: one }]);
  }
  expect(count('createStruct')).toBe(3);
  await executor.close();
});

test('keeps its values apart from the arrays of the caller', async () => {
  const { executor } = await spied();
  const mine = Int32Array.of(1, 2);
  const value = () => new TensorValue('int32', [2], mine);
  using first = await executor.createValue(value(), int32(2));
  mine[0] = 9;
  expect(String(await first.compute())).toBe('[1, 2]');
  const result = (await first.compute()) as TensorValue<'int32'>;
  result.data[0] = 5;
  expect(String(await first.compute())).toBe('[1, 2]');
  using second = await executor.createValue(ints(1, 2), int32(2));
  expect(String(await second.compute())).toBe('[1, 2]');
  await executor.close();
});

test('never keeps a failure, and drops nothing else for it', async () => {
  const { executor, count } = await spied();
  await callOn(executor, plusOne, int(1), INT);
  const before = executor.size;
  for (let i = 0; i < 2; i++) {
    await expect(callOn(executor, failUnlessSmall, int(999), INT)).rejects.toThrow();
  }
  expect(count('createCall')).toBe(3);
  expect(executor.size).toBe(before + 2);
  await callOn(executor, plusOne, int(1), INT);
  expect(count('createCall')).toBe(3);
  await executor.close();
});

test('makes one request for equal ones on their way, and fails both if it fails', async () => {
  let fail: (reason: Error) => void = () => {};
  const { executor, count } = await spied(
    {},
    undefined,
    (target) =>
      new (class extends PassThroughExecutor {
        override createCall(): Promise<ExecutorValue> {
          this.calls.push('createCall');
          return new Promise((_, reject) => {
            fail = reject;
          });
        }
      })(target),
  );
  using fn = await executor.createValue(plusOne, plusOne.type);
  using x = await executor.createValue(int(1), INT);
  const attempts = [executor.createCall(fn, x), executor.createCall(fn, x)];
  const outcomes = Promise.allSettled(attempts);
  await Promise.resolve();
  fail(new Error('lost'));
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(count('createCall')).toBe(1);
  expect(executor.size).toBe(2);
  await executor.close();
});

test('one who gives up does not take the result from another', async () => {
  let signalBelow: AbortSignal | undefined;
  let finish: () => void = () => {};
  const { executor } = await spied(
    {},
    undefined,
    (target) =>
      new (class extends PassThroughExecutor {
        override async createCall(...args: Parameters<Executor['createCall']>) {
          signalBelow = args[2]?.signal;
          await new Promise<void>((resolve) => {
            finish = resolve;
          });
          return super.createCall(args[0], args[1]);
        }
      })(target),
  );
  using fn = await executor.createValue(plusOne, plusOne.type);
  using x = await executor.createValue(int(1), INT);
  const impatient = new AbortController();
  const first = executor.createCall(fn, x, { signal: impatient.signal });
  const second = executor.createCall(fn, x);
  impatient.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  expect(signalBelow?.aborted).toBe(false);
  finish();
  using result = await second;
  expect(String(await result.compute())).toBe('2');

  const alone = new AbortController();
  using y = await executor.createValue(int(2), INT);
  const third = executor.createCall(fn, y, { signal: alone.signal });
  alone.abort(new Error('enough'));
  await expect(third).rejects.toThrow('enough');
  expect(signalBelow?.aborted).toBe(true);
  finish();
  const fourth = executor.createCall(fn, y);
  await Promise.resolve();
  finish();
  using again = await fourth;
  expect(String(await again.compute())).toBe('3');
  await executor.close();
});

test('keeps no more than it may, and frees what it drops', async () => {
  const backend = await trackedBackend();
  const { executor, count } = await spied({ maxEntries: 4 }, leafExecutor(backend));
  for (let i = 0; i < 50; i++) {
    await callOn(executor, plusOne, int(i), INT);
    expect(executor.size).toBeLessThanOrEqual(4);
    expect(backend.live()).toBeLessThanOrEqual(4);
  }
  // The function was used all the time, so it is among those that were kept.
  expect(count('createValue')).toBe(51);
  using held = await executor.createValue(int(1000), INT);
  for (let i = 0; i < 10; i++) await callOn(executor, plusOne, int(i), INT);
  expect(String(await held.compute())).toBe('1000');
  await executor.close();
  expect(backend.live()).toBe(0);
  expect(executor.size).toBe(0);
  expect(() => new CachingExecutor(executor, { maxEntries: 0 })).toThrow(RangeError);
});

const counted = (purity: Operator['purity']): Operator & { runs: number } => ({
  uri: `count_${purity}`,
  purity,
  runs: 0,
  checkType: () => {},
  run() {
    this.runs++;
    return int(this.runs);
  },
});

test('calls what is random, linear or unknown each time', async () => {
  const operators = (['pure', 'random', 'linear'] as const).map(counted);
  const inner = new OperatorExecutor(leafExecutor(await loadBackend()), operators);
  const known = new CachingExecutor(new ReferenceResolvingExecutor(inner), { operators });
  for (const operator of operators) {
    const type = func(INT, INT);
    const direct = intrinsic(operator.uri, type);
    const nested = lambda('x', INT, callIntrinsic(operator.uri, [literalOne], INT));
    for (const fn of [direct, nested, direct, nested]) await callOn(known, fn, int(1), INT);
  }
  expect(operators.map(({ runs }) => runs)).toEqual([2, 4, 4]);
  const unaware = new CachingExecutor(inner);
  const pure = operators[0] as (typeof operators)[0];
  for (let i = 0; i < 3; i++)
    await callOn(unaware, intrinsic(pure.uri, func(INT, INT)), int(1), INT);
  expect(pure.runs).toBe(5);
  await known.close();
});

const literalOne: BuildingBlock = { kind: 'literal', value: int(1), type: INT };

test('evaluates at placements anew, and finds named data anew', async () => {
  const backend = await loadBackend();
  let found = 0;
  const factory = localExecutorFactory({
    backend,
    caching: {},
    dataSource: () => ({ resolve: () => int(++found) }),
    wrapLeaf: (leaf, placement) => {
      const spy = new PassThroughExecutor(leaf);
      if (placement === 'clients') leaves.push(spy);
      return spy;
    },
  });
  const leaves: PassThroughExecutor[] = [];
  const executor = await factory.createExecutor({ clients: 1 });
  const evaluate = lambda(
    null,
    null,
    callIntrinsic('federated_eval_at_clients', [seven], atClients(INT)),
  );
  const named = data('temperature', atServer(INT));
  const apply = lambda(
    null,
    null,
    callIntrinsic('federated_apply', [plusOne, named], atServer(INT)),
  );
  for (let i = 0; i < 3; i++) {
    expect(await run(executor, evaluate)).toEqual([7]);
    expect(await run(executor, apply)).toEqual([i + 2]);
    expect(await run(executor, mapComputation(plusOne), federatedInts(1))).toEqual([2]);
  }
  const calls = leaves.flatMap(({ calls: made }) => made).filter((call) => call === 'createCall');
  // Three evaluations, and a single map.
  expect(calls).toHaveLength(4);
  await factory.close();
});

test('never keeps a sequence that can be read once, nor an opaque value', async () => {
  const { executor, count } = await spied();
  const once = (): MaterializedValue => ({ kind: 'sequence', elements: [int(1)].values() });
  for (let i = 0; i < 2; i++) {
    using value = await executor.createValue(once(), sequence(INT));
    const read = await value.compute();
    expect(read.kind).toBe('sequence');
  }
  expect(count('createValue')).toBe(2);
  expect(executor.size).toBe(0);
  await executor.close();

  const type = func(null, abstract('secret'));
  const makeSecret = intrinsic('federated_broadcast', type);
  const secrets: unknown[] = [];
  const target = new PassThroughExecutor({
    createValue: async () => handle(type),
    createCall: async () => {
      const made = handle(type.result);
      secrets.push(made);
      return made;
    },
    createStruct: async () => handle(type),
    createSelection: async () => handle(type),
    close: async () => {},
  });
  const caching = new CachingExecutor(target);
  using fn = await caching.createValue(makeSecret, type);
  using _a = await caching.createCall(fn);
  using _b = await caching.createCall(fn);
  expect(secrets).toHaveLength(2);
});

function handle(type: Type): ExecutorValue {
  return { type, compute: async () => int(0), [Symbol.dispose]: () => {} };
}

test('does not take what was refused or allowed by its origin for something else', async () => {
  const { executor, count } = await spied();
  const type = func(INT, INT);
  const plain = intrinsic('federated_aggregate', type);
  for (const block of [plain, { ...plain, origin: 'federated_sum' }, plain]) {
    using _ = await executor.createValue(block, type);
  }
  expect(count('createValue')).toBe(2);
  await executor.close();
});
