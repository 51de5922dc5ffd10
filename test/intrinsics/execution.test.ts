/** @file What the intrinsics compute on the local stack, and what they refuse while they run. */

import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import {
  atClients,
  atServer,
  ExecutionContext,
  federatedAggregate,
  federatedBroadcast,
  federatedComputation,
  federatedEval,
  federatedMap,
  federatedMax,
  federatedMean,
  federatedMin,
  federatedSecureSelect,
  federatedSecureSum,
  federatedSelect,
  federatedSum,
  federatedValue,
  federatedZip,
  float32,
  int32,
  int64,
  localExecutorFactory,
  sequence,
  sequenceMap,
  sequenceReduce,
  sequenceSum,
  struct,
  tensorComputation,
  uint8,
  withContext,
} from 'fedloom';
import { describe, expect, test } from 'vitest';

const INT32_MAX = 2 ** 31 - 1;
const INT64_MAX = 2n ** 63n - 1n;

describe('sums', () => {
  const sum32 = federatedComputation([atClients(int32())], (x) => federatedSum(x));
  const sum64 = federatedComputation([atClients(int64())], (x) => federatedSum(x));

  test('of integers are exact in any order, and never wrap', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.bigInt(-(2n ** 63n), INT64_MAX), { minLength: 1, maxLength: 12 }),
        async (values) => {
          const total = values.reduce((a, b) => a + b, 0n);
          const sum = sum64(values);
          if (total >= -(2n ** 63n) && total <= INT64_MAX) expect(await sum).toBe(total);
          else await expect(sum).rejects.toMatchObject({ code: 'execution.sum_overflow' });
        },
      ),
      { numRuns: 40 },
    );
    // An intermediate sum may exceed the dtype as long as the total does not.
    expect(await sum32([INT32_MAX, 1, -2])).toBe(INT32_MAX - 1);
    await expect(sum32([INT32_MAX, 1])).rejects.toMatchObject({ code: 'execution.sum_overflow' });
    await expect(sum32([-INT32_MAX, -2])).rejects.toMatchObject({ code: 'execution.sum_overflow' });
  });

  test('of structs, arrays and all-equal values', async () => {
    const type = struct({ a: int32(2), b: float32(), c: uint8() });
    const sums = federatedComputation([atClients(type)], (x) => federatedSum(x));
    const result = await sums([
      { a: [1, 2], b: 0.5, c: 200 },
      { a: [3, 4], b: 1.5, c: 55 },
    ]);
    expect(result.a.toArray()).toEqual([4, 6]);
    expect(result.b).toBe(2);
    expect(result.c).toBe(255);
    const broadcast = federatedComputation([atServer(int32()), atClients(int32())], (x, y) => [
      federatedSum(federatedBroadcast(x)),
      federatedSum(y),
    ]);
    expect(await broadcast(5, [1, 2, 3])).toEqual([15, 6]);
  });

  test('over no clients are zero', async () => {
    expect(await sum32([])).toBe(0);
    expect(await sum64([])).toBe(0n);
  });
});

describe('minima and maxima', () => {
  test('over clients, leaf by leaf', async () => {
    const type = struct({ a: int32(2), b: float32() });
    const both = federatedComputation([atClients(type)], (x) => [federatedMin(x), federatedMax(x)]);
    const [min, max] = await both([
      { a: [1, 9], b: -1 },
      { a: [3, 4], b: 7 },
    ]);
    expect([min.a.toArray(), min.b]).toEqual([[1, 4], -1]);
    expect([max.a.toArray(), max.b]).toEqual([[3, 9], 7]);
  });

  test('over no clients are the limits of the dtype', async () => {
    const ends = federatedComputation([atClients(int64()), atClients(float32())], (x, y) => [
      federatedMin(x),
      federatedMax(x),
      federatedMin(y),
      federatedMax(y),
    ]);
    const most = (2 - 2 ** -23) * 2 ** 127;
    expect(await ends([], [])).toEqual([INT64_MAX, -INT64_MAX - 1n, most, -most]);
  });
});

