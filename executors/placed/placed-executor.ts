/**
 * @file An executor of placed values that lets an executor around it work on their members: how a
 * secure aggregation drives the clients through their own executors.
 */

import type { FederatedType, PlacementUri } from '../../computations/types/index.ts';
import type { Executor, ExecutorValue } from '../executor.ts';
import type { Lost } from '../lost-client.ts';

export interface PlacedExecutor extends Executor {
  /** How messages and protocols number the clients, in their order. */
  readonly clientNumbers: readonly number[];
  /**
   * The executors at a placement, in order; exactly one for the server and for each role.
   * @throws CardinalityError `cardinality.unknown` for a placement that this executor lacks.
   */
  children(placement: PlacementUri): readonly Executor[];
  /**
   * The handles at the children that a placed value consists of, one for each child in their order.
   * They belong to `value`, and are valid as long as it is. In the place of one that a client failed
   * to make stands a `LostMember`, which no executor takes.
   * @throws FederatedTypeError `type.wrong_kind` if the value is not placed.
   */
  members(value: ExecutorValue): readonly ExecutorValue[];
  /**
   * Makes a placed value of handles at the children; they belong to it from then on.
   * @param missing the clients that were left out of a value that was aggregated; see
   *   `ExecutorValue.missing`.
   * @throws CardinalityError `cardinality.mismatch` unless there is one for each child. The handles
   *   are disposed then.
   */
  place(
    members: readonly ExecutorValue[],
    type: FederatedType,
    missing?: readonly Lost[],
  ): ExecutorValue;
}
