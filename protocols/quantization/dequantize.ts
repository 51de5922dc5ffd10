/**
 * @file From the sums of clients' levels back to a sum or a mean of floats. The offset of the levels
 * counts once for each client in the sum, so their exact number has to be known.
 */

import { type Fault, fault, ProtocolError } from '../errors.ts';
import type { Quantization } from './parameters.ts';

/** What is made of a cohort's values; in a weighted mean the sum of the weights leads the sums. */
export type QuantizedAggregation = 'sum' | 'mean' | 'weighted-mean';

export interface Dequantized {
  readonly kind: 'finish';
  readonly values: Float32Array;
}

/** The weights of the clients in the sum are all zero, or round to it. */
export interface NoWeight {
  readonly kind: 'no-weight';
}

export type DequantizationFault = Fault<'dequantize', 'sum-out-of-range'>;

/**
 * @param sums of the levels of exactly `clients` clients.
 * @returns a fault where a sum exceeds what honest clients can reach.
 * @throws ProtocolError `invalid-argument`
 */
export function dequantizeSums(
  quantization: Quantization,
  aggregation: QuantizedAggregation,
  sums: ArrayLike<number> | ArrayLike<bigint>,
  clients: number,
): Dequantized | NoWeight | DequantizationFault {
  if (!Number.isSafeInteger(clients) || clients < 1) {
    throw new ProtocolError('invalid-argument', `a sum is of 1 client or more, got ${clients}`);
  }
  const { clippingRange, quantizationRange, weightLevels } = quantization;
  const top = quantizationRange - 1;
  const start = aggregation === 'weighted-mean' ? 1 : 0;
  const shares = start === 1 ? weightShares(sums, weightLevels, clients) : clients;
  if (typeof shares !== 'number') return shares;
  if (shares === 0) return { kind: 'no-weight' };
  const divisor = aggregation === 'sum' ? 1 : shares;
  // Half a level: the distance of a sum from its middle is a whole number of them.
  const unit = clippingRange / top / divisor;
  const values = new Float32Array(sums.length - start);
  const exceeding = isBigInts(sums)
    ? scaleBigInts(values, sums, start, BigInt(clients) * BigInt(top), unit)
    : scaleNumbers(values, sums, start, clients * top, unit);
  return exceeding === undefined ? { kind: 'finish', values } : outOfRange(exceeding, clients);
}

/** The sum of the weight ratios: a number from 0 to `clients`. */
function weightShares(
  sums: ArrayLike<number> | ArrayLike<bigint>,
  weightLevels: number,
  clients: number,
): number | DequantizationFault {
  const total = sums[0] ?? -1;
  if (total < 0 || total > BigInt(clients) * BigInt(weightLevels)) {
    return fault(
      'dequantize',
      'sum-out-of-range',
      `the sum of the weights is none of ${clients} clients that kept to their maximum`,
    );
  }
  return Number(total) / weightLevels;
}

/** @returns the position of a sum beyond `largest`, of the values without the weight. */
function scaleNumbers(
  values: Float32Array,
  sums: ArrayLike<number>,
  start: number,
  largest: number,
  unit: number,
): number | undefined {
  for (let i = 0; i < values.length; i += 1) {
    const sum = sums[start + i]!;
    if (!(sum >= 0 && sum <= largest)) return i;
    values[i] = (2 * sum - largest) * unit;
  }
  return undefined;
}

function scaleBigInts(
  values: Float32Array,
  sums: ArrayLike<bigint>,
  start: number,
  largest: bigint,
  unit: number,
): number | undefined {
  for (let i = 0; i < values.length; i += 1) {
    const sum = sums[start + i]!;
    if (sum < 0n || sum > largest) return i;
    values[i] = Number(2n * sum - largest) * unit;
  }
  return undefined;
}

function outOfRange(position: number, clients: number): DequantizationFault {
  return fault(
    'dequantize',
    'sum-out-of-range',
    `the sum at position ${position} is none of ${clients} clients that kept to their range`,
  );
}

function isBigInts(sums: ArrayLike<number> | ArrayLike<bigint>): sums is ArrayLike<bigint> {
  return typeof sums[0] === 'bigint';
}
