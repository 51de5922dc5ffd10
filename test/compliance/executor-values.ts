/** @file Compliance of executors: values, calls and handles. */

import { expect, test } from 'vitest';
import { data, intrinsic } from '../../computations/building-blocks.ts';
import {
  bool,
  float32,
  func,
  int32,
  int64,
  string,
  struct,
  TensorValue,
  type Type,
  uint8,
} from '../../computations/types/index.ts';
import {
  addConstant,
  failUnlessSmall,
  INT,
  int,
  intLiteral,
  ints,
  mixed,
  plain,
  seven,
} from '../executors/blocks.ts';

import { type Make, roundTrip, run } from './executor-run.ts';

export function describeValues(make: Make): void {
  test.each([
    ['bool', bool(2), new TensorValue('bool', [2], Uint8Array.of(1, 0)), [true, false]],
    ['uint8', uint8(2), new TensorValue('uint8', [2], Uint8Array.of(0, 255)), [0, 255]],
    ['int32', int32(), int(-(2 ** 31)), -(2 ** 31)],
    [
      'int64',
      int64(1),
      new TensorValue('int64', [1], BigInt64Array.of(-(2n ** 63n))),
      [-(2n ** 63n)],
    ],
    [
      'float32',
      float32(1, 2),
      new TensorValue('float32', [1, 2], Float32Array.of(-0, 1.5)),
      [[-0, 1.5]],
    ],
    ['string', string(2), new TensorValue('string', [2], ['', 'é']), ['', 'é']],
  ] as const)('keeps %s tensors as they are', async (_, type, value, expected) => {
    expect(await roundTrip(await make(), value, type)).toEqual(expected);
  });

  test('takes literals', async () => {
    expect(await roundTrip(await make(), intLiteral(5), INT)).toBe(5);
  });

  test('keeps structs, nested and empty', async () => {
    const type = struct({ a: INT, b: struct([struct([]), string()]) });
    const text = new TensorValue('string', [], ['x']);
    const empty = { kind: 'struct', elements: [] } as const;
    const value = {
      kind: 'struct',
      elements: [int(1), { kind: 'struct', elements: [empty, text] }],
    } as const;
    expect(await roundTrip(await make(), value, type)).toEqual([1, [[], 'x']]);
  });

  test('makes structs of values and selects from them', async () => {
    const executor = await make();
    using a = await executor.createValue(int(1), INT);
    using b = await executor.createValue(ints(2, 3), int32(2));
    using both = await executor.createStruct([
      { name: 'a', value: a },
      { name: null, value: b },
    ]);
    expect(String(both.type)).toBe('<a=int32,int32[2]>');
    using second = await executor.createSelection(both, 1);
    expect(await plain(await both.compute())).toEqual([1, [2, 3]]);
    expect(await plain(await second.compute())).toEqual([2, 3]);
  });

  test('selects from structs given as data', async () => {
    const executor = await make();
    const value = { kind: 'struct', elements: [int(1), int(2)] } as const;
    using source = await executor.createValue(value, struct([INT, INT]));
    using second = await executor.createSelection(source, 1);
    expect(await plain(await second.compute())).toBe(2);
  });

  test('refuses a selection that is out of range, or from no struct', async () => {
    const executor = await make();
    using one = await executor.createValue(int(1), INT);
    using struct_ = await executor.createStruct([{ name: null, value: one }]);
    const wrongKind = { name: 'FederatedTypeError', code: 'type.wrong_kind' };
    await expect(executor.createSelection(struct_, 1)).rejects.toMatchObject(wrongKind);
    await expect(executor.createSelection(struct_, -1)).rejects.toMatchObject(wrongKind);
    await expect(executor.createSelection(one, 0)).rejects.toMatchObject(wrongKind);
  });

  test('refuses data that nothing resolves, naming it', async () => {
    const executor = await make();
    const named = data('census', INT);
    const attempt = executor.createValue(named, INT).then(async (handle) => {
      using held = handle;
      return held.compute();
    });
    await expect(attempt).rejects.toThrow(/census/);
  });
}

