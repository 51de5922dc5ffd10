/** @file Results are within the documented bound, always, and right on the average. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  dequantizeSums,
  deterministicRng,
  type ErrorBoundInput,
  errorBound,
  type Quantization,
  type QuantizedAggregation,
  quantization,
  quantizeInput,
  type Rng,
  roundingDeviation,
} from '../../../protocols/index.ts';
import { distance, exact } from './exact.ts';

interface Client {
  readonly values: Float32Array;
  readonly weight: number;
}

/** What a cohort without any cryptography makes of its values. */
function aggregated(
  settings: Quantization,
  aggregation: QuantizedAggregation,
  clients: readonly Client[],
  rng: Rng,
) {
  const inputs = clients.map(({ values, weight }) =>
    quantizeInput(
      settings,
      { vectors: [values], weight: aggregation === 'weighted-mean' ? weight : undefined },
      { rng },
    ),
  );
  const sums = inputs[0]!.levels.length;
  const totals = Array.from({ length: sums }, (_, i) =>
    inputs.reduce((total, { levels }) => total + BigInt(levels[i]!), 0n),
  );
  const outcome = dequantizeSums(settings, aggregation, totals, clients.length);
  const asNumbers = dequantizeSums(settings, aggregation, totals.map(Number), clients.length);
  expect(asNumbers).toEqual(outcome);
  return outcome;
}

const settingsOf = fc
  .record({
    clippingRange: fc.oneof(
      fc.constantFrom(8, 1, 0.1, 2 ** -126, 2 ** 90),
      fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
    ),
    quantizationRange: fc.oneof(
      fc.constantFrom(2, 3, 2 ** 8, 2 ** 22, 2 ** 31 - 1, 2 ** 31),
      fc.integer({ min: 2, max: 2 ** 31 }),
    ),
    maxWeight: fc.oneof(
      fc.constantFrom(1, 1000, 2 ** 31),
      fc.double({ min: 0.01, max: 1e6, noNaN: true }),
    ),
  })
  .map((options) => quantization(options));

/** Numbers that chance would not choose: the ends, the middle, beyond the ends, nearly nothing. */
const sharesOf = fc.array(
  fc.oneof(
    fc.integer({ min: -1_100_003, max: 1_100_003 }).map((share) => share / 1_000_003),
    fc.constantFrom(-1, 1, 0, -2, 2, 1 - 2 ** -24, 1e-12, -1e-12),
  ),
  { minLength: 1, maxLength: 6 },
);

/** Chance, and the worst of it: always down, always up. */
const rngOf = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((seed) => deterministicRng(seed)),
  fc.constantFrom<Rng>(
    (n) => new Uint8Array(n),
    (n) => new Uint8Array(n).fill(255),
  ),
);

