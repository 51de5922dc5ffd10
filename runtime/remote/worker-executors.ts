/**
 * @file What a worker makes for those who ask: its leaf for one participant, and stacks of placed
 * values for many, which may again be on other workers.
 */

import type { Cardinalities, Executor, ExecutorFactory } from '../../executors/executor.ts';

export interface WorkerExecutors {
  /** Makes the executor of one participant, for those who name no placement. */
  readonly leaf: () => Executor | Promise<Executor>;
  /** Makes stacks for so many clients; not closed with them. */
  readonly factory: ExecutorFactory;
}

/** The `makeExecutor` of an ExecutorHost. */
export function workerExecutors({
  leaf,
  factory,
}: WorkerExecutors): (cardinalities: Cardinalities) => Promise<Executor> {
  return async (cardinalities) => {
    if (Object.keys(cardinalities).length === 0) return leaf();
    return borrowed(await factory.createExecutor(cardinalities), factory);
  };
}

/** The factory keeps the executor, and may give it to others: to close it is to give it back. */
function borrowed(executor: Executor, factory: ExecutorFactory): Executor {
  let isOurs = true;
  return {
    createValue: (...args) => executor.createValue(...args),
    createCall: (...args) => executor.createCall(...args),
    createStruct: (...args) => executor.createStruct(...args),
    createSelection: (...args) => executor.createSelection(...args),
    async close() {
      if (isOurs) factory.releaseExecutor?.(executor);
      isOurs = false;
    },
  };
}
