/** @file Stacks of executors around leaves, wherever those are. */

import { type Backend, loadBackend } from '../computations/tensors/index.ts';
import { CardinalityError } from '../computations/types/index.ts';
import { CachingExecutor } from '../executors/caching/caching.ts';
import type { Cardinalities, Executor } from '../executors/executor.ts';
import type { LossOptions } from '../executors/placed/lost-clients.ts';
import type { PlacedExecutor } from '../executors/placed/placed-executor.ts';
import { ReferenceResolvingExecutor } from '../executors/reference-resolving.ts';
import type { SecureStack } from '../executors/secure/secure-stack.ts';
import { participantAttributes, TracingExecutor } from '../executors/watching/tracing.ts';
import { clientTree, combinersOf } from './client-tree.ts';
import { type LeafExecutorOptions, leafExecutor } from './leaf-executor.ts';
import { type StackOptions, tracingOptions } from './stack-options.ts';

/** Makes the executor of one participant. */
export type LeafMaker = (placement: string, index: number) => Executor | Promise<Executor>;

/** Makes a leaf of its options somewhere; `here` makes it in this thread. */
export type LeafSite = (
  placement: string,
  options: LeafExecutorOptions,
  here: () => Promise<Executor>,
) => Executor | Promise<Executor>;

/** Leaves that share one backend. @param site where they are. @default in this thread */
export function standardLeaves(
  options: StackOptions,
  secure: SecureStack | null,
  site: LeafSite = (_placement, _options, here) => here(),
): LeafMaker {
  const { dataSource, random } = options;
  const operators = [...(options.operators ?? []), ...(secure?.operators ?? [])];
  // One backend for all leaves: programs are prepared once, however many clients there are.
  let loading: Promise<Backend> | null = null;
  const backend = (): Promise<Backend> => {
    if (options.backend !== undefined) return Promise.resolve(options.backend);
    loading ??= loadBackend().catch((error: unknown) => {
      // A failure is not kept: what was missing may be there at the next run.
      loading = null;
      throw error;
    });
    return loading;
  };
  return (placement, index) => {
    const leafOptions: LeafExecutorOptions = {
      operators,
      ...(random === undefined ? {} : { random }),
      ...(dataSource === undefined ? {} : { dataSource: dataSource(placement, index) }),
    };
    return site(placement, leafOptions, async () => leafExecutor(await backend(), leafOptions));
  };
}

/** Puts around each leaf what the options say. */
export function watchedLeaves(make: LeafMaker, { wrapLeaf, tracing }: StackOptions): LeafMaker {
  const watched = traced(make, tracing);
  if (wrapLeaf === undefined) return watched;
  return async (placement, index) => wrapLeaf(await watched(placement, index), placement, index);
}

export interface StackParts {
  readonly makeLeaf: LeafMaker;
  readonly secure: SecureStack | null;
  readonly losses: LossOptions;
  /** See FederatingChildren; without a tree. */
  readonly clientNumbers?: readonly number[];
}

/**
 * A server, roles and clients, each with a leaf of its own, and a tree of combiners if there are more
 * clients than `maxFanout`.
 */
export async function buildStack(
  cardinalities: Cardinalities,
  { makeLeaf, secure, losses, clientNumbers }: StackParts,
  options: StackOptions,
): Promise<Executor> {
  const { maxFanout = Number.POSITIVE_INFINITY, treeAggregation } = options;
  const roles = secure?.roles ?? [];
  requireKnownPlacements(cardinalities, roles);
  const clientCount = cardinalities.clients ?? 0;
  const combinerCount = combinersOf(clientCount, maxFanout);
  const places = [
    { placement: 'server', index: 0 },
    ...roles.map((placement) => ({ placement, index: 0 })),
    ...placesAt('combiner', combinerCount),
    ...placesAt('clients', clientCount),
  ];
  const leaves = (await makeAll(places, makeLeaf))[Symbol.iterator]();
  const [server] = take(leaves, 1) as [Executor];
  const atRoles = take(leaves, roles.length);
  const tree = clientTree({
    server,
    roles: Object.fromEntries(roles.map((role, i) => [role, atRoles[i] as Executor])),
    combiners: take(leaves, combinerCount),
    clients: take(leaves, clientCount),
    maxFanout,
    losses,
    ...(clientNumbers === undefined ? {} : { clientNumbers }),
    ...(treeAggregation === undefined ? {} : { aggregation: treeAggregation }),
  });
  return wrapStack(tree, secure, options);
}

/** Puts around the executor of placed values what makes it a stack. */
export function wrapStack(
  tree: PlacedExecutor,
  secure: SecureStack | null,
  { operators = [], caching, tracing, wrap }: StackOptions,
): Executor {
  let placed: Executor = secure === null ? tree : secure.wrap(tree);
  if (caching !== undefined) {
    const known = [...operators, ...(secure?.operators ?? [])];
    placed = new CachingExecutor(placed, { ...caching, operators: known });
  }
  const spans = tracingOptions(tracing);
  if (spans !== null) placed = new TracingExecutor(placed, spans);
  const stack = new ReferenceResolvingExecutor(placed);
  return wrap === undefined ? stack : wrap(stack);
}

interface Place {
  readonly placement: string;
  readonly index: number;
}

function placesAt(placement: string, count: number): Place[] {
  return Array.from({ length: count }, (_, index) => ({ placement, index }));
}

function take<T>(items: Iterator<T>, count: number): T[] {
  return Array.from({ length: count }, () => items.next().value as T);
}

/** Makes all leaves; if one fails, those that were made are closed. */
async function makeAll(places: readonly Place[], makeLeaf: LeafMaker): Promise<Executor[]> {
  const attempts = await Promise.allSettled(
    places.map(async ({ placement, index }) => makeLeaf(placement, index)),
  );
  const made = attempts.flatMap((attempt) =>
    attempt.status === 'fulfilled' ? [attempt.value] : [],
  );
  const failed = attempts.find((attempt) => attempt.status === 'rejected');
  if (failed === undefined) return made;
  await Promise.allSettled(made.map((executor) => executor.close()));
  throw failed.reason;
}

/** @throws CardinalityError for a placement that a stack has not, or has but one participant of. */
export function requireKnownPlacements(
  cardinalities: Cardinalities,
  roles: readonly string[],
): void {
  const known = new Set(['clients', 'server', ...roles]);
  for (const [placement, count] of Object.entries(cardinalities)) {
    const valid = Number.isSafeInteger(count) && count >= 0;
    if (known.has(placement) && valid && (placement === 'clients' || count === 1)) continue;
    throw new CardinalityError(
      known.has(placement) ? 'cardinality.mismatch' : 'cardinality.unknown',
      `A stack has any number of clients, and one participant at each of ${[...known].slice(1).join(', ')}; asked for ${count} at ${placement}.`,
    );
  }
}

/** Without tracing nothing is wrapped, so that it costs nothing. */
function traced(make: LeafMaker, tracing: StackOptions['tracing']): LeafMaker {
  const options = tracingOptions(tracing);
  if (options === null) return make;
  return async (placement, index) =>
    new TracingExecutor(await make(placement, index), {
      ...options,
      attributes: participantAttributes(placement, index),
    });
}