describe('means', () => {
  const mean = federatedComputation([atClients(float32())], (x) => federatedMean(x));

  test('weighted by integers or floats', async () => {
    const type = struct({ w: float32(2), b: float32() });
    const weighted = federatedComputation([atClients(type), atClients(int64())], (x, weight) =>
      federatedMean(x, { weight }),
    );
    const result = await weighted(
      [
        { w: [1, 2], b: 3 },
        { w: [3, 6], b: 7 },
      ],
      [1n, 3n],
    );
    expect(result.w.toArray()).toEqual([2.5, 5]);
    expect(result.b).toBe(6);
    const floats = federatedComputation([atClients(float32()), atClients(float32())], (x, weight) =>
      federatedMean(x, { weight }),
    );
    expect(await floats([1, 2], [0.5, 1.5])).toBe(1.75);
    expect(await mean([1, 2, 6])).toBe(3);
  });

  test('over nothing are an error that names the cause, or zero if asked', async () => {
    await expect(mean([])).rejects.toMatchObject({
      code: 'execution.empty_mean',
      message: expect.stringContaining('whenEmpty'),
    });
    const weighted = federatedComputation([atClients(float32()), atClients(int32())], (x, weight) =>
      federatedMean(x, { weight }),
    );
    await expect(weighted([], [])).rejects.toMatchObject({ code: 'execution.empty_mean' });
    await expect(weighted([1, 2], [0, 0])).rejects.toMatchObject({ code: 'execution.zero_weight' });
    const zero = federatedComputation([atClients(float32()), atClients(int32())], (x, weight) => [
      federatedMean(x, { whenEmpty: 'zero' }),
      federatedMean(x, { weight, whenEmpty: 'zero' }),
    ]);
    expect(await zero([], [])).toEqual([0, 0]);
    expect(await zero([4, 2], [0, 0])).toEqual([3, 0]);
    expect(await zero([4, 2], [5, -5])).toEqual([3, 0]);
  });
});

describe('aggregate', () => {
  const add = tensorComputation([int32(), int32()], (a, b) => tf.add(a, b), { result: int32() });
  const double = tensorComputation([int32()], (x) => tf.add(x, x), { result: int32() });

  test('folds from zero and reports', async () => {
    const fold = federatedComputation([atClients(int32())], (x) =>
      federatedAggregate(x, 0, add, add, double),
    );
    expect(await fold([1, 2, 3])).toBe(12);
    expect(await fold([])).toBe(0);
  });

  test('folds in the order of the clients', async () => {
    const step = tensorComputation(
      [int32(), int32()],
      (state, x) => tf.add(tf.mul(state, tf.scalar(10, 'int32')), x),
      { result: int32() },
    );
    const digits = federatedComputation([atClients(int32())], (x) =>
      federatedAggregate(
        x,
        0,
        step,
        add,
        tensorComputation([int32()], (x) => tf.neg(tf.neg(x)), { result: int32() }),
      ),
    );
    expect(await digits([1, 2, 3, 4])).toBe(1234);
  });
});

describe('placing and moving', () => {
  test('values, evaluations, zips and broadcasts', async () => {
    let traced = 0;
    const three = tensorComputation(
      [],
      () => {
        traced++;
        return tf.scalar(3, 'int32');
      },
      { result: int32() },
    );
    const everything = federatedComputation(
      [atClients(int32()), atServer(float32(2))],
      (x, model) => ({
        atServer: federatedValue(7, 'server', int32()),
        atClients: federatedValue('x', 'clients'),
        evaluated: federatedEval(three, 'clients'),
        zipped: federatedZip({ x, y: federatedBroadcast(model) }),
      }),
    );
    const before = traced;
    const result = await everything([1, 2], [0.5, 1.5]);
    expect(traced).toBe(before);
    expect(result.atServer).toBe(7);
    expect(result.atClients).toBe('x');
    expect(result.evaluated).toEqual([3, 3]);
    expect(result.zipped.map(({ x, y }) => [x, y.toArray()])).toEqual([
      [1, [0.5, 1.5]],
      [2, [0.5, 1.5]],
    ]);
  });
});

