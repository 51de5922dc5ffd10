import { inspect } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import { type BuildingBlock, call, intrinsic } from '../../../computations/building-blocks.ts';
import {
  abstract,
  FederatedTypeError,
  func,
  int32,
  isIdentical,
  struct,
  TensorValue,
  type Type,
  uint8,
} from '../../../computations/types/index.ts';
import type { Executor, ExecutorValue } from '../../../executors/executor.ts';
import { opaqueKind } from '../../../executors/leaf/opaque.ts';
import { type Operator, operatorStruct } from '../../../executors/leaf/operator.ts';
import { OperatorExecutor } from '../../../executors/leaf/operators.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import { computation, INT, int, pair, plain } from '../blocks.ts';
import { type TrackedBackend, trackedBackend } from '../tracked-backend.ts';

interface Counter {
  value: number;
}

const key = opaqueKind<Counter>('test_key');
const state = opaqueKind<Counter>('test_state', { linear: true });
const wiped: string[] = [];

/** Declares an operator of exactly one type. */
function operator(uri: string, type: Type, rest: Omit<Operator, 'uri' | 'checkType'>): Operator {
  return {
    uri,
    checkType(given) {
      if (isIdentical(given, type)) return;
      throw new FederatedTypeError('type.not_concrete', `${uri} has type ${String(type)}`);
    },
    ...rest,
  };
}

const makeKeyType = func(INT, struct({ key: key.type, check: INT }));
const useKeyType = func(struct([key.type, INT]), INT);
const startType = func(null, state.type);
const stepType = func(state.type, struct([state.type, INT]));
const bytesType = func(null, uint8(4));

const OPERATORS: readonly Operator[] = [
  operator('test_make_key', makeKeyType, {
    purity: 'random',
    run(argument) {
      if (argument?.kind !== 'tensor') throw new TypeError('no tensor');
      const value = Number(argument.scalar());
      return operatorStruct(
        key.wrap({ value }, () => wiped.push(`key ${value}`)),
        int(value * 2),
      );
    },
  }),
  operator('test_use_key', useKeyType, {
    purity: 'pure',
    run(argument) {
      if (argument?.kind !== 'struct') throw new TypeError('no struct');
      const [first, second] = argument.elements;
      if (second?.kind !== 'tensor') throw new TypeError('no tensor');
      return int(key.unwrap(first).value + Number(second.scalar()));
    },
  }),
  operator('test_start', startType, {
    purity: 'pure',
    run: () => state.wrap({ value: 0 }, () => wiped.push('state')),
  }),
  operator('test_step', stepType, {
    purity: 'linear',
    async run(argument) {
      const { value } = state.unwrap(argument);
      await Promise.resolve();
      if (value >= 2) throw new Error('the protocol is over');
      return operatorStruct(state.wrap({ value: value + 1 }), int(value + 1));
    },
  }),
  operator('test_careless', func(state.type, INT), { purity: 'pure', run: () => int(0) }),
  operator('test_random', bytesType, {
    purity: 'random',
    run: (_, { random }) => new TensorValue('uint8', [4], random(4)),
  }),
  operator('test_liar', func(null, key.type), { purity: 'pure', run: () => int(1) }),
];

let backend: TrackedBackend;
let executor: Executor;

beforeEach(async () => {
  backend = await trackedBackend();
  wiped.length = 0;
  executor = new OperatorExecutor(leafExecutor(backend), OPERATORS, {
    random: (n) => new Uint8Array(n).fill(7),
  });
});

async function callOperator(
  uri: string,
  type: Type,
  argument?: ExecutorValue,
): Promise<ExecutorValue> {
  using fn = await executor.createValue(intrinsic(uri, type), type);
  return await (argument === undefined
    ? executor.createCall(fn)
    : executor.createCall(fn, argument));
}

async function makeKey(value: number): Promise<ExecutorValue> {
  using seed = await executor.createValue(int(value), INT);
  return await callOperator('test_make_key', makeKeyType, seed);
}

