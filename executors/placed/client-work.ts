/**
 * @file Work at many children at once. All start together; results keep the order of the children,
 * whatever the order in which they finish. When one fails the others stop at their next step, what
 * they made is disposed, and only then is the failure reported: nothing is left running. An interrupted
 * request does not wait for children that do not stop; what they come up with later is disposed.
 *
 * Clients can be lost instead, where the stack says so: then the others go on, and what the client
 * was to make is a `LostMember`.
 */

import type { MaterializedValue, Type } from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { breathe, Interruption, interruptible } from '../interruption.ts';
import { Roll } from '../roll.ts';
import {
  clientFailed,
  firstLost,
  type LossOptions,
  LostMember,
  loseClient,
} from './lost-clients.ts';
import { TimeLimit } from './time-limit.ts';

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

/** Where children are, as messages say it, and what becomes of those that fail. */
export interface Site {
  readonly placement: string;
  /** By which number messages call one of them: a part of the clients does not begin at 0. */
  readonly numberOf: (index: number) => number;
  /** Of clients. @default one that fails ends the work, which may take as long as it likes */
  readonly losses?: LossOptions;
}

/** Children that have the numbers of their places. */
export const asCounted = (index: number): number => index;

/** Makes up for the work of a child that failed. */
export type Substitute<T> = (error: unknown, index: number) => T;

/** @returns what to dispose when the work of another child fails. */
export type ChildWork<T> = (child: Executor, index: number, gate: WorkGate) => Promise<T>;

/**
 * Does the same work at every child.
 * @param site where the children are.
 * @param what names the work in messages.
 * @param substitute without it, one child that fails ends the work of all.
 * @throws ExecutionError `execution.client_failed` for the child that failed first, or the reason of
 *   the request's signal.
 */
export async function atEachChild<T extends Disposable>(
  children: readonly Executor[],
  site: Site,
  what: string,
  options: RequestOptions,
  work: ChildWork<T>,
  substitute?: Substitute<T>,
): Promise<T[]> {
  options.signal?.throwIfAborted();
  using limit = new TimeLimit(options, site.losses?.clientTimeoutMs);
  using interruption = new Interruption(limit.options.signal);
  const results = new Array<T | undefined>(children.length).fill(undefined);
  const gate = new WorkGate(limit.options);
  const oneIsDone = countClients(children.length, site, what, options);
  let failure: { readonly index: number; readonly error: unknown } | null = null;
  const run = async (child: Executor, index: number): Promise<void> => {
    try {
      results[index] = await interruption.within(work(child, index, gate), dispose);
    } catch (error) {
      if (gate.failed) return;
      if (substitute === undefined || options.signal?.aborted) {
        gate.shut();
        failure = { index, error };
        return;
      }
      results[index] = substitute(error, index);
    }
    oneIsDone?.(index, results[index]);
  };
  await Promise.all(children.map(run));
  if (failure !== null) {
    for (const result of results) result?.[Symbol.dispose]();
    throw childFailed(site, failure, what, options);
  }
  return results as T[];
}

/** Work of clients, of which each makes a value. */
export interface ClientWork {
  /** Names it in messages. */
  readonly what: string;
  /** The type of what each makes. */
  readonly type: Type;
  /** The value that a client works on, if that is lost: then the client is not asked. */
  readonly lostBefore?: (index: number) => LostMember | undefined;
}

/** The same at every client, or at the one participant of a placement; clients may be lost. */
export function atEachClient(
  clients: readonly Executor[],
  site: Site,
  { what, type, lostBefore }: ClientWork,
  options: RequestOptions,
  work: ChildWork<ExecutorValue>,
): Promise<ExecutorValue[]> {
  const unlessLost: ChildWork<ExecutorValue> = (client, index, gate) => {
    const lost = lostBefore?.(index);
    return lost === undefined ? work(client, index, gate) : Promise.resolve(lost.as(type));
  };
  const substitute = substituteAt(site, what, type, options);
  return atEachChild(clients, site, what, options, unlessLost, substitute);
}

/** What a client leaves that fails, where the stack goes on without it. */
export function substituteAt(
  { placement, numberOf, losses }: Site,
  what: string,
  type: Type,
  options: RequestOptions,
): Substitute<LostMember> | undefined {
  if (placement !== 'clients' || (losses?.lostClients ?? 'fail') === 'fail') return undefined;
  return (error, index) =>
    loseClient({ client: numberOf(index), work: what, error }, type, options);
}