describe('selection', () => {
  const pick = tensorComputation(
    [float32(4), int32()],
    (table, key) =>
      tf
        .squeeze(tf.slice(tf.mul(table, 1), [0], [4]))
        .mul(tf.cast(tf.equal(tf.range(0, 4, 1, 'int32'), key), 'float32'))
        .sum(),
    { result: float32() },
  );
  const make = (select: typeof federatedSelect) =>
    federatedComputation(
      [atClients(int32(2)), atServer(int32()), atServer(float32(4))],
      (keys, most, table) => select(keys, most, table, pick),
    );

  test.each([
    ['plain', make(federatedSelect)],
    ['secure', make(federatedSecureSelect)],
  ])('%s: slices in the order of the keys, which must be in range', async (_name, slices) => {
    expect(
      await slices(
        [
          [0, 3],
          [1, 1],
        ],
        3,
        [10, 11, 12, 13],
      ),
    ).toEqual([
      [10, 13],
      [11, 11],
    ]);
    for (const key of [4, -1]) {
      const failure = await slices(
        [
          [0, 1],
          [key, 0],
        ],
        3,
        [10, 11, 12, 13],
      ).then(
        () => null,
        (error: { code?: string; cause?: { code?: string }; message: string }) => error,
      );
      expect([failure?.code, failure?.cause?.code]).toContain('execution.key_out_of_range');
      expect(failure?.message).toMatch(/client[ s/]*1/i);
    }
  });
});

describe('sequences', () => {
  const add = tensorComputation([int32(), int32()], (a, b) => tf.add(a, b), { result: int32() });
  const square = tensorComputation([int32()], (x) => tf.mul(x, x), { result: int32() });
  const run = federatedComputation([atClients(sequence(int32()))], (xs) => ({
    squares: sequenceMap(square, xs),
    total: sequenceReduce(xs, 0, add),
    sum: sequenceSum(xs),
  }));

  test('are mapped, folded and summed at the clients', async () => {
    const { squares, total, sum } = await run([[1, 2, 3], [], [4]]);
    expect(squares).toEqual([[1, 4, 9], [], [16]]);
    expect(total).toEqual([6, 0, 4]);
    expect(sum).toEqual([6, 0, 4]);
  });

  test('may be any iterable or async iterable', async () => {
    async function* later() {
      yield 1;
      yield 2;
    }
    const total = federatedComputation([atClients(sequence(int32()))], (xs) =>
      sequenceReduce(xs, 0, add),
    );
    expect(await total([new Set([5, 6]), later(), Int32Array.of(1, 1).values()])).toEqual([
      11, 3, 2,
    ]);
    await expect(total([[1], later(), [Number.NaN]])).rejects.toMatchObject({
      code: 'value.not_an_integer',
    });
  });

  test('of large totals are exact or refused', async () => {
    const sums = federatedComputation([sequence(int64())], (xs) => sequenceSum(xs));
    expect(await sums([INT64_MAX, 5n, -7n])).toBe(INT64_MAX - 2n);
    await expect(sums([INT64_MAX, 1n])).rejects.toMatchObject({ code: 'execution.sum_overflow' });
  });
});

describe('without a secure stack', () => {
  test('a secure sum fails, and says which stacks support it', async () => {
    const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 10));
    await using context = new ExecutionContext(localExecutorFactory());
    const failure = withContext(context, () => sum([1, 2]));
    await expect(failure).rejects.toMatchObject({
      name: 'UnsupportedAggregationError',
      code: 'aggregation.no_secure_protocol',
      message: expect.stringMatching(/paillier\(\).*masking\(\)/),
    });
  });
});

describe('struct access', () => {
  test('of placed structs happens where they are', async () => {
    const type = struct({ count: int32(), rest: struct([float32(2), float32()]) });
    const parts = federatedComputation([atClients(type), atServer(type)], (x, y) => [
      federatedSum(x.count),
      federatedSum(x.rest[0]),
      y.rest[1],
      federatedMap(
        tensorComputation([int32()], (c) => tf.neg(c), { result: int32() }),
        x.count,
      ),
    ]);
    const one = { count: 1, rest: [[1, 2], 3] } as const;
    const [count, first, second, negated] = await parts([one, one], one);
    expect(count).toBe(2);
    expect(first.toArray()).toEqual([2, 4]);
    expect(second).toBe(3);
    expect(negated).toEqual([-1, -1]);
  });
});