describe('opaque values', () => {
  test('go from call to call by handles, beside data', async () => {
    using made = await makeKey(20);
    expect(String(made.type)).toBe('<key=test_key,check=int32>');
    using keyHandle = await executor.createSelection(made, 0);
    using check = await executor.createSelection(made, 1);
    using both = await executor.createStruct([
      { name: null, value: keyHandle },
      { name: null, value: check },
    ]);
    using once = await callOperator('test_use_key', useKeyType, both);
    using twice = await callOperator('test_use_key', useKeyType, both);
    expect(await plain(await once.compute())).toBe(60);
    expect(await plain(await twice.compute())).toBe(60);
  });

  test('are never computed, alone or in a struct, nor given to a tensor computation', async () => {
    using made = await makeKey(1234567);
    using keyHandle = await executor.createSelection(made, 0);
    for (const handle of [made, keyHandle]) {
      const error: unknown = await handle.compute().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ name: 'ExecutionError', code: 'execution.opaque_value' });
      expect(inspect(error, { depth: 10 })).not.toContain('1234567');
    }
    const identity = computation(key.type, (x) => x);
    using fn = await executor.createValue(identity, identity.type);
    await expect(executor.createCall(fn, keyHandle)).rejects.toMatchObject({
      code: 'execution.opaque_value',
    });
  });

  test('print their label and nothing else', () => {
    const value = key.wrap({ value: 1234567 });
    for (const text of [String(value), JSON.stringify(value), inspect(value, { depth: 10 })]) {
      expect(text).toContain('test_key');
      expect(text).not.toContain('1234567');
    }
  });

  test('are opened by their own kind only', () => {
    const same = opaqueKind<Counter>('test_key');
    expect(() => same.unwrap(key.wrap({ value: 1 }))).toThrow(FederatedTypeError);
    expect(() => key.unwrap(int(1))).toThrow(/test_key; got data/);
  });

  test('are wiped when the last handle goes, and not before', async () => {
    const made = await makeKey(5);
    const keyHandle = await executor.createSelection(made, 0);
    made[Symbol.dispose]();
    expect(wiped).toEqual([]);
    keyHandle[Symbol.dispose]();
    expect(wiped).toEqual(['key 5']);
    expect(backend.live()).toBe(0);
  });

  test('are wiped when the executor closes', async () => {
    await makeKey(6);
    await executor.close();
    expect(wiped).toEqual(['key 6']);
  });
});

