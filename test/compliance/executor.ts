/**
 * @file What every executor must do, whatever it is made of. A stack adds itself with one line:
 * `describeExecutor('composing', setup)`. What a stack cannot do is skipped with its reason.
 */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  data,
  intrinsic,
  lambda,
  literal,
  placement,
  reference,
  selection,
} from '../../computations/building-blocks.ts';
import {
  atClients,
  atServer,
  bool,
  federated,
  float32,
  func,
  int32,
  int64,
  type MaterializedValue,
  sequence,
  string,
  struct,
  structOf,
  TensorValue,
  type Type,
  uint8,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorInput, ExecutorValue } from '../../executors/executor.ts';
import {
  add,
  addConstant,
  appendDigit,
  callIntrinsic,
  computation,
  digitsAtServer,
  failUnlessSmall,
  federatedInts,
  INT,
  identity,
  int,
  intLiteral,
  ints,
  mapComputation,
  mixed,
  pair,
  plain,
  seven,
  unnamed,
} from '../executors/blocks.ts';

export interface ExecutorFixture {
  /** A new executor with so many clients. */
  create(clients: number): Promise<Executor>;
  /** Number of tensors that its executors hold, if that can be told. */
  liveTensors?(): number;
}

/** What an executor may lack: each names a group of tests. */
export type ExecutorFeature =
  /** Lambdas, blocks, references, calls, struct and selection blocks. */
  | 'syntax'
  | 'sequences'
  /** Values at clients and server, and the intrinsics on them. */
  | 'placed';

export interface ComplianceOptions {
  /** Groups that do not apply, each with the reason. */
  readonly skip?: { readonly [F in ExecutorFeature]?: string };
}

export function describeExecutor(
  name: string,
  setup: () => Promise<ExecutorFixture>,
  { skip = {} }: ComplianceOptions = {},
): void {
  const group = (feature: ExecutorFeature, title: string, body: () => void): void => {
    const reason = skip[feature];
    if (reason === undefined) describe(title, body);
    else describe.skip(`${title} (${reason})`, body);
  };

  describe(`executor compliance: ${name}`, () => {
    let fixture: ExecutorFixture;
    let open: Executor[] = [];
    const make = async (clients = 3): Promise<Executor> => {
      const executor = await fixture.create(clients);
      open.push(executor);
      return executor;
    };
    beforeEach(async () => {
      fixture = await setup();
      open = [];
    });
    afterEach(async () => {
      // Every test disposes its handles, so nothing may be left, even before the executor closes.
      expect(fixture.liveTensors?.() ?? 0).toBe(0);
      await Promise.all(open.map((executor) => executor.close()));
    });

    describe('values', () => describeValues(make));
    describe('calls', () => describeCalls(make));
    describe('handles', () => describeHandles(make));
    group('syntax', 'syntax', () => describeSyntax(make));
    group('sequences', 'sequences', () => describeSequences(make));
    group('placed', 'placed values', () => describePlaced(make));
  });
}

type Make = (clients?: number) => Promise<Executor>;

/** Calls a computation on data and brings the result out as plain data; disposes every handle. */
export async function run(
  executor: Executor,
  fn: BuildingBlock,
  argument?: MaterializedValue,
): Promise<unknown> {
  const type = fn.type;
  if (type.kind !== 'function') throw new TypeError('run takes a function');
  using callee = await executor.createValue(fn, type);
  if (argument === undefined || type.parameter === null) {
    using result = await executor.createCall(callee);
    return plain(await result.compute());
  }
  using given = await executor.createValue(argument, type.parameter);
  using result = await executor.createCall(callee, given);
  return plain(await result.compute());
}

async function roundTrip(executor: Executor, value: ExecutorInput, type: Type): Promise<unknown> {
  using handle = await executor.createValue(value, type);
  expect(String(handle.type)).toBe(String(type));
  return plain(await handle.compute());
}

