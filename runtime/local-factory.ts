/**
 * @file The local simulation: server and clients in this process, each with executors of its own,
 * sharing one backend for tensors.
 */

import { type Backend, loadBackend } from '../computations/tensors/index.ts';
import { CardinalityError } from '../computations/types/index.ts';
import type { DataSource } from '../executors/data-source.ts';
import type { Cardinalities, Executor, ExecutorFactory } from '../executors/executor.ts';
import { FederatingExecutor } from '../executors/federating.ts';
import type { Operator } from '../executors/operator.ts';
import { ReferenceResolvingExecutor } from '../executors/reference-resolving.ts';
import {
  type SecureStack,
  type SecureStackProvider,
  toSecureStack,
} from '../executors/secure-stack.ts';
import { type LeafExecutorOptions, leafExecutor } from './leaf-executor.ts';
import { managedExecutorFactory } from './managed-factory.ts';

export interface LocalExecutorFactoryOptions {
  /** Number of clients where the arguments do not tell. @default 0 */
  readonly defaultClients?: number;
  /** Runs the secure intrinsics, e.g. `paillier()` or `masking()`. Without it they are refused. */
  readonly secureAggregation?: SecureStack | SecureStackProvider;
  /**
   * Makes the executor of one participant, instead of the standard one.
   * @param placement `clients`, `server`, or a role of the secure aggregation.
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
}

/**
 * Executors of the local simulation:
 * `ReferenceResolving(secure?(Federating(server: leaf, clients: leaf…)))`.
 */
export function localExecutorFactory(options: LocalExecutorFactoryOptions = {}): ExecutorFactory {
  const { secureAggregation, defaultClients, maxExecutors } = options;
  const secure = secureAggregation === undefined ? null : toSecureStack(secureAggregation);
  const makeLeaf = leafMaker(options, secure);
  return managedExecutorFactory({
    build: (cardinalities) => buildStack(cardinalities, makeLeaf, secure, options.wrap),
    ...(secure === null ? {} : { handles: secure.handles }),
    ...(defaultClients === undefined ? {} : { defaultClients }),
    ...(maxExecutors === undefined ? {} : { maxExecutors }),
  });
}

type LeafMaker = (placement: string, index: number) => Executor | Promise<Executor>;

function leafMaker(options: LocalExecutorFactoryOptions, secure: SecureStack | null): LeafMaker {
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
    return leafExecutor(await backend(), leafOptions);
  };
  const make = leaf ?? standardLeaf;
  if (wrapLeaf === undefined) return make;
  return async (placement, index) => wrapLeaf(await make(placement, index), placement, index);
}

async function buildStack(
  cardinalities: Cardinalities,
  makeLeaf: LeafMaker,
  secure: SecureStack | null,
  wrap: ((stack: Executor) => Executor) | undefined,
): Promise<Executor> {
  const roles = secure?.roles ?? [];
  requireKnownPlacements(cardinalities, roles);
  const places = [
    { placement: 'server', index: 0 },
    ...roles.map((placement) => ({ placement, index: 0 })),
    ...Array.from({ length: cardinalities.clients ?? 0 }, (_, index) => ({
      placement: 'clients',
      index,
    })),
  ];
  const [server, ...others] = await makeAll(places, makeLeaf);
  if (server === undefined) throw new RangeError('A stack has a server.');
  const federating = new FederatingExecutor({
    server,
    clients: others.slice(roles.length),
    roles: Object.fromEntries(
      roles.flatMap((role, i) => {
        const executor = others[i];
        return executor === undefined ? [] : [[role, executor] as const];
      }),
    ),
  });
  const placed = secure === null ? federating : secure.wrap(federating);
  const stack = new ReferenceResolvingExecutor(placed);
  return wrap === undefined ? stack : wrap(stack);
}

/** Makes all leaves; if one fails, those that were made are closed. */
async function makeAll(
  places: readonly { readonly placement: string; readonly index: number }[],
  makeLeaf: LeafMaker,
): Promise<Executor[]> {
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
