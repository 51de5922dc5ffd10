/** @file Which aggregations show clients' values to the server, and what a secure stack says to them. */

import type { Intrinsic } from '../../computations/building-blocks.ts';
import { UnsupportedAggregationError } from '../../computations/types/index.ts';
import { INTRINSICS } from '../../intrinsics/table.ts';

/**
 * Refuses what shows clients' values to the server.
 * @param allowed URIs of plain aggregations that may run all the same.
 * @throws UnsupportedAggregationError `aggregation.plain_blocked` naming the secure alternative.
 */
export function requireAllowed({ uri, origin }: Intrinsic, allowed: ReadonlySet<string>): void {
  if (!showsValues(uri)) return;
  // What it does decides, not what it says it was made from; that only names it.
  const name = origin !== undefined && showsValues(origin) ? origin : uri;
  if (allowed.has(name)) return;
  throw new UnsupportedAggregationError(
    'aggregation.plain_blocked',
    `${name} shows the clients' values to the server, and this stack aggregates securely only. ${
      SECURE_ALTERNATIVES[name] ?? 'There is no secure form of it; express it by secure sums.'
    } To allow it all the same, name it: secureAggregation(protocol, { allowPlain: ['${name}'] }).`,
  );
}

/** Whether an intrinsic brings clients' values, or the keys they ask for, to the server. */
function showsValues(uri: string): boolean {
  const definition = INTRINSICS.get(uri);
  return (
    definition?.aggregation === 'plain' ||
    (definition?.broadcast === 'plain' && uri === 'federated_select')
  );
}

const QUANTIZE =
  'give the stack a quantisation, secureAggregation(protocol, { quantization: { clippingRange: 8 } })';
const SECURE_MEAN = `A secure sum can make it: ${QUANTIZE}.`;

const SECURE_ALTERNATIVES: { readonly [uri: string]: string | undefined } = {
  federated_sum: `Use federatedSecureSumBitwidth for integers; for floats, ${QUANTIZE}.`,
  federated_mean: SECURE_MEAN,
  federated_mean_or_zero: SECURE_MEAN,
  federated_weighted_mean: SECURE_MEAN,
  federated_weighted_mean_or_zero: SECURE_MEAN,
  federated_select: 'Use federatedSecureSelect.',
};
