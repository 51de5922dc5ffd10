/** @file Compliance of executors: sequences. */

import { expect, test } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  intrinsic,
  lambda,
  reference,
  selection,
} from '../../computations/building-blocks.ts';
import {
  func,
  int32,
  type MaterializedValue,
  sequence,
  struct,
  type Type,
} from '../../computations/types/index.ts';
import {
  add,
  addConstant,
  appendDigit,
  callIntrinsic,
  computation,
  failUnlessSmall,
  INT,
  int,
  intLiteral,
  ints,
  pair,
} from '../executors/blocks.ts';

import { type Make, roundTrip, run } from './executor-run.ts';

/** @param readsAgain why a sequence that comes from an iterable can be read twice all the same. */
export function describeSequences(make: Make, readsAgain?: string): void {
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
    const attempt = run(executor, twice, { kind: 'sequence', elements: source });
    if (readsAgain !== undefined) {
      expect(await attempt, readsAgain).toEqual([45, 45]);
      return;
    }
    await expect(attempt).rejects.toMatchObject({ code: 'execution.sequence_consumed' });
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