describe('linear values', () => {
  test('serve one step; the step gives the next one', async () => {
    using first = await callOperator('test_start', startType);
    using stepped = await callOperator('test_step', stepType, first);
    using second = await executor.createSelection(stepped, 0);
    using output = await executor.createSelection(stepped, 1);
    expect(await plain(await output.compute())).toBe(1);
    await expect(callOperator('test_step', stepType, first)).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.linear_reuse',
    });
    using third = await callOperator('test_step', stepType, second);
    expect(String(third.type)).toBe('<test_state,int32>');
  });

  test('of two steps at once only one gets the state', async () => {
    using first = await callOperator('test_start', startType);
    const attempts = await Promise.allSettled([
      callOperator('test_step', stepType, first),
      callOperator('test_step', stepType, first),
    ]);
    expect(attempts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('copies by structs and selections are the same state', async () => {
    using first = await callOperator('test_start', startType);
    using box = await executor.createStruct([{ name: null, value: first }]);
    using copy = await executor.createSelection(box, 0);
    using _stepped = await callOperator('test_step', stepType, copy);
    await expect(callOperator('test_step', stepType, first)).rejects.toMatchObject({
      code: 'execution.linear_reuse',
    });
  });

  test('a step that fails has used its state up', async () => {
    let current = await callOperator('test_start', startType);
    for (let round = 0; round < 2; round++) {
      using stepped = await callOperator('test_step', stepType, current);
      current[Symbol.dispose]();
      current = await executor.createSelection(stepped, 0);
    }
    await expect(callOperator('test_step', stepType, current)).rejects.toThrow(/over/);
    await expect(callOperator('test_step', stepType, current)).rejects.toMatchObject({
      code: 'execution.linear_reuse',
    });
    current[Symbol.dispose]();
  });

  test('are wiped if no step took them, and left to the step that did', async () => {
    const unused = await callOperator('test_start', startType);
    unused[Symbol.dispose]();
    expect(wiped).toEqual(['state']);
    const used = await callOperator('test_start', startType);
    using _stepped = await callOperator('test_step', stepType, used);
    used[Symbol.dispose]();
    expect(wiped).toEqual(['state']);
  });

  test('are refused by an operator that does not say it is linear', async () => {
    using first = await callOperator('test_start', startType);
    const type = func(state.type, INT);
    await expect(callOperator('test_careless', type, first)).rejects.toThrow(/must be 'linear'/);
  });
});

describe('operators', () => {
  test('draw from the given source of randomness', async () => {
    using bytes = await callOperator('test_random', bytesType);
    expect(await plain(await bytes.compute())).toEqual([7, 7, 7, 7]);
  });

  test('draw fresh bytes, any number of them, by default', async () => {
    const big = func(null, uint8(100_000));
    const many = operator('test_many', big, {
      purity: 'random',
      run: (_, { random }) => new TensorValue('uint8', [100_000], random(100_000)),
    });
    const other = new OperatorExecutor(leafExecutor(backend), [many]);
    using fn = await other.createValue(intrinsic('test_many', big), big);
    using result = await other.createCall(fn);
    const value = await result.compute();
    const data = value.kind === 'tensor' ? Array.from(value.data as Uint8Array) : [];
    expect(new Set(data.slice(0, 65_536)).size).toBeGreaterThan(200);
    expect(new Set(data.slice(65_536)).size).toBeGreaterThan(200);
    await other.close();
  });

  test('refuse a type that they do not have before any call', async () => {
    const type = func(int32(2), INT);
    await expect(
      executor.createValue(intrinsic('test_make_key', type), type),
    ).rejects.toMatchObject({ code: 'type.not_concrete' });
  });

  test('refuse an argument that does not fit, an opaque one of another kind too', async () => {
    using first = await callOperator('test_start', startType);
    using one = await executor.createValue(int(1), INT);
    using wrong = await executor.createStruct([
      { name: null, value: first },
      { name: null, value: one },
    ]);
    await expect(callOperator('test_use_key', useKeyType, wrong)).rejects.toMatchObject({
      code: 'type.not_assignable',
    });
  });

  test('fail when they return something else than their type says', async () => {
    await expect(callOperator('test_liar', func(null, key.type))).rejects.toThrow(
      /test_liar returned tensor where its type says test_key/,
    );
    expect(backend.live()).toBe(0);
  });

  test('cannot share a URI', () => {
    const [first] = OPERATORS as readonly [Operator];
    expect(() => new OperatorExecutor(leafExecutor(backend), [first, first])).toThrow(TypeError);
  });

  test('run inside lambdas of the leaf, their opaque values bound by name', async () => {
    const leaf = leafExecutor(backend, { operators: OPERATORS });
    const body: BuildingBlock = computation(INT, (x) =>
      call(intrinsic('test_use_key', useKeyType), pair(keyOf(x), x)),
    );
    function keyOf(x: BuildingBlock): BuildingBlock {
      const made = call(intrinsic('test_make_key', makeKeyType), x);
      return { kind: 'selection', source: made, index: 0, type: abstract('test_key') };
    }
    using fn = await leaf.createValue(body, body.type);
    using x = await leaf.createValue(int(21), INT);
    using result = await leaf.createCall(fn, x);
    expect(await plain(await result.compute())).toBe(42);
    expect(wiped).toEqual(['key 21']);
    await leaf.close();
  });
});
