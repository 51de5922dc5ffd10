/** @file The aggregations of floats that a stack with a quantisation makes with a secure sum. */

import {
  compactNotation,
  isFloatDType,
  type Type,
  tensorLeaves,
  UnsupportedAggregationError,
} from '../../../computations/types/index.ts';
import type { QuantizedAggregation } from '../../../protocols/index.ts';

export interface QuantizedComposite {
  readonly uri: string;
  readonly aggregation: QuantizedAggregation;
  /** What it is without clients, or without weight. */
  readonly whenEmpty: 'error' | 'zero';
}

/** By URI. */
export const QUANTIZED_COMPOSITES: ReadonlyMap<string, QuantizedComposite> = new Map(
  (
    [
      { uri: 'federated_sum', aggregation: 'sum', whenEmpty: 'zero' },
      { uri: 'federated_mean', aggregation: 'mean', whenEmpty: 'error' },
      { uri: 'federated_mean_or_zero', aggregation: 'mean', whenEmpty: 'zero' },
      { uri: 'federated_weighted_mean', aggregation: 'weighted-mean', whenEmpty: 'error' },
      { uri: 'federated_weighted_mean_or_zero', aggregation: 'weighted-mean', whenEmpty: 'zero' },
    ] as const
  ).map((composite) => [composite.uri, composite]),
);

/**
 * Integers are not quantised: their sums are exact where their bound is known, and only the author of
 * the computation knows it.
 * @throws UnsupportedAggregationError `aggregation.plain_blocked`
 */
export function requireFloats({ uri }: QuantizedComposite, member: Type): void {
  const other = tensorLeaves(member).find(({ dtype }) => !isFloatDType(dtype));
  if (other === undefined) return;
  throw new UnsupportedAggregationError(
    'aggregation.plain_blocked',
    `This stack makes ${uri} of floats by a secure sum, and was given ${compactNotation(member)}. Use federatedSecureSumBitwidth for integers, or cast them to float32. To have all of ${uri} in the clear, also that of floats, name it: secureAggregation(protocol, { allowPlain: ['${uri}'] }).`,
  );
}
