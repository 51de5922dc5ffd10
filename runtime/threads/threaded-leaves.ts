/**
 * @file Leaf executors on worker threads. What cannot be sent to a thread stays on this one, around
 * the executor of the thread: data sources, and operators that are only known as functions. What
 * such an operator keeps secret stays here too.
 */

import type { BackendName } from '../../computations/tensors/index.ts';
import type { Executor } from '../../executors/executor.ts';
import { DataExecutor, type DataSource } from '../../executors/leaf/data-source.ts';
import type { Operator, OperatorRecipe } from '../../executors/leaf/operator.ts';
import { OperatorExecutor } from '../../executors/leaf/operators.ts';
import { ReferenceResolvingExecutor } from '../../executors/reference-resolving.ts';
import { ThreadPool, type ThreadPoolUsage } from '../../executors/threads/pool.ts';

export interface ThreadedLeavesOptions {
  /** How many workers at most; `'auto'` is one for each core. */
  readonly threads: number | 'auto';
  /** @default what `loadBackend()` chooses */
  readonly backend?: BackendName;
  /** Bounds the start of a worker, in milliseconds. @default 30000 */
  readonly startTimeoutMs?: number;
}

export interface ThreadedLeafOptions {
  readonly operators?: readonly Operator[];
  readonly dataSource?: DataSource;
  /** Random bytes for operators. Those that use them run on this thread. */
  readonly random?: (n: number) => Uint8Array;
}

/** Leaves whose tensors, sequences and operators are on worker threads. */
export class ThreadedLeaves {
  readonly #pool: ThreadPool;

  /** @throws ValueError `value.out_of_range`, ExecutionError `execution.backend_unavailable` */
  constructor({ threads, backend, startTimeoutMs }: ThreadedLeavesOptions) {
    this.#pool = new ThreadPool({
      threads,
      module: new URL(import.meta.url.replace(/threaded-leaves\.(ts|js)$/, 'worker.node.$1')),
      data: { backend },
      ...(startTimeoutMs !== undefined && { startTimeoutMs }),
    });
  }

  async leaf({ operators = [], dataSource, random }: ThreadedLeafOptions): Promise<Executor> {
    const recipes = random === undefined ? recipesOf(operators) : [];
    const here = operators.filter(
      ({ recipe }) => recipe === undefined || !recipes.includes(recipe),
    );
    const onThread = await this.#pool.executor(recipes);
    if (here.length === 0 && dataSource === undefined) return onThread;
    const calls =
      here.length === 0
        ? onThread
        : new OperatorExecutor(onThread, here, random === undefined ? {} : { random });
    const data = dataSource === undefined ? calls : new DataExecutor(calls, dataSource);
    return new ReferenceResolvingExecutor(data);
  }

  /** The workers that run, and what they hold. */
  get usage(): ThreadPoolUsage {
    return this.#pool.usage;
  }

  /** How many workers broke down: the leaves that were on them are of no use any more. */
  get workersLost(): number {
    return this.#pool.workersLost;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

function recipesOf(operators: readonly Operator[]): readonly OperatorRecipe[] {
  return [...new Set(operators.flatMap(({ recipe }) => (recipe === undefined ? [] : [recipe])))];
}
