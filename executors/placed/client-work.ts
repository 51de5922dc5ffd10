/**
 * @file Work at many children at once. All start together; results keep the order of the children,
 * whatever the order in which they finish. When one fails the others stop at their next step, what
 * they made is disposed, and only then is the failure reported: nothing is left running. An interrupted
 * request does not wait for children that do not stop; what they come up with later is disposed.
 */

import { ExecutionError, type MaterializedValue } from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { breathe, Interruption } from '../interruption.ts';

/** Passed along by the work of each child, between its steps. */
export class WorkGate {
  /** What came with the request, to be passed on. */
  readonly options: RequestOptions;
  #failed = false;

  constructor(options: RequestOptions) {
    this.options = options;
  }

  get failed(): boolean {
    return this.#failed;
  }

  shut(): void {
    this.#failed = true;
  }

  /** Ends the work of this child if another one failed meanwhile, or the request was interrupted. */
  pass(): void {
    if (this.#failed) throw new Stopped();
    this.options.signal?.throwIfAborted();
  }
}

/** The work ended because that of another child failed; never seen from outside. */
class Stopped extends Error {}

/** Where children are, as messages say it. */
export interface Site {
  readonly placement: string;
  /** The number of the first one there: a part of the clients does not begin at 0. */
  readonly first: number;
}

/** @returns what to dispose when the work of another child fails. */
export type ChildWork<T> = (child: Executor, index: number, gate: WorkGate) => Promise<T>;

/**
 * Does the same work at every child.
 * @param site where the children are.
 * @param what names the work in messages.
 * @throws ExecutionError `execution.client_failed` for the child that failed first, or the reason of
 *   the request's signal.
 */
export async function atEachChild<T extends Disposable>(
  children: readonly Executor[],
  site: Site,
  what: string,
  options: RequestOptions,
  work: ChildWork<T>,
): Promise<T[]> {
  options.signal?.throwIfAborted();
  using interruption = new Interruption(options.signal);
  const results = new Array<T | undefined>(children.length).fill(undefined);
  const gate = new WorkGate(options);
  const oneIsDone = countClients(children.length, site, what, options);
  let failure: { readonly index: number; readonly error: unknown } | null = null;
  const run = async (child: Executor, index: number): Promise<void> => {
    try {
      results[index] = await interruption.within(work(child, index, gate), dispose);
      oneIsDone?.();
    } catch (error) {
      if (gate.failed) return;
      gate.shut();
      failure = { index, error };
    }
  };
  await Promise.all(children.map(run));
  if (failure !== null) {
    for (const result of results) result?.[Symbol.dispose]();
    throw childFailed(site, failure, what, options);
  }
  return results as T[];
}

/** Calls `task` on every item, all at once; failures are reported like those of `atEachChild`. */
export async function gatherFromEach<I, T>(
  items: readonly I[],
  site: Site,
  what: string,
  options: RequestOptions,
  task: (item: I, index: number) => Promise<T>,
): Promise<T[]> {
  using interruption = new Interruption(options.signal);
  const oneIsDone = countClients(items.length, site, what, options);
  const attempts = await Promise.allSettled(
    items.map(async (item, index) => {
      const result = await interruption.within(task(item, index));
      oneIsDone?.();
      return result;
    }),
  );
  return attempts.map((attempt, index) => {
    if (attempt.status === 'fulfilled') return attempt.value;
    throw childFailed(site, { index, error: attempt.reason }, what, options);
  });
}

/**
 * The values of the clients in their order. A few are on their way at a time: enough to hide how
 * long each takes, and not so many that all are in memory at once.
 */
export async function* readInOrder(
  members: readonly ExecutorValue[],
  site: Site,
  what: string,
  options: RequestOptions,
): AsyncGenerator<MaterializedValue> {
  using interruption = new Interruption(options.signal);
  const oneIsDone = countClients(members.length, site, what, options);
  const underway: Promise<MaterializedValue>[] = [];
  let started = 0;
  try {
    for (let index = 0; index < members.length; index++) {
      while (started < members.length && started < index + READ_AHEAD) {
        const reading = interruption.within((members[started++] as ExecutorValue).compute(options));
        // Observed here, so that a failure that is never waited for is no unhandled rejection.
        reading.catch(() => {});
        underway.push(reading);
      }
      let value: MaterializedValue;
      try {
        value = await (underway.shift() as Promise<MaterializedValue>);
      } catch (error) {
        throw childFailed(site, { index, error }, what, options);
      }
      yield value;
      oneIsDone?.();
      await breathe();
    }
  } finally {
    await Promise.allSettled(underway);
  }
}

const READ_AHEAD = 64;

/** Reports how many clients are done, if somebody listens. */
function countClients(
  total: number,
  { placement }: Site,
  work: string,
  { onProgress }: RequestOptions,
): (() => void) | null {
  if (onProgress === undefined || placement !== 'clients' || total === 0) return null;
  let done = 0;
  onProgress({ kind: 'clients', work, done, total });
  return () => onProgress({ kind: 'clients', work, done: ++done, total });
}

function dispose(value: Disposable): void {
  value[Symbol.dispose]();
}

/** The error that names which client failed, with what it said as the cause; others speak for themselves. */
function childFailed(
  { placement, first }: Site,
  { index, error }: { readonly index: number; readonly error: unknown },
  what: string,
  { signal }: RequestOptions,
): unknown {
  // Nobody failed: the work was to stop.
  if (signal?.aborted) return signal.reason;
  if (placement !== 'clients') return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ExecutionError(
    'execution.client_failed',
    `Client ${first + index} failed in ${what}: ${reason}`,
    { cause: error },
  );
}
