/**
 * @file The local simulation: server and clients in this process, each with executors of its own,
 * sharing one backend for tensors.
 */

import type { Tracer } from '@opentelemetry/api';
import { type Backend, loadBackend } from '../computations/tensors/index.ts';
import { CardinalityError, ValueError } from '../computations/types/index.ts';
import { CachingExecutor } from '../executors/caching/caching.ts';
import type { Cardinalities, Executor, ExecutorFactory } from '../executors/executor.ts';
import type { DataSource } from '../executors/leaf/data-source.ts';
import type { Operator } from '../executors/leaf/operator.ts';
import type { TreeAggregation } from '../executors/placed/composition.ts';
import type { LossOptions, LostClients } from '../executors/placed/lost-clients.ts';
import { ReferenceResolvingExecutor } from '../executors/reference-resolving.ts';
import { requireWhole } from '../executors/secure/cohort.ts';
import {
  type SecureStack,
  type SecureStackProvider,
  toSecureStack,
} from '../executors/secure/secure-stack.ts';
import {
  participantAttributes,
  TracingExecutor,
  type TracingOptions,
} from '../executors/watching/tracing.ts';
import { clientTree, combinersOf } from './client-tree.ts';
import { type LeafExecutorOptions, leafExecutor } from './leaf-executor.ts';
import { managedExecutorFactory } from './managed-factory.ts';
import { ThreadedLeaves } from './threads/threaded-leaves.ts';

export interface LocalExecutorFactoryOptions {
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
  /**
   * Runs clients and roles on worker threads, in parallel: at most so many, or one a core. Each has a
   * backend of its own, of the kind of `backend`. Data sources, operators of your own, and protocols
   * that were given keys or `random` stay on the calling thread. @default all on the calling thread
   */
  readonly threads?: number | 'auto';
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
 * Executors of the local simulation:
 * `ReferenceResolving(tracing?(caching?(secure?(Federating(server: leaf, clients: leaf…)))))`, with a
 * tree of Composing over Federating where there are more clients than `maxFanout`.
 */
export function localExecutorFactory(options: LocalExecutorFactoryOptions = {}): ExecutorFactory {
  const { secureAggregation, defaultClients, maxExecutors } = options;
  const secure = secureAggregation === undefined ? null : toSecureStack(secureAggregation);
  const threads = threadsOf(options);
  const makeLeaf = leafMaker(options, secure, threads);
  // Refuses a wrong fanout now, and not at the first run.
  combinersOf(0, options.maxFanout ?? Number.POSITIVE_INFINITY);
  const losses = lossesOf(options, secure);
  return managedExecutorFactory({
    build: (cardinalities) => buildStack(cardinalities, { makeLeaf, secure, losses }, options),
    ...(threads === null
      ? {}
      : { onClose: () => threads.close(), generation: () => threads.workersLost }),
    ...(secure === null ? {} : { handles: secure.handles }),
    ...(defaultClients === undefined ? {} : { defaultClients }),
    ...(maxExecutors === undefined ? {} : { maxExecutors }),
  });
}

type LeafMaker = (placement: string, index: number) => Executor | Promise<Executor>;

function leafMaker(
  options: LocalExecutorFactoryOptions,
  secure: SecureStack | null,
  threads: ThreadedLeaves | null,
): LeafMaker {
  const { leaf, wrapLeaf, dataSource, random } = options;
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
  const standardLeaf: LeafMaker = async (placement, index) => {
    const leafOptions: LeafExecutorOptions = {
      operators,
      ...(random === undefined ? {} : { random }),
      ...(dataSource === undefined ? {} : { dataSource: dataSource(placement, index) }),
    };
    // The server works on what comes from everywhere, and so on the thread where it arrives.
    const isHere = threads === null || placement === 'server' || placement === 'combiner';
    return isHere ? leafExecutor(await backend(), leafOptions) : threads.leaf(leafOptions);
  };
  const make = traced(leaf ?? standardLeaf, options);
  if (wrapLeaf === undefined) return make;
  return async (placement, index) => wrapLeaf(await make(placement, index), placement, index);
}

/**
 * @throws ValueError `value.out_of_range`, also for a number of survivors that nothing would ask for.
 */
function lossesOf(
  { lostClients, minimumSurvivors, clientTimeoutMs }: LocalExecutorFactoryOptions,
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

function threadsOf({ threads, backend }: LocalExecutorFactoryOptions): ThreadedLeaves | null {
  if (threads === undefined) return null;
  return new ThreadedLeaves({ threads, ...(backend && { backend: backend.name }) });
}

/** Without tracing nothing is wrapped, so that it costs nothing. */
function traced(make: LeafMaker, { tracing }: LocalExecutorFactoryOptions): LeafMaker {
  const options = tracingOptions(tracing);
  if (options === null) return make;
  return async (placement, index) =>
    new TracingExecutor(await make(placement, index), {
      ...options,
      attributes: participantAttributes(placement, index),
    });
}

function tracingOptions(tracing: LocalExecutorFactoryOptions['tracing']): TracingOptions | null {
  if (tracing === undefined || tracing === false) return null;
  return tracing === true ? {} : tracing;
}

interface StackParts {
  readonly makeLeaf: LeafMaker;
  readonly secure: SecureStack | null;
  readonly losses: LossOptions;
}

async function buildStack(
  cardinalities: Cardinalities,
  { makeLeaf, secure, losses }: StackParts,
  options: LocalExecutorFactoryOptions,
): Promise<Executor> {
  const { maxFanout = Number.POSITIVE_INFINITY, treeAggregation, caching, tracing, wrap } = options;
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
    ...(treeAggregation === undefined ? {} : { aggregation: treeAggregation }),
  });
  let placed: Executor = secure === null ? tree : secure.wrap(tree);
  if (caching !== undefined) {
    const operators = [...(options.operators ?? []), ...(secure?.operators ?? [])];
    placed = new CachingExecutor(placed, { ...caching, operators });
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

function requireKnownPlacements(cardinalities: Cardinalities, roles: readonly string[]): void {
  const known = new Set(['clients', 'server', ...roles]);
  for (const [placement, count] of Object.entries(cardinalities)) {
    const valid = Number.isSafeInteger(count) && count >= 0;
    if (known.has(placement) && valid && (placement === 'clients' || count === 1)) continue;
    throw new CardinalityError(
      known.has(placement) ? 'cardinality.mismatch' : 'cardinality.unknown',
      `A local stack has any number of clients, and one participant at each of ${[...known].slice(1).join(', ')}; asked for ${count} at ${placement}.`,
    );
  }
}
