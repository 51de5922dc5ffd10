/** @file Binds protocols to intrinsics and makes the part of an executor stack that uses them. */

import { UnsupportedAggregationError } from '../../computations/types/index.ts';
import type { Operator } from '../leaf/operator.ts';
import { withRecipe } from './define-operator.ts';
import type { SecureAggregationProtocol } from './protocol.ts';
import { QUANTIZED_COMPOSITES } from './quantization/composites.ts';
import { quantizationOperators } from './quantization/operators.ts';
import { type QuantizedAggregationOptions, quantizationPolicy } from './quantization/options.ts';
import { QuantizedAggregations } from './quantization/quantized-aggregation.ts';
import { type QuantizedSums, SecureFederatedExecutor } from './secure-federated.ts';
import type { SecureStack, SecureStackProvider } from './secure-stack.ts';
import { SECURE_SUMS, type SecureSumUri } from './terms.ts';

/** One protocol for all secure sums, or one for each intrinsic by its URI; those left out are not supported. */
export type ProtocolAssignment =
  | SecureAggregationProtocol
  | { readonly [uri in SecureSumUri]?: SecureAggregationProtocol };

export interface SecureAggregationOptions {
  /**
   * Plain aggregations that may run all the same, by URI (`federated_mean`). What they aggregate is
   * shown to the server, also where a quantisation could make them. All others are refused.
   * @default none
   */
  readonly allowPlain?: readonly string[] | undefined;
  /**
   * Makes `federatedSum` and `federatedMean`, plain and weighted, of floats and structs of them over
   * the protocol of `federated_secure_sum`. Each client clips its values, weighs them and rounds them
   * stochastically to integers, whose sum is exact; the result is off by no more than `errorBound`
   * says. A client that cannot quantise its value (NaN, a weight above the maximum) is lost to the sum.
   * @default none: such aggregations are refused
   */
  readonly quantization?: QuantizedAggregationOptions | undefined;
}

/** What `localExecutorFactory` takes as `secureAggregation`. */
export interface SecureAggregation extends SecureStackProvider {
  /** The same protocols with other options. */
  with(options: SecureAggregationOptions): SecureAggregation;
}

/**
 * Secure aggregation by the given protocols.
 * @throws UnsupportedAggregationError `aggregation.unknown_protocol_intrinsic` for a URI that is no
 *   secure sum; `aggregation.no_secure_protocol` for a quantisation without a protocol of
 *   `federated_secure_sum`.
 * @throws ValueError `value.out_of_range` for a quantisation without sense.
 * @throws TypeError if two protocols bring operators with one URI.
 */
export function secureAggregation(
  assignment: ProtocolAssignment,
  options: SecureAggregationOptions = {},
): SecureAggregation {
  const protocols = protocolsByUri(assignment);
  const distinct = [...new Set(protocols.values())];
  const { allowPlain = [], quantization } = options;
  const quantized = quantization && quantizing(quantization, protocols);
  const operators = [...operatorsOf(distinct), ...(quantized?.operators ?? [])];
  return {
    with: (others) => secureAggregation(assignment, { ...options, ...others }),
    secureStack: (): SecureStack => ({
      // What is allowed in the clear is reduced to primitives like on any other stack.
      handles: new Set(quantized?.composites.filter((uri) => !allowPlain.includes(uri))),
      roles: [...new Set(distinct.flatMap(({ roles }) => roles))],
      operators,
      survivesLosses:
        distinct.length > 0 && distinct.every(({ survivesLosses = false }) => survivesLosses),
      wrap: (target) =>
        new SecureFederatedExecutor(target, protocols, {
          allowPlain: new Set(allowPlain),
          ...(quantized && { quantized: quantized.sums }),
        }),
    }),
  };
}

interface Quantizing {
  /** URIs of the aggregations that are made with it. */
  readonly composites: readonly string[];
  readonly operators: readonly Operator[];
  readonly sums: QuantizedSums;
}

function quantizing(
  options: QuantizedAggregationOptions,
  protocols: ReadonlyMap<string, SecureAggregationProtocol>,
): Quantizing {
  const policy = quantizationPolicy(options);
  const protocol = protocols.get('federated_secure_sum');
  if (protocol === undefined) {
    throw new UnsupportedAggregationError(
      'aggregation.no_secure_protocol',
      `A quantisation needs a protocol for federated_secure_sum, which adds up the quantised values; protocols were given for ${[...protocols.keys()].join(', ')}.`,
    );
  }
  return {
    composites: [...QUANTIZED_COMPOSITES.keys()],
    operators: withRecipe('quantization', quantizationOperators, policy),
    sums: { aggregations: new QuantizedAggregations(policy, options.onClipped), protocol },
  };
}

/**
 * An operator holds the policy of its party (smallest cohort, keys, what is decrypted), so of two
 * with one URI the second must not take the place of the first.
 */
function operatorsOf(protocols: readonly SecureAggregationProtocol[]): readonly Operator[] {
  const byUri = new Map<string, Operator>();
  for (const operator of protocols.flatMap(({ operators }) => operators)) {
    const known = byUri.get(operator.uri);
    if (known !== undefined && known !== operator) {
      throw new TypeError(
        `Two protocols bring an operator '${operator.uri}', each with its own policy (${protocols.map(({ name }) => name).join(', ')}). Make the protocol once, and give the same object for each intrinsic.`,
      );
    }
    byUri.set(operator.uri, operator);
  }
  return [...byUri.values()];
}

function protocolsByUri(
  assignment: ProtocolAssignment,
): ReadonlyMap<string, SecureAggregationProtocol> {
  if ('open' in assignment)
    return new Map(SECURE_SUMS.map((uri) => [uri, assignment as SecureAggregationProtocol]));
  const entries = Object.entries(
    assignment as { readonly [uri: string]: SecureAggregationProtocol },
  );
  for (const [uri] of entries) {
    if ((SECURE_SUMS as readonly string[]).includes(uri)) continue;
    throw new UnsupportedAggregationError(
      'aggregation.unknown_protocol_intrinsic',
      `A protocol was given for '${uri}', which is no secure sum. Protocols are for ${SECURE_SUMS.join(', ')}.`,
    );
  }
  return new Map(entries);
}
