/** @file What the primitives of a ComposingExecutor work with: its children, and calls on them. */

import { intrinsic } from '../../computations/building-blocks.ts';
import {
  ExecutionError,
  type FederatedType,
  type FunctionType,
  type MaterializedValue,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import type { TargetNode, ValueNode } from '../value-tree.ts';
import { asCounted, type Site, type WorkGate } from './client-work.ts';
import type { ComposedNode } from './composed-node.ts';
import type { LossOptions } from './lost-clients.ts';

/**
 * How `federated_aggregate` runs over a tree.
 * - `in-order`: each child goes on where the one before it stopped, so that values are accumulated
 *   in the order of the clients. The result has the same bits as without a tree, for any function,
 *   and `merge` is not called. Children accumulate one after the other; all else runs in parallel.
 * - `merge`: all children accumulate from zero at the same time, and the server merges their results
 *   in the order of the children. The result is that of any other tree only if zero is neutral and
 *   `merge` is associative and agrees with `accumulate`; sums of floats differ by rounding.
 */
export type TreeAggregation = 'in-order' | 'merge';

export interface Composition {
  readonly server: Executor;
  /** The children, in the order of their clients. */
  readonly executors: readonly Executor[];
  /** How many clients each of them has. */
  readonly counts: readonly number[];
  readonly aggregation: TreeAggregation;
  /** What came with the request for which the intrinsic runs. */
  readonly options: RequestOptions;
  /** The same for the children: what they report counts towards all clients. */
  readonly below: RequestOptions;
  /** Brings an unplaced value to the server's executor. */
  lower(node: ValueNode): Promise<TargetNode>;
  readonly losses: LossOptions;
  /** How many clients all children have. */
  readonly clientCount: number;
  /** All clients, one by one. */
  clients(): readonly Executor[];
  /** A value of all clients, one by one, and the other way round. */
  membersOf(value: ComposedNode): readonly ExecutorValue[];
  compose(members: readonly ExecutorValue[], type: FederatedType): ComposedNode;
}

/** Where children stand, for messages: they name their clients themselves. */
export const CHILDREN: Site = { placement: 'children', numberOf: asCounted };

/** Calls an intrinsic at a child. The argument stays the caller's, and so becomes the result. */
export async function callAtChild(
  child: Executor,
  uri: string,
  type: FunctionType,
  argument: ExecutorValue,
  { options, gate }: { readonly options: RequestOptions; readonly gate?: WorkGate },
): Promise<ExecutorValue> {
  using callee = await child.createValue(intrinsic(uri, type), type, options);
  gate?.pass();
  return await child.createCall(callee, argument, options);
}

/** A struct of values of a child, without names. They stay the caller's. */
export function structAtChild(
  child: Executor,
  ...values: readonly ExecutorValue[]
): Promise<ExecutorValue> {
  return child.createStruct(values.map((value) => ({ name: null, value })));
}

/** Cuts a list in pieces of these lengths, one after the other. */
export function shareOut<T>(items: readonly T[], counts: readonly number[]): T[][] {
  let start = 0;
  return counts.map((count) => {
    start += count;
    return items.slice(start - count, start);
  });
}

/** The members of a placed value that a child sent. */
export function membersOf(value: MaterializedValue): readonly MaterializedValue[] {
  if (value.kind === 'federated') return value.members;
  throw new ExecutionError(
    'execution.unsupported_value',
    `A child of the tree sent a ${value.kind} where a placed value is due.`,
  );
}

/**
 * What goes along with requests to the children. They tell of their own clients; whoever listens
 * hears of all clients, and of each intrinsic once.
 * @param total number of clients of all children.
 */
export function optionsBelow(options: RequestOptions, total: number): RequestOptions {
  const { onProgress } = options;
  if (onProgress === undefined) return options;
  const doneByWork = new Map<string, number>();
  return {
    ...options,
    onProgress(step) {
      if (step.kind === 'intrinsic' || step.kind === 'dropped-clients') return;
      if (step.kind !== 'clients') {
        onProgress(step);
        return;
      }
      const known = doneByWork.get(step.work);
      // Each child begins at none; after that, each report is one client more.
      if (step.done === 0 && known !== undefined) return;
      const done = step.done === 0 ? 0 : (known ?? 0) + 1;
      doneByWork.set(step.work, done);
      onProgress({ ...step, done, total });
    },
  };
}