function describeValues(make: Make): void {
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

function describeCalls(make: Make): void {
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

function describeHandles(make: Make): void {
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

function describeSyntax(make: Make): void {
  const plusOne = addConstant(1);
  const x = reference('x', INT);

  test('calls a lambda', async () => {
    expect(await run(await make(), lambda('x', INT, call(plusOne, x)), int(1))).toBe(2);
    expect(await run(await make(), lambda(null, null, call(plusOne, intLiteral(4))))).toBe(5);
  });

  test('the inner binding of a name counts', async () => {
    const inner = lambda('x', INT, call(plusOne, x));
    const outer = lambda('x', INT, pair(call(inner, intLiteral(10)), x));
    expect(await run(await make(), outer, int(1))).toEqual([11, 1]);
  });

  test('a lambda sees the scope where it stands, not the one where it is called', async () => {
    const adder = lambda('y', INT, call(add, pair(x, reference('y', INT))));
    const body = block(
      [
        { name: 'f', value: adder },
        { name: 'x', value: intLiteral(1000) },
      ],
      pair(call(reference('f', adder.type), intLiteral(1)), x),
    );
    expect(await run(await make(), lambda('x', INT, body), int(20))).toEqual([21, 1000]);
  });

  test('a lambda that is returned keeps what it captured', async () => {
    const adder = lambda('y', INT, call(add, pair(x, reference('y', INT))));
    const curried = lambda('x', INT, adder);
    const body = lambda('x', INT, call(call(curried, call(plusOne, x)), intLiteral(100)));
    expect(await run(await make(), body, int(1))).toBe(102);
  });

  test('later locals see earlier ones and may take their names', async () => {
    const body = block(
      [
        { name: 'x', value: call(plusOne, x) },
        { name: 'x', value: call(plusOne, x) },
      ],
      x,
    );
    expect(await run(await make(), lambda('x', INT, body), int(1))).toBe(3);
  });

  test('selects from structs in syntax and from literals', async () => {
    const made = selection(pair(x, call(plusOne, x)), 1);
    expect(await run(await make(), lambda('x', INT, made), int(1))).toBe(2);
    const constants = literal({ kind: 'struct', elements: [int(8), int(9)] }, struct([INT, INT]));
    expect(await run(await make(), lambda(null, null, selection(constants, 1)))).toBe(9);
  });

  test('refuses a name that nothing binds', async () => {
    const executor = await make();
    const attempt = run(executor, lambda('x', INT, reference('stranger', INT)), int(1));
    await expect(attempt).rejects.toMatchObject({ code: 'type.unbound_reference' });
    await expect(attempt).rejects.toThrow(/stranger/);
  });

  test('frees locals of a body that fails', async () => {
    const executor = await make();
    const body = block(
      [{ name: 'kept', value: call(plusOne, x) }],
      call(failUnlessSmall, call(addConstant(1000), reference('kept', INT))),
    );
    await expect(run(executor, lambda('x', INT, body), int(1))).rejects.toThrow(/sum_overflow/);
  });
}

function describeSequences(make: Make): void {
  const type = sequence(INT);
  const three = (): MaterializedValue => ({ kind: 'sequence', elements: [int(1), int(2), int(3)] });
  const digits = callable('sequence_reduce', (x) => [x, intLiteral(0), appendDigit], INT);
  const plusOnes = callable('sequence_map', (x) => [addConstant(1), x], type);

  function callable(
    uri: string,
    args: (x: BuildingBlock) => readonly BuildingBlock[],
    result: Type,
  ): BuildingBlock {
    return computation(type, (x) => callIntrinsic(uri, args(x), result));
  }

  test('keeps sequences of tensors and of structs', async () => {
    const executor = await make();
    expect(await roundTrip(executor, three(), type)).toEqual([1, 2, 3]);
    const members = { kind: 'struct', elements: [int(1), int(2)] } as const;
    const value = { kind: 'sequence', elements: [members] } as const;
    expect(await roundTrip(executor, value, sequence(struct([INT, INT])))).toEqual([[1, 2]]);
  });

  test('reduces in order, an empty sequence to zero', async () => {
    const executor = await make();
    expect(await run(executor, digits, three())).toBe(123);
    expect(await run(executor, digits, { kind: 'sequence', elements: [] })).toBe(0);
  });

  test('maps, and reduces what is mapped', async () => {
    const executor = await make();
    expect(await run(executor, plusOnes, three())).toEqual([2, 3, 4]);
    const both = computation(type, (x) => call(digits, call(plusOnes, x)));
    expect(await run(executor, both, three())).toBe(234);
  });

  test('reduces by a lambda that captures a value', async () => {
    const state = reference('state', struct([INT, INT]));
    const step = lambda(
      'state',
      state.type,
      call(
        add,
        pair(selection(state, 0), call(add, pair(selection(state, 1), reference('k', INT)))),
      ),
    );
    const parameter = struct([type, INT]);
    const body = computation(parameter, (argument) =>
      block(
        [{ name: 'k', value: call(addConstant(1), selection(argument, 1)) }],
        callIntrinsic('sequence_reduce', [selection(argument, 0), intLiteral(0), step], INT),
      ),
    );
    const value = { kind: 'struct', elements: [three(), int(9)] } as const;
    expect(await run(await make(), body, value)).toBe(36);
  });

  test('takes an async iterable, once', async () => {
    const executor = await make();
    const source = {
      async *[Symbol.asyncIterator]() {
        yield int(4);
        yield int(5);
      },
    };
    expect(await run(executor, digits, { kind: 'sequence', elements: source })).toBe(45);
    const twice = computation(type, (x) => pair(call(digits, x), call(digits, x)));
    expect(await run(executor, twice, three())).toEqual([123, 123]);
    await expect(
      run(executor, twice, { kind: 'sequence', elements: source }),
    ).rejects.toMatchObject({
      code: 'execution.sequence_consumed',
    });
  });

  test('selects by keys, in the order of the keys', async () => {
    const executor = await make();
    const parameter = struct([int32(4), type]);
    const pick = intrinsic('select_by_keys', func(parameter, type));
    const body = computation(parameter, (x) => call(pick, x));
    const of = (...keys: number[]): MaterializedValue => ({
      kind: 'struct',
      elements: [ints(...keys), three()],
    });
    expect(await run(executor, body, of(2, 0, 2, 1))).toEqual([3, 1, 3, 2]);
    const outOfRange = { code: 'execution.key_out_of_range' };
    await expect(run(executor, body, of(0, 0, 0, 3))).rejects.toMatchObject(outOfRange);
    await expect(run(executor, body, of(0, 0, 0, -1))).rejects.toMatchObject(outOfRange);
  });

  test('a step that fails frees the state', async () => {
    const value = reference('pair', struct([INT, INT]));
    const step = lambda('pair', value.type, call(failUnlessSmall, call(appendDigit, value)));
    const body = computation(type, (x) =>
      callIntrinsic('sequence_reduce', [x, intLiteral(0), step], INT),
    );
    const nines = { kind: 'sequence', elements: [int(9), int(9), int(9)] } as const;
    await expect(run(await make(), body, nines)).rejects.toThrow(/sum_overflow/);
  });
}

function describePlaced(make: Make): void {
  const plusOne = addConstant(1);
  const atAll = federated(INT, 'clients', true);

  test('keeps client values in order, and server and all-equal values as one', async () => {
    const executor = await make(3);
    expect(await roundTrip(executor, federatedInts(3, 1, 2), atClients(INT))).toEqual([3, 1, 2]);
    expect(await roundTrip(executor, federatedInts(5), atServer(INT))).toEqual([5]);
    expect(await roundTrip(executor, federatedInts(6), atAll)).toEqual([6]);
    const both = struct({ c: atClients(INT), s: atServer(INT) });
    const value = { kind: 'struct', elements: [federatedInts(1, 2, 3), federatedInts(4)] } as const;
    expect(await roundTrip(executor, value, both)).toEqual([[1, 2, 3], [4]]);
  });

  test('refuses the wrong number of members', async () => {
    const executor = await make(3);
    const mismatch = { name: 'CardinalityError', code: 'cardinality.mismatch' };
    for (const [members, type] of [
      [federatedInts(1, 2), atClients(INT)],
      [federatedInts(1, 2, 3, 4), atClients(INT)],
      [federatedInts(1, 2, 3), atAll],
      [federatedInts(), atServer(INT)],
    ] as const) {
      await expect(executor.createValue(members, type)).rejects.toMatchObject(mismatch);
    }
  });

  test('refuses a placement that is not there', async () => {
    const executor = await make(1);
    const type = federated(INT, 'notary', true);
    const attempt = executor.createValue(federatedInts(1), type);
    await expect(attempt).rejects.toMatchObject({ code: 'cardinality.unknown' });
    await expect(attempt).rejects.toThrow(/NOTARY/);
  });

  test('refuses to call a placed value, to select from one, and to compute a placement', async () => {
    const executor = await make(2);
    using x = await executor.createValue(federatedInts(1, 2), atClients(INT));
    const wrongKind = { code: 'type.wrong_kind' };
    await expect(executor.createCall(x)).rejects.toMatchObject(wrongKind);
    await expect(executor.createSelection(x, 0)).rejects.toMatchObject(wrongKind);
    const where = placement('clients');
    const attempt = executor.createValue(where, where.type).then((handle) => handle.compute());
    await expect(attempt).rejects.toMatchObject({ code: 'execution.unsupported_value' });
  });

  test('refuses placed values where unplaced ones are due', async () => {
    const executor = await make(2);
    using x = await executor.createValue(federatedInts(1, 2), atClients(INT));
    using fn = await executor.createValue(plusOne, plusOne.type);
    await expect(executor.createCall(fn, x)).rejects.toMatchObject({
      name: 'FederatedTypeError',
    });
  });

  test('maps at clients, by a compiled computation and by a lambda', async () => {
    const executor = await make(3);
    expect(await run(executor, mapComputation(plusOne), federatedInts(1, 2, 3))).toEqual([2, 3, 4]);
    const twice = lambda('x', INT, call(plusOne, call(plusOne, reference('x', INT))));
    expect(await run(executor, mapComputation(twice), federatedInts(1, 2, 3))).toEqual([3, 4, 5]);
  });

  test('maps all-equal values, and applies at the server', async () => {
    const executor = await make(2);
    const mapped = computation(atAll, (x) =>
      callIntrinsic('federated_map_all_equal', [plusOne, x], atAll),
    );
    expect(await run(executor, mapped, federatedInts(1))).toEqual([2]);
    const applied = computation(atServer(INT), (x) =>
      callIntrinsic('federated_apply', [plusOne, x], atServer(INT)),
    );
    expect(await run(executor, applied, federatedInts(1))).toEqual([2]);
  });

  test('aggregates in the order of the clients', async () => {
    expect(await run(await make(4), digitsAtServer, federatedInts(4, 3, 2, 1))).toEqual([4321]);
  });

  test('broadcasts, and places unplaced values', async () => {
    const executor = await make(2);
    const sent = computation(atServer(INT), (x) =>
      callIntrinsic(
        'federated_map',
        [plusOne, callIntrinsic('federated_broadcast', [x], atAll)],
        atClients(INT),
      ),
    );
    expect(await run(executor, sent, federatedInts(1))).toEqual([2, 2]);
    const placed = computation(INT, (x) =>
      pair(
        callIntrinsic('federated_value_at_clients', [x], atAll),
        callIntrinsic('federated_value_at_server', [x], atServer(INT)),
      ),
    );
    expect(await run(executor, placed, int(5))).toEqual([[5], [5]]);
  });

  test('places structs that were made of unplaced values', async () => {
    const type = struct([INT, INT]);
    const placed = computation(INT, (x) =>
      callIntrinsic('federated_value_at_server', [pair(x, call(plusOne, x))], atServer(type)),
    );
    expect(await run(await make(1), placed, int(1))).toEqual([[1, 2]]);
  });

  test('evaluates at each client and at the server', async () => {
    const executor = await make(3);
    const everywhere = lambda(
      null,
      null,
      pair(
        callIntrinsic('federated_eval_at_clients', [seven], atClients(INT)),
        callIntrinsic('federated_eval_at_server', [seven], atServer(INT)),
      ),
    );
    expect(await run(executor, everywhere)).toEqual([[7, 7, 7], [7]]);
  });

  test('zips, however nested', async () => {
    const executor = await make(2);
    const inner = structOf([{ name: 'b', type: atAll }, unnamed(atClients(INT))]);
    const parameter = structOf([{ name: 'a', type: atClients(INT) }, unnamed(inner)]);
    const zipped = structOf([
      { name: 'a', type: INT },
      unnamed(structOf([{ name: 'b', type: INT }, unnamed(INT)])),
    ]);
    const zip = intrinsic('federated_zip_at_clients', func(parameter, atClients(zipped)));
    const argument: MaterializedValue = {
      kind: 'struct',
      elements: [
        federatedInts(1, 2),
        { kind: 'struct', elements: [federatedInts(9), federatedInts(3, 4)] },
      ],
    };
    expect(await run(executor, zip, argument)).toEqual([
      [1, [9, 3]],
      [2, [9, 4]],
    ]);
    const servers = struct([atServer(INT), atServer(INT)]);
    const zipServers = intrinsic(
      'federated_zip_at_server',
      func(servers, atServer(struct([INT, INT]))),
    );
    const atBoth = { kind: 'struct', elements: [federatedInts(1), federatedInts(2)] } as const;
    expect(await run(executor, zipServers, atBoth)).toEqual([[1, 2]]);
  });

  test('works without clients', async () => {
    const executor = await make(0);
    expect(await run(executor, mapComputation(plusOne), federatedInts())).toEqual([]);
    expect(await run(executor, digitsAtServer, federatedInts())).toEqual([0]);
    const sent = computation(atServer(INT), (x) =>
      callIntrinsic('federated_broadcast', [x], atAll),
    );
    expect(await run(executor, sent, federatedInts(4))).toEqual([4]);
  });

  test('names the client that failed, keeps the cause, and goes on', async () => {
    const executor = await make(3);
    const attempt = run(executor, mapComputation(failUnlessSmall), federatedInts(1, 999, 3));
    await expect(attempt).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.client_failed',
      cause: { code: 'execution.sum_overflow' },
    });
    await expect(attempt).rejects.toThrow(/Client 1 /);
    expect(await run(executor, mapComputation(plusOne), federatedInts(1, 2, 3))).toEqual([2, 3, 4]);
  });

  describe.each(['federated_select', 'federated_secure_select'])('%s', (uri) => {
    const parameter = struct([atClients(int32(2)), atServer(INT), atServer(INT)]);
    const selected = computation(parameter, (x) =>
      callIntrinsic(
        uri,
        [selection(x, 0), selection(x, 1), selection(x, 2), appendDigit],
        atClients(sequence(INT)),
      ),
    );
    const of = (maxKey: number, ...keys: number[][]): MaterializedValue => ({
      kind: 'struct',
      elements: [
        { kind: 'federated', members: keys.map((each) => ints(...each)) },
        federatedInts(maxKey),
        federatedInts(5),
      ],
    });

    test('sends each client its rows, in the order of its keys', async () => {
      const executor = await make(2);
      expect(await run(executor, selected, of(3, [3, 0], [3, 3]))).toEqual([
        [53, 50],
        [53, 53],
      ]);
    });

    test('enforces the range of the keys, both ends included', async () => {
      const executor = await make(2);
      for (const wrong of [-1, 4]) {
        const attempt = run(executor, selected, of(3, [0, 3], [wrong, 0]));
        const error: unknown = await attempt.catch((reason: unknown) => reason);
        const cause = uri === 'federated_select' ? error : (error as Error).cause;
        expect(cause).toMatchObject({ code: 'execution.key_out_of_range' });
        expect(String(error)).toMatch(/Client 1 /);
      }
    });
  });

  test('selects nothing for no keys', async () => {
    const parameter = struct([atClients(int32(0)), atServer(INT), atServer(INT)]);
    const selected = computation(parameter, (x) =>
      callIntrinsic(
        'federated_select',
        [selection(x, 0), selection(x, 1), selection(x, 2), appendDigit],
        atClients(sequence(INT)),
      ),
    );
    const none = new TensorValue('int32', [0], new Int32Array(0));
    const value: MaterializedValue = {
      kind: 'struct',
      elements: [{ kind: 'federated', members: [none] }, federatedInts(3), federatedInts(5)],
    };
    expect(await run(await make(1), selected, value)).toEqual([[]]);
  });

  test('refuses an intrinsic on placed values that nobody implements, naming it', async () => {
    const executor = await make(1);
    const unknown = computation(atClients(INT), (x) =>
      callIntrinsic('federated_conjure', [x], atServer(INT)),
    );
    const attempt = run(executor, unknown, federatedInts(1));
    await expect(attempt).rejects.toMatchObject({ code: 'execution.unsupported_intrinsic' });
    await expect(attempt).rejects.toThrow(/federated_conjure/);
  });

  test('reduces sequences at the clients', async () => {
    const type = sequence(INT);
    const digits = computation(type, (x) =>
      callIntrinsic('sequence_reduce', [x, intLiteral(0), appendDigit], INT),
    );
    const value: MaterializedValue = {
      kind: 'federated',
      members: [
        { kind: 'sequence', elements: [int(1), int(2)] },
        { kind: 'sequence', elements: [] },
      ],
    };
    expect(await run(await make(2), mapComputation(digits), value)).toEqual([12, 0]);
  });

  test('identity keeps every member', async () => {
    expect(await run(await make(2), mapComputation(identity(INT)), federatedInts(8, 9))).toEqual([
      8, 9,
    ]);
  });
}

export type { ExecutorValue };