export function describeCalls(make: Make): void {
  test('calls a compiled computation', async () => {
    expect(await run(await make(), addConstant(2), int(40))).toBe(42);
  });

  test('calls a compiled computation without parameter', async () => {
    expect(await run(await make(), seven)).toBe(7);
  });

  test('passes structs by leaves, and gives the result its structure', async () => {
    const argument = {
      kind: 'struct',
      elements: [
        new TensorValue('float32', [2], Float32Array.of(1, 2)),
        { kind: 'struct', elements: [int(3)] },
      ],
    } as const;
    expect(await run(await make(), mixed, argument)).toEqual([[2, 4], [6]]);
  });

  test('selects from the result of a call', async () => {
    const executor = await make();
    const type = mixed.type.parameter as Type;
    const argument = {
      kind: 'struct',
      elements: [
        new TensorValue('float32', [2], Float32Array.of(1, 2)),
        { kind: 'struct', elements: [int(3)] },
      ],
    } as const;
    using fn = await executor.createValue(mixed, mixed.type);
    using given = await executor.createValue(argument, type);
    using result = await executor.createCall(fn, given);
    using twice = await executor.createSelection(result, 1);
    using leaf = await executor.createSelection(twice, 0);
    expect(await plain(await leaf.compute())).toBe(6);
  });

  test('uses a value any number of times, at once too', async () => {
    const executor = await make();
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    using x = await executor.createValue(int(1), INT);
    const results = await Promise.all(Array.from({ length: 20 }, () => executor.createCall(fn, x)));
    const values = await Promise.all(results.map(async (result) => plain(await result.compute())));
    for (const result of results) result[Symbol.dispose]();
    expect(values).toEqual(new Array(20).fill(2));
  });

  test('reports an error of the computation by its code, and goes on', async () => {
    const executor = await make();
    await expect(run(executor, failUnlessSmall, int(300))).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.sum_overflow',
    });
    expect(await run(executor, failUnlessSmall, int(200))).toBe(200);
  });

  test('refuses to call what is no function, and a call with the wrong number of arguments', async () => {
    const executor = await make();
    using x = await executor.createValue(int(1), INT);
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    using none = await executor.createValue(seven, seven.type);
    await expect(executor.createCall(x, x)).rejects.toMatchObject({ code: 'type.wrong_kind' });
    await expect(executor.createCall(fn)).rejects.toMatchObject({ code: 'type.arity' });
    await expect(executor.createCall(none, x)).rejects.toMatchObject({ code: 'type.arity' });
  });

  test('refuses an argument that does not fit, showing both types', async () => {
    const executor = await make();
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const float = new TensorValue('float32', [], Float32Array.of(1));
    using x = await executor.createValue(float, float32());
    await expect(executor.createCall(fn, x)).rejects.toMatchObject({
      code: 'type.not_assignable',
      expected: 'int32',
      given: 'float32',
    });
  });

  test('refuses to compute a function', async () => {
    const executor = await make();
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    await expect(fn.compute()).rejects.toMatchObject({ code: 'execution.unsupported_value' });
  });

  test('refuses an intrinsic that nobody implements, naming it', async () => {
    const executor = await make();
    const type = func(INT, INT);
    const unknown = intrinsic('nobody_knows', type);
    const attempt = run(executor, unknown, int(1));
    await expect(attempt).rejects.toMatchObject({ code: 'execution.unsupported_intrinsic' });
    await expect(attempt).rejects.toThrow(/nobody_knows/);
  });
}

export function describeHandles(make: Make): void {
  test('a struct outlives what it was made of, and a selection outlives its struct', async () => {
    const executor = await make();
    const a = await executor.createValue(int(1), INT);
    const made = await executor.createStruct([{ name: null, value: a }]);
    a[Symbol.dispose]();
    const selected = await executor.createSelection(made, 0);
    made[Symbol.dispose]();
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    using result = await executor.createCall(fn, selected);
    selected[Symbol.dispose]();
    expect(await plain(await result.compute())).toBe(2);
  });

  test('a call goes on when its handles are disposed meanwhile', async () => {
    const executor = await make();
    const fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const x = await executor.createValue(int(1), INT);
    const calling = executor.createCall(fn, x);
    fn[Symbol.dispose]();
    x[Symbol.dispose]();
    using result = await calling;
    const computing = result.compute();
    result[Symbol.dispose]();
    expect(await plain(await computing)).toBe(2);
  });

  test('refuses a disposed handle; disposing twice is allowed', async () => {
    const executor = await make();
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const x = await executor.createValue(int(1), INT);
    x[Symbol.dispose]();
    x[Symbol.dispose]();
    const released = { name: 'ExecutionError', code: 'execution.released' };
    await expect(x.compute()).rejects.toMatchObject(released);
    await expect(executor.createCall(fn, x)).rejects.toMatchObject(released);
    await expect(executor.createStruct([{ name: null, value: x }])).rejects.toMatchObject(released);
    await expect(executor.createSelection(x, 0)).rejects.toMatchObject(released);
  });

  test('refuses a handle of another executor', async () => {
    const executor = await make();
    const other = await make();
    using fn = await executor.createValue(addConstant(1), addConstant(1).type);
    using x = await other.createValue(int(1), INT);
    const unknown = { name: 'ContextError', code: 'context.unknown_value' };
    await expect(executor.createCall(fn, x)).rejects.toMatchObject(unknown);
    await expect(executor.createStruct([{ name: null, value: x }])).rejects.toMatchObject(unknown);
  });

  test('refuses everything after closing; closing twice is allowed', async () => {
    const executor = await make();
    const fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const x = await executor.createValue(int(1), INT);
    const result = await executor.createCall(fn, x);
    await executor.close();
    await executor.close();
    const closed = { name: 'ContextError', code: 'context.closed' };
    await expect(executor.createValue(int(1), INT)).rejects.toMatchObject(closed);
    await expect(executor.createCall(fn, x)).rejects.toMatchObject(closed);
    await expect(executor.createStruct([])).rejects.toMatchObject(closed);
    for (const handle of [fn, x, result]) handle[Symbol.dispose]();
  });

  test('closing frees what handles still hold', async () => {
    const executor = await make();
    const fn = await executor.createValue(addConstant(1), addConstant(1).type);
    const x = await executor.createValue(int(1), INT);
    await executor.createCall(fn, x);
    // afterEach finds no tensor alive.
    await executor.close();
  });
}