/**
 * Calls `task` on every item, all at once; failures are reported like those of `atEachChild`.
 * @param task gets what goes along with its requests.
 */
export async function gatherFromEach<I, T>(
  items: readonly I[],
  site: Site,
  what: string,
  options: RequestOptions,
  task: (item: I, index: number, options: RequestOptions) => Promise<T>,
  substitute?: Substitute<T>,
): Promise<T[]> {
  using limit = new TimeLimit(options, site.losses?.clientTimeoutMs);
  using interruption = new Interruption(limit.options.signal);
  const oneIsDone = countClients(items.length, site, what, options);
  const attempts = await Promise.allSettled(
    items.map(async (item, index) => {
      let result: T;
      try {
        result = await interruption.within(task(item, index, limit.options));
      } catch (error) {
        if (substitute === undefined || options.signal?.aborted) throw error;
        result = substitute(error, index);
      }
      oneIsDone?.(index, result);
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
 * long each takes, and not so many that all are in memory at once. Where clients are dropped, a lost
 * value comes in the place of one that is lost or cannot be read.
 * @throws ExecutionError `execution.client_failed`, before anything is read if a value is lost.
 */
export async function* readInOrder(
  members: readonly ExecutorValue[],
  site: Site,
  what: string,
  options: RequestOptions,
): AsyncGenerator<MaterializedValue | LostMember> {
  const isDropping = site.losses?.lostClients === 'drop';
  if (!isDropping) requireNoneLost(members);
  using interruption = new Interruption(options.signal);
  const oneIsDone = countClients(members.length, site, what, options);
  const read = (member: ExecutorValue): Promise<MaterializedValue | LostMember> =>
    member instanceof LostMember
      ? Promise.resolve(member)
      : interruption.within(readWithin(member, site, options));
  const underway: Promise<MaterializedValue | LostMember>[] = [];
  let started = 0;
  try {
    for (let index = 0; index < members.length; index++) {
      while (started < members.length && started < index + READ_AHEAD) {
        const reading = read(members[started++] as ExecutorValue);
        // Observed here, so that a failure that is never waited for is no unhandled rejection.
        reading.catch(() => {});
        underway.push(reading);
      }
      let value: MaterializedValue | LostMember;
      try {
        value = await (underway.shift() as Promise<MaterializedValue | LostMember>);
      } catch (error) {
        if (!isDropping || options.signal?.aborted) {
          throw childFailed(site, { index, error }, what, options);
        }
        const { type } = members[index] as ExecutorValue;
        value = loseClient({ client: site.numberOf(index), work: what, error }, type, options);
      }
      yield value;
      oneIsDone?.(index, value);
      await breathe();
    }
  } finally {
    await Promise.allSettled(underway);
  }
}

/** @throws what reading the first of them that is lost fails with. */
export function requireNoneLost(members: readonly ExecutorValue[]): void {
  const lost = firstLost(members);
  if (lost !== undefined) throw lost.error;
}

async function readWithin(
  member: ExecutorValue,
  { losses }: Site,
  options: RequestOptions,
): Promise<MaterializedValue> {
  if (losses?.clientTimeoutMs === undefined) return member.compute(options);
  using limit = new TimeLimit(options, losses.clientTimeoutMs);
  return await interruptible(member.compute(limit.options), limit.options.signal);
}

const READ_AHEAD = 64;

/** Reports how many clients are done, if somebody listens. */
function countClients(
  total: number,
  { placement, numberOf }: Site,
  work: string,
  { onProgress }: RequestOptions,
): ((index: number, result: unknown) => void) | null {
  if (onProgress === undefined || placement !== 'clients' || total === 0) return null;
  const roll = new Roll(total, (index) => `clients/${numberOf(index)}`);
  let done = 0;
  onProgress({ kind: 'clients', work, done, total, roll: roll.now(false) });
  return (index, result) => {
    done += 1;
    if (!(result instanceof LostMember)) roll.answer(index);
    onProgress({ kind: 'clients', work, done, total, roll: roll.now(done === total) });
  };
}

function dispose(value: Disposable): void {
  value[Symbol.dispose]();
}

/** The error that names which client failed, with what it said as the cause; others speak for themselves. */
function childFailed(
  { placement, numberOf }: Site,
  { index, error }: { readonly index: number; readonly error: unknown },
  what: string,
  { signal }: RequestOptions,
): unknown {
  // Nobody failed: the work was to stop.
  if (signal?.aborted) return signal.reason;
  if (placement !== 'clients') return error;
  return clientFailed({ client: numberOf(index), work: what, error });
}
