/** @file The options of executor stacks, and what becomes of them. */

import type { Tracer } from '@opentelemetry/api';
import type { Backend } from '../computations/tensors/index.ts';
import { ValueError } from '../computations/types/index.ts';
import type { Executor } from '../executors/executor.ts';
import type { DataSource } from '../executors/leaf/data-source.ts';
import type { Operator } from '../executors/leaf/operator.ts';
import type { TreeAggregation } from '../executors/placed/composition.ts';
import type { LossOptions, LostClients } from '../executors/placed/lost-clients.ts';
import { requireWhole } from '../executors/secure/cohort.ts';
import type { SecureStack, SecureStackProvider } from '../executors/secure/secure-stack.ts';
import type { TracingOptions } from '../executors/watching/tracing.ts';

/** What stacks of placed values have in common, wherever their clients are. */
export interface StackOptions {
  /** Number of clients where the arguments do not tell. @default 0 */
  readonly defaultClients?: number;
  /** Runs the secure intrinsics, e.g. `paillier()` or `masking()`. Without it they are refused. */
  readonly secureAggregation?: SecureStack | SecureStackProvider;
  /**
   * Makes the executor of one participant, instead of the standard one.
   * @param placement `clients`, `server`, `combiner` (see `maxFanout`), or a role of the secure
   *   aggregation.
   * @param index from 0, among those at the placement.
   */
  readonly leaf?: (placement: string, index: number) => Executor | Promise<Executor>;
  /** Puts an executor of your own around each leaf. */
  readonly wrapLeaf?: (leaf: Executor, placement: string, index: number) => Executor;
  /** Puts an executor of your own around the whole stack. */
  readonly wrap?: (stack: Executor) => Executor;
  /** Where tensors live. @default what `loadBackend()` chooses, loaded at the first run */
  readonly backend?: Backend;
  /** Operators at every participant, beside those of the secure aggregation. */
  readonly operators?: readonly Operator[];
  /** Finds the data that `data` blocks name, at each participant. */
  readonly dataSource?: (placement: string, index: number) => DataSource;
  /** Random bytes for operators; for tests. @default `crypto.getRandomValues` */
  readonly random?: (n: number) => Uint8Array;
  /** How many executors, one for each number of clients, are kept for reuse. @default 10 */
  readonly maxExecutors?: number;
  /**
   * Arranges the clients as a tree of which no node has more children; at least 2. The inner nodes
   * have executors like those of the server, at the placement `combiner`. @default no tree
   */
  readonly maxFanout?: number;
  /** How `federated_aggregate` runs over a tree. @default 'in-order' */
  readonly treeAggregation?: TreeAggregation;
  /**
   * What becomes of a computation when a client fails in work of its own: training, finding its data,
   * receiving a broadcast.
   * - `fail`: it fails, with `execution.client_failed`.
   * - `survive`: it goes on without the client. A secure sum leaves it out if its protocol can; what
   *   else reads its value fails as above: plain aggregations, results at CLIENTS.
   * - `drop`: plain aggregations leave it out, too.
   *
   * Progress tells who was lost (`client-lost`), and whom an aggregation was made without
   * (`secure-sum`, `dropped-clients`).
   * @default 'survive' if all protocols of `secureAggregation` can go on without some clients, else
   *   'fail'
   */
  readonly lostClients?: LostClients;
  /**
   * With `lostClients: 'drop'`: how many clients a plain aggregation must be left with. One that lost
   * so many that fewer are left fails with `execution.too_few_clients`.
   * @default 1
   */
  readonly minimumSurvivors?: number;
  /**
   * How long each piece of the clients' work may take, in milliseconds, from when all of them begin
   * with it; those that take longer have failed. On one thread they compute one after the other, so
   * the time is that of all. @default as long as the invocation
   */
  readonly clientTimeoutMs?: number;
  /** Keeps the results of pure calls for equal ones later; see CachingExecutor. @default none */
  readonly caching?: { readonly maxEntries?: number };
  /** Makes spans with the OpenTelemetry API; see TracingExecutor. @default false */
  readonly tracing?: boolean | { readonly tracer: Tracer };
}

/**
 * @throws ValueError `value.out_of_range`, also for a number of survivors that nothing would ask for.
 */
export function lossesOf(
  { lostClients, minimumSurvivors, clientTimeoutMs }: StackOptions,
  secure: SecureStack | null,
): LossOptions {
  // Without types anything could be asked for, and would mean `fail` in one place, and not in another.
  if (lostClients !== undefined && !LOST_CLIENTS.includes(lostClients)) {
    throw new ValueError(
      'value.out_of_range',
      `lostClients is one of ${LOST_CLIENTS.join(', ')}; got ${lostClients}.`,
    );
  }
  if (clientTimeoutMs !== undefined) requireClientTimeout(clientTimeoutMs);
  if (minimumSurvivors !== undefined) {
    requireWhole('minimumSurvivors', minimumSurvivors, 1, 2 ** 32 - 1);
    if (lostClients !== 'drop') {
      throw new ValueError(
        'value.out_of_range',
        "minimumSurvivors is for plain aggregations that drop lost clients, and this stack drops none. Add lostClients: 'drop'.",
      );
    }
  }
  return {
    lostClients: lostClients ?? (secure?.survivesLosses ? 'survive' : 'fail'),
    ...(minimumSurvivors !== undefined && { minimumSurvivors }),
    ...(clientTimeoutMs !== undefined && { clientTimeoutMs }),
  };
}

/** @throws ValueError `value.out_of_range` for a time that no timer can keep. */
export function requireClientTimeout(clientTimeoutMs: number): void {
  requireWhole('clientTimeoutMs', clientTimeoutMs, 1, 2 ** 31 - 1);
}

const LOST_CLIENTS: readonly LostClients[] = ['fail', 'survive', 'drop'];

export function tracingOptions(tracing: StackOptions['tracing']): TracingOptions | null {
  if (tracing === undefined || tracing === false) return null;
  return tracing === true ? {} : tracing;
}
