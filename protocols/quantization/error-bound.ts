/**
 * @file How far a quantised sum or mean can be from the exact one of the clients' clipped values.
 *
 * With c = clippingRange, Q = quantizationRange, a level s = 2c / (Q - 1), n clients in the sum, and
 * rho the sum of their weight ratios w / maxWeight, the error of each element is at most
 *
 *   sum            n (s + 2^-24 c)
 *   mean           s + 2^-24 c
 *   weighted mean  (n / rho) (s + g) (1 + 2^-24) + 2^-24 c,    g = c / weightLevels
 *
 * Stochastic rounding is less than a level off for each client; a weight is off by half a weight
 * level at most, and moves its value by at most 2c from the mean, which makes g (0 where whole weights
 * are exact and all weights are whole); the rest is the rounding of the result to float32. What doubles
 * lose on the way is below 2^-48 c for each client, and included.
 */

import { ProtocolError } from '../errors.ts';
import type { QuantizedAggregation } from './dequantize.ts';
import type { Quantization } from './parameters.ts';

export interface ErrorBoundInput {
  readonly aggregation: QuantizedAggregation;
  /** How many clients are in the sum. */
  readonly clients: number;
  /** Sum of the clients' weights; for a weighted mean. */
  readonly totalWeight?: number | undefined;
  /**
   * Whether all weights are whole numbers.
   * @default false
   */
  readonly wholeWeights?: boolean | undefined;
}

/**
 * The largest error of an element, as against the exact sum or mean of the values after clipping:
 * always, not only probably. `Infinity` where the weights are too small to be told from zero, or the
 * result may exceed float32.
 * @throws ProtocolError `invalid-argument`
 */
export function errorBound(quantization: Quantization, input: ErrorBoundInput): number {
  const { clippingRange, step } = quantization;
  const { ratio, perWeight } = shareOf(quantization, input);
  const doubles = 2 ** -48 * clippingRange;
  const spread = ratio * (step + perWeight + doubles);
  const largest = {
    sum: ratio * clippingRange,
    mean: clippingRange,
    // Noise may lead out of the range of the values.
    'weighted-mean': clippingRange + spread,
  }[input.aggregation];
  if (!(largest + spread <= LARGEST_FLOAT32)) return Number.POSITIVE_INFINITY;
  return (spread + 2 ** -24 * largest) * (1 + 2 ** -40) + SMALLEST_FLOAT32;
}

/**
 * A bound on the standard deviation that stochastic rounding gives each element of the result. The
 * errors of clients are independent and have no bias, so it shrinks with the cohort where the bound
 * on a single error does not: a mean of n clients has a deviation of s / (2 sqrt(n)) at most.
 * @throws ProtocolError `invalid-argument`
 */
export function roundingDeviation(quantization: Quantization, input: ErrorBoundInput): number {
  const { ratio } = shareOf(quantization, input);
  return (ratio * quantization.step) / 2 / Math.sqrt(input.clients);
}

interface Share {
  /** How much of a client's error comes to the result, times the number of clients. */
  readonly ratio: number;
  /** What the rounding of a client's weight adds, in the unit of the values. */
  readonly perWeight: number;
}

function shareOf(
  { clippingRange, maxWeight, weightLevels, wholeWeightsAreExact }: Quantization,
  { aggregation, clients, totalWeight, wholeWeights = false }: ErrorBoundInput,
): Share {
  if (!Number.isSafeInteger(clients) || clients < 1) {
    throw new ProtocolError('invalid-argument', `a sum is of 1 client or more, got ${clients}`);
  }
  if (aggregation === 'sum') return { ratio: clients, perWeight: 0 };
  if (aggregation === 'mean') return { ratio: 1, perWeight: 0 };
  if (totalWeight === undefined || !(totalWeight >= 0 && totalWeight <= clients * maxWeight)) {
    throw new ProtocolError(
      'invalid-argument',
      `the total weight of ${clients} clients is from 0 to ${clients * maxWeight}, got ${totalWeight}`,
    );
  }
  const exact = wholeWeights && wholeWeightsAreExact;
  // Rounded weights may add up to less than the weights do.
  const lost = exact ? 0 : (clients * HALF_LEVEL) / weightLevels;
  const shares = totalWeight / maxWeight - lost;
  return {
    ratio: shares > 0 ? clients / shares : Number.POSITIVE_INFINITY,
    perWeight: exact ? 0 : (2 * HALF_LEVEL * clippingRange) / weightLevels,
  };
}

/** Half a level, and what doubles lose when it is found. */
const HALF_LEVEL = 0.5 + 2 ** -20;
const LARGEST_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;
const SMALLEST_FLOAT32 = 2 ** -149;