test.each<QuantizedAggregation>(['sum', 'mean', 'weighted-mean'])(
  'a %s is within its bound of the exact one, always',
  (aggregation) => {
    let bounded = 0;
    fc.assert(
      fc.property(
        settingsOf,
        sharesOf,
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        rngOf,
        fc.gen(),
        (settings, shares, count, whole, rng, gen) => {
          const { clippingRange, maxWeight } = settings;
          const clients = Array.from({ length: count }, (): Client => {
            // Doubles of fast-check are tiny more often than not.
            const turn = gen(fc.integer, { min: -1000, max: 1000 }) / 1000;
            const weight = (gen(fc.integer, { min: 0, max: 1_000_003 }) / 1_000_003) * maxWeight;
            return {
              values: Float32Array.from(shares, (share) =>
                Math.max(-3e38, Math.min(3e38, share * turn * clippingRange)),
              ),
              weight: whole ? Math.floor(weight) : weight,
            };
          });
          const outcome = aggregated(settings, aggregation, clients, rng);
          if (outcome.kind === 'no-weight') return;
          if (outcome.kind !== 'finish') throw new Error(outcome.message);
          const bound = errorBound(settings, boundOf(aggregation, clients, whole));
          if (bound === Number.POSITIVE_INFINITY) return;
          bounded += 1;
          for (const [i, result] of outcome.values.entries()) {
            const [numerator, denominator] = trueFraction(aggregation, clients, i, clippingRange);
            expect(distance(result, numerator, denominator) <= exact(bound) * denominator).toBe(
              true,
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(bounded).toBeGreaterThan(1000);
  },
);

function boundOf(
  aggregation: QuantizedAggregation,
  clients: readonly Client[],
  wholeWeights: boolean,
): ErrorBoundInput {
  return {
    aggregation,
    clients: clients.length,
    totalWeight: clients.reduce((total, { weight }) => total + weight, 0),
    wholeWeights,
  };
}

/** The exact sum or mean of the clipped values, as numerator and denominator. */
function trueFraction(
  aggregation: QuantizedAggregation,
  clients: readonly Client[],
  i: number,
  clippingRange: number,
): [bigint, bigint] {
  const clip = (value: number) => Math.max(-clippingRange, Math.min(clippingRange, value));
  if (aggregation !== 'weighted-mean') {
    const sum = clients.reduce((total, { values }) => total + exact(clip(values[i]!)), 0n);
    return [sum, aggregation === 'sum' ? 1n : BigInt(clients.length)];
  }
  const sum = clients.reduce(
    (total, { values, weight }) => total + exact(clip(values[i]!)) * exact(weight),
    0n,
  );
  return [sum, clients.reduce((total, { weight }) => total + exact(weight), 0n)];
}

describe('the bound', () => {
  const settings = quantization();
  const { step, clippingRange } = settings;

  test('is a level and the rounding to float32', () => {
    const one = step + 2 ** -24 * clippingRange;
    const close = (bound: number, value: number) =>
      expect(Math.abs(bound / value - 1)).toBeLessThan(1e-8);
    close(errorBound(settings, { aggregation: 'mean', clients: 100 }), one);
    close(errorBound(settings, { aggregation: 'sum', clients: 100 }), 100 * one);
    const full = { aggregation: 'weighted-mean', clients: 4, totalWeight: 4000 } as const;
    close(errorBound(settings, { ...full, wholeWeights: true }), one * (1 + 2 ** -24));
    const tenth = { ...full, totalWeight: 400, wholeWeights: true };
    close(errorBound(settings, tenth), 10 * step + 2 ** -24 * (clippingRange + 10 * step));
  });

  test('is not much more than what can happen', () => {
    // Always up, from just above a level: almost a level for each client.
    const rng: Rng = (n) => new Uint8Array(n);
    const coarse = quantization({ quantizationRange: 3 });
    const clients = [1, 2, 3].map(() => ({ values: Float32Array.of(1e-6), weight: 1 }));
    const outcome = aggregated(coarse, 'mean', clients, rng);
    if (outcome.kind !== 'finish') throw new Error(outcome.kind);
    const bound = errorBound(coarse, { aggregation: 'mean', clients: 3 });
    expect(outcome.values[0]).toBeGreaterThan(0.999 * bound);
  });

  test('has a part for the rounding of weights', () => {
    const coarse = quantization({ clippingRange: 1, quantizationRange: 1024, maxWeight: 1023.5 });
    expect(coarse.weightLevels).toBe(1023);
    // Both weights become 512 levels, from half a level below and from half a level above; both values
    // come to lie just above a level, and go up.
    const weightOf = (level: number) => (level / 1023) * 1023.5;
    const clients = [
      { weight: weightOf(511.501), values: Float32Array.of((255.5 + 1e-3) / 256) },
      { weight: weightOf(512.499), values: Float32Array.of((-255.5 + 1e-3) / 256) },
    ];
    const outcome = aggregated(coarse, 'weighted-mean', clients, (n) => new Uint8Array(n));
    if (outcome.kind !== 'finish') throw new Error(outcome.kind);
    const [numerator, denominator] = trueFraction('weighted-mean', clients, 0, 1);
    const error =
      Number(
        (10n ** 9n * distance(outcome.values[0] ?? 0, numerator, denominator)) /
          denominator /
          exact(1),
      ) / 1e9;
    expect(error).toBeGreaterThan(2.4 * coarse.step);
    expect(error).toBeLessThan(errorBound(coarse, boundOf('weighted-mean', clients, false)));
  });

  test('is endless where weights cannot be told from zero, or a sum may exceed float32', () => {
    const tiny = { aggregation: 'weighted-mean', clients: 2, totalWeight: 1e-9 } as const;
    expect(errorBound(settings, tiny)).toBe(Number.POSITIVE_INFINITY);
    const none = { ...tiny, totalWeight: 0, wholeWeights: true };
    expect(errorBound(settings, none)).toBe(Number.POSITIVE_INFINITY);
    const large = quantization({ clippingRange: 2 ** 127 });
    expect(errorBound(large, { aggregation: 'sum', clients: 2 })).toBe(Number.POSITIVE_INFINITY);
    expect(errorBound(large, { aggregation: 'mean', clients: 2 })).toBeLessThan(2 ** 110);
  });

  test.each<ErrorBoundInput>([
    { aggregation: 'mean', clients: 0 },
    { aggregation: 'sum', clients: 1.5 },
    { aggregation: 'weighted-mean', clients: 2 },
    { aggregation: 'weighted-mean', clients: 2, totalWeight: -1 },
    { aggregation: 'weighted-mean', clients: 2, totalWeight: 2001 },
    { aggregation: 'weighted-mean', clients: 2, totalWeight: Number.NaN },
  ])('is none for %o', (input) => {
    expect(() => errorBound(settings, input)).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});

test.each<QuantizedAggregation>(['sum', 'mean', 'weighted-mean'])(
  'a %s has no bias, and the deviation that is promised',
  (aggregation) => {
    const settings = quantization({ quantizationRange: 256, maxWeight: 10 });
    const COUNT = 40_000;
    const rng = deterministicRng(Uint8Array.of(8));
    const clients = [3, 7, 10].map((weight, k) => ({
      weight,
      values: new Float32Array(COUNT).fill(Math.fround(Math.sin(k + 1) * 5)),
    }));
    const outcome = aggregated(settings, aggregation, clients, rng);
    if (outcome.kind !== 'finish') throw new Error(outcome.kind);
    const weights = clients.map(({ weight }) => (aggregation === 'weighted-mean' ? weight : 1));
    const divisor = aggregation === 'sum' ? 1 : weights.reduce((a, b) => a + b, 0);
    const truth =
      clients.reduce((sum, { values }, k) => sum + values[0]! * weights[k]!, 0) / divisor;
    const errors = Array.from(outcome.values, (value) => value - truth);
    const promised = roundingDeviation(settings, boundOf(aggregation, clients, true));
    const mean = errors.reduce((a, b) => a + b, 0) / COUNT;
    const deviation = Math.sqrt(errors.reduce((a, b) => a + b * b, 0) / COUNT);
    expect(Math.abs(mean)).toBeLessThan((5 * promised) / Math.sqrt(COUNT));
    expect(deviation).toBeLessThan(promised * 1.02);
    expect(deviation).toBeGreaterThan(promised * 0.5);
  },
);
