/** @file Binds protocols to intrinsics and makes the part of an executor stack that uses them. */

import { UnsupportedAggregationError } from '../../computations/types/index.ts';
import type { Operator } from '../leaf/operator.ts';
import type { SecureAggregationProtocol } from './protocol.ts';
import { SecureFederatedExecutor } from './secure-federated.ts';
import type { SecureStack, SecureStackProvider } from './secure-stack.ts';
import { SECURE_SUMS, type SecureSumUri } from './terms.ts';

/** One protocol for all secure sums, or one for each intrinsic by its URI; those left out are not supported. */
export type ProtocolAssignment =
  | SecureAggregationProtocol
  | { readonly [uri in SecureSumUri]?: SecureAggregationProtocol };

export interface SecureAggregationOptions {
  /**
   * Plain aggregations that may run all the same, by URI (`federated_mean`). What they aggregate is
   * shown to the server. All others are refused.
   * @default none
   */
  readonly allowPlain?: readonly string[];
}

/** What `localExecutorFactory` takes as `secureAggregation`. */
export interface SecureAggregation extends SecureStackProvider {
  /** The same protocols with other options. */
  with(options: SecureAggregationOptions): SecureAggregation;
}

/**
 * Secure aggregation by the given protocols.
 * @throws UnsupportedAggregationError `aggregation.unknown_protocol_intrinsic` for a URI that is no
 *   secure sum.
 * @throws TypeError if two protocols bring operators with one URI.
 */
export function secureAggregation(
  assignment: ProtocolAssignment,
  options: SecureAggregationOptions = {},
): SecureAggregation {
  const protocols = protocolsByUri(assignment);
  const distinct = [...new Set(protocols.values())];
  const operators = operatorsOf(distinct);
  return {
    with: (others) => secureAggregation(assignment, { ...options, ...others }),
    secureStack: (): SecureStack => ({
      handles: new Set(),
      roles: [...new Set(distinct.flatMap(({ roles }) => roles))],
      operators,
      wrap: (target) => new SecureFederatedExecutor(target, protocols, new Set(options.allowPlain)),
    }),
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
