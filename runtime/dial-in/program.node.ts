/** @file What a coordinator runs: the default export of a module. */

import type { Logger } from '../logging/index.ts';
import type { Coordinator } from './coordinator.node.ts';

export interface ProgramSurroundings {
  readonly coordinator: Coordinator;
  /** Prints a result. */
  readonly out: (text: string) => void;
  readonly log: Logger;
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal;
  /** What followed `--` on the command line. */
  readonly args: readonly string[];
}

/**
 * Chooses cohorts and runs computations on them. When it is done the coordinator closes.
 *
 * ```ts
 * const program: CoordinatorProgram = async ({ coordinator, out, signal }) => {
 *   const cohort = await coordinator.select({ atLeast: 3, within: 60_000, signal });
 *   await using context = cohort.context({ secureAggregation: (identities) => secAgg({ identities }) });
 *   out(String(await withContext(context, () => total())));
 * };
 * export default program;
 * ```
 */
export type CoordinatorProgram = (surroundings: ProgramSurroundings) => Promise<void>;
