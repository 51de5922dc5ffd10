/**
 * @file What sums and means of floats must do over any secure protocol, in a stack with a
 * quantisation. A protocol runs this suite by one line; see quantized-aggregation.test.ts.
 */

import fc from 'fast-check';
import {
  atClients,
  type ClippedCount,
  ExecutionContext,
  federatedComputation,
  federatedMean,
  federatedSecureSum,
  federatedSum,
  float32,
  int32,
  int64,
  localExecutorFactory,
  type MeanOptions,
  type QuantizedAggregationOptions,
  type SecureAggregation,
  struct,
  withContext,
} from 'fedloom';
import { errorBound, quantization } from 'fedloom/protocols';
import { afterAll, describe, expect, test } from 'vitest';

export interface QuantizedComplianceOptions {
  /** How many random cases each property gets. @default 8 */
  readonly runs?: number;
  /** The protocol goes on without a client that refuses its own value. @default false */
  readonly dropouts?: boolean;
}

/** @param create the aggregation with clients that accept any cohort, one of themselves alone included. */
export function describeQuantizedAggregation(
  name: string,
  create: () => SecureAggregation,
  { runs = 8, dropouts = false }: QuantizedComplianceOptions = {},
): void {
  describe(`quantised aggregation: ${name}`, () => {
    const contexts: ExecutionContext[] = [];
    afterAll(() => Promise.all(contexts.map((context) => context.close())));
    /** A stack with a quantisation; those with the same options are the same. */
    const stack = (options: QuantizedAggregationOptions = {}) => {
      const context = new ExecutionContext(
        localExecutorFactory({
          secureAggregation: create().with({ quantization: options }),
          maxExecutors: 60,
        }),
      );
      contexts.push(context);
      return <T>(body: () => T): T => withContext(context, body);
    };
    const run = stack();
    const settings = quantization();

    const Pair = float32(2);
    const mean = federatedComputation([atClients(Pair)], (x) => federatedMean(x));
    const sum = federatedComputation([atClients(Pair)], (x) => federatedSum(x));
    const weighted = (options: Pick<MeanOptions, 'whenEmpty'> = {}) =>
      federatedComputation([atClients(Pair), atClients(int32())], (x, weight) =>
        federatedMean(x, { weight, ...options }),
      );
    const weightedMean = weighted();

    test('means and sums are as near to the exact ones as promised', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(nearly(8), nearly(8), fc.integer({ min: 1, max: 1000 })), {
            minLength: 1,
            maxLength: 9,
          }),
          async (rows) => {
            const data = rows.map(([a, b]) => [a, b]);
            const weights = rows.map(([, , weight]) => weight);
            const totalWeight = weights.reduce((a, b) => a + b);
            const clients = rows.length;
            const near = (result: { toArray(): unknown }, expected: number[], bound: number) => {
              const values = result.toArray() as number[];
              for (const [i, value] of values.entries()) {
                expect(Math.abs(value - (expected[i] ?? Number.NaN))).toBeLessThanOrEqual(
                  bound * 1.000001,
                );
              }
            };
            const total = (weigh: (row: number) => number) =>
              [0, 1].map((i) => data.reduce((t, row, k) => t + (row[i] ?? 0) * weigh(k), 0));
            const [means, sums, weighteds] = await Promise.all([
              run(() => mean(data)),
              run(() => sum(data)),
              run(() => weightedMean(data, weights)),
            ]);
            near(
              means,
              total(() => 1 / clients),
              errorBound(settings, { aggregation: 'mean', clients }),
            );
            near(
              sums,
              total(() => 1),
              errorBound(settings, { aggregation: 'sum', clients }),
            );
            near(
              weighteds,
              total((k) => (weights[k] ?? 0) / totalWeight),
              errorBound(settings, {
                aggregation: 'weighted-mean',
                clients,
                totalWeight,
                wholeWeights: true,
              }),
            );
          },
        ),
        { numRuns: runs },
      );
    });

    test('structs keep their names and shapes', async () => {
      const Model = struct({
        layer: struct({ kernel: float32(2, 3), bias: float32() }),
        none: float32(0),
      });
      const average = federatedComputation(
        [atClients(Model), atClients(float32())],
        (model, weight) => [federatedMean(model, { weight }), federatedSum(model)],
      );
      const model = (x: number) => ({
        layer: {
          kernel: [
            [x, 2 * x, 0],
            [-x, 0, x],
          ],
          bias: x,
        },
        none: [],
      });
      const [means, sums] = (await run(() => average([model(1), model(4)], [600, 300]))) as [
        Result,
        Result,
      ];
      const rounded = ({ layer, none }: Result) => [
        (layer.kernel.toArray() as number[][]).map((row) => row.map((x) => Number(x.toFixed(3)))),
        Number(layer.bias.toFixed(3)),
        none.toArray(),
      ];
      expect(rounded(means)).toEqual([
        [
          [2, 4, expect.closeTo(0)],
          [-2, expect.closeTo(0), 2],
        ],
        2,
        [],
      ]);
      expect(rounded(sums)).toEqual([
        [
          [5, 10, expect.closeTo(0)],
          [-5, expect.closeTo(0), 5],
        ],
        5,
        [],
      ]);
    });

    test('weights may be of any numeric type, and zero', async () => {
      for (const [type, weights] of [
        [int32(), [0, 500]],
        [int64(), [0n, 500n]],
        [float32(), [0, 0.75]],
      ] as const) {
        const average = federatedComputation([atClients(Pair), atClients(type)], (x, weight) =>
          federatedMean(x, { weight }),
        );
        const data = [
          [7, 7],
          [1, -2],
        ];
        const result = await run(() => average(data, weights as never));
        expect((result as { toArray(): unknown }).toArray()).toEqual([
          expect.closeTo(1, 1),
          expect.closeTo(-2, 1),
        ]);
      }
    });

    test('a mean of nothing is what the plain one is', async () => {
      const orZero = federatedComputation([atClients(Pair)], (x) =>
        federatedMean(x, { whenEmpty: 'zero' }),
      );
      const weightedOrZero = weighted({ whenEmpty: 'zero' });
      await expect(run(() => mean([]))).rejects.toMatchObject({ code: 'execution.empty_mean' });
      await expect(run(() => weightedMean([], []))).rejects.toMatchObject({
        code: 'execution.empty_mean',
      });
      expect((await run(() => orZero([]))).toArray()).toEqual([0, 0]);
      expect((await run(() => weightedOrZero([], []))).toArray()).toEqual([0, 0]);
      expect((await run(() => sum([]))).toArray()).toEqual([0, 0]);
      const data = [
        [1, 2],
        [3, 4],
      ];
      await expect(run(() => weightedMean(data, [0, 0]))).rejects.toMatchObject({
        code: 'execution.zero_weight',
      });
      expect((await run(() => weightedOrZero(data, [0, 0]))).toArray()).toEqual([0, 0]);
    });

    test('values out of the range are clipped and counted, or refused', async () => {
      const counts: ClippedCount[] = [];
      const counting = stack({
        clippingRange: 1,
        onClipped: (count) => counts.push(count),
      });
      const data = [
        [5, 0.5],
        [-7, -9],
        [0, 1],
      ];
      const result = await counting(() => mean(data));
      expect(result.toArray()).toEqual([expect.closeTo(0, 4), expect.closeTo(0.5 / 3, 4)]);
      expect(counts).toEqual([{ uri: 'federated_mean', clipped: 3, values: 6 }]);
      const refusing = stack({ clippingRange: 1, onClip: 'refuse' });
      const inRange = data.slice(2);
      expect((await refusing(() => sum(inRange))).toArray()).toEqual([
        expect.closeTo(0, 4),
        expect.closeTo(1, 4),
      ]);
      if (dropouts) return;
      const error = await failure(refusing(() => mean([...inRange, [0, 771.5]])));
      expect(error).toMatchObject({
        code: 'execution.client_failed',
        message: expect.stringMatching(/clients\/1 refused.*position 1 is outside of \[-1, 1\]/s),
      });
      expect(String(error)).not.toContain('771');
    });

    test.each<[string, readonly number[], number, RegExp]>([
      ['NaN', [1, Number.NaN], 10, /position 1 is not a finite number/],
      ['an infinity', [Number.NEGATIVE_INFINITY, 1], 10, /position 0 is not a finite number/],
      ['a weight above the maximum', [1, 1], 1001, /larger than the maximum of 1000/],
      ['a negative weight', [1, 1], -1, /negative/],
    ])('%s costs a client its place, and nobody else', async (_what, values, weight, reason) => {
      const others = Array.from({ length: 9 }, (_, i) => [i / 2, 4 - i]);
      const data = [...others.slice(0, 1), [...values], ...others.slice(1)];
      const weights = data.map((_, i) => (i === 1 ? weight : 10));
      const attempt = run(() => weightedMean(data, weights));
      if (dropouts) {
        expect((await attempt).toArray()).toEqual([expect.closeTo(2, 2), expect.closeTo(0, 2)]);
        return;
      }
      expect(await failure(attempt)).toMatchObject({
        code: 'execution.client_failed',
        message: expect.stringMatching(new RegExp(`clients/1 refused.*${reason.source}`, 's')),
        cause: { code: 'execution.secure_sum_range' },
      });
    });

    test('a cohort whose sum could overflow is refused', async () => {
      const narrow = stack({ quantizationRange: 2 ** 8, modulusRange: 2 ** 9 });
      const three = [
        [1, 2],
        [3, 4],
        [5, 6],
      ];
      expect((await narrow(() => mean(three.slice(1)))).toArray()).toEqual([
        expect.closeTo(4, 0),
        expect.closeTo(5, 0),
      ]);
      expect(await failure(narrow(() => mean(three)))).toMatchObject({
        code: 'protocol.bad_parameters',
        message: expect.stringMatching(/10 bits.*has 9.*modulusRange.*quantizationRange.*clients/s),
      });
    });

    test('the extremes of all clients at once come to the extreme, and no further', async () => {
      for (const quantizationRange of [2, 2 ** 22, 2 ** 31]) {
        const edge = stack({ quantizationRange });
        const clients = Array.from({ length: 5 }, () => [8, -8]);
        const sums = (await edge(() => sum(clients))).toArray() as number[];
        expect(sums).toEqual([expect.closeTo(40, 5), expect.closeTo(-40, 5)]);
        const means = await edge(() => weightedMean(clients, [1000, 1000, 1000, 1000, 1000]));
        expect(means.toArray()).toEqual([expect.closeTo(8, 5), expect.closeTo(-8, 5)]);
      }
    });

    test('integers are not quantised; their secure sums stay exact', async () => {
      const counts = federatedComputation([atClients(int32())], (x) => federatedSum(x));
      expect(await failure(run(() => counts([1, 2])))).toMatchObject({
        code: 'aggregation.plain_blocked',
        message: expect.stringContaining('federatedSecureSumBitwidth'),
      });
      const both = federatedComputation([atClients(int32()), atClients(Pair)], (n, x) => [
        federatedSecureSum(n, 10),
        federatedMean(x),
      ]);
      const [total, average] = (await run(() =>
        both(
          [3, 4],
          [
            [1, 2],
            [3, 4],
          ],
        ),
      )) as unknown as [number, { toArray(): number[] }];
      expect(total).toBe(7);
      expect(average.toArray()).toEqual([expect.closeTo(2, 4), expect.closeTo(3, 4)]);
    });
  });
}

interface Result {
  readonly layer: { readonly kernel: { toArray(): unknown }; readonly bias: number };
  readonly none: { toArray(): unknown };
}

/** A float32 of at most this magnitude. */
function nearly(most: number): fc.Arbitrary<number> {
  return fc
    .integer({ min: -1_000_003, max: 1_000_003 })
    .map((x) => Math.fround((x * most) / 1_000_003));
}

async function failure(attempt: PromiseLike<unknown>): Promise<unknown> {
  return attempt.then(
    (value) => {
      throw new Error(`expected a failure; got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
}
