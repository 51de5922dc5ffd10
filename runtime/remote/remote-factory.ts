/**
 * @file Stacks whose clients are in other processes: a server here, and workers there, each with some
 * of the clients. After TensorFlow Federated's remote_cpp_executor_factory, and beside it a stack of
 * clients one by one, as secure protocols and lost clients need it.
 */

import { ExecutionError, ValueError } from '../../computations/types/index.ts';
import type { Cardinalities, Executor, ExecutorFactory } from '../../executors/executor.ts';
import { ComposingExecutor } from '../../executors/placed/composing.ts';
import type { LossOptions } from '../../executors/placed/lost-clients.ts';
import type { ExecutorCalls } from '../../executors/remote/calls.ts';
import {
  RemoteExecutor,
  type RemoteExecutorOptions,
} from '../../executors/remote/client/remote-executor.ts';
import type { RetryOptions } from '../../executors/remote/client/retry.ts';
import { type SecureStack, toSecureStack } from '../../executors/secure/secure-stack.ts';
import { combinersOf } from '../client-tree.ts';
import { managedExecutorFactory } from '../managed-factory.ts';
import {
  buildStack,
  type LeafMaker,
  requireKnownPlacements,
  standardLeaves,
  watchedLeaves,
  wrapStack,
} from '../stack.ts';
import { lossesOf, type StackOptions } from '../stack-options.ts';
import { type RemoteWorker, type WorkerShare, Workers } from './workers.ts';

/**
 * As for a stack in this process, but that `leaf`, `backend`, `dataSource`, `operators` and `random`
 * are for what runs here: the server, the roles, and combiners.
 */
export interface RemoteExecutorFactoryOptions extends StackOptions {
  /**
   * - `together`: one executor of placed values a worker, that has all its clients, as TensorFlow
   *   Federated has it. Few calls, and sums are made there; but a worker that is lost ends the
   *   computation.
   * - `one-by-one`: an executor for each client. Secure protocols need it, and so do stacks that go on
   *   without clients that are lost. Several clients of a worker share what that has as one
   *   participant: its data, for example.
   *
   * @default 'one-by-one' with `secureAggregation`, or if `lostClients` is not `fail`; else 'together'
   */
  readonly clients?: 'together' | 'one-by-one';
  /**
   * How messages and protocols number the clients, in rising order, where they are some of a roster:
   * its places. One by one, and without a tree.
   * @default one after the other
   */
  readonly clientNumbers?: readonly number[];
  /** How calls are made; see RemoteExecutor. */
  readonly remote?: Omit<RemoteExecutorOptions, 'cardinalities'>;
  /** How calls are repeated where that does no harm, or not at all; see RetryingCalls. */
  readonly retry?: RetryOptions | false;
  /**
   * How long a worker may take to say that it is there, before each invocation, in milliseconds.
   * @default 5000
   */
  readonly probeTimeoutMs?: number;
  /** Told of each worker that does not answer. */
  readonly onWorkerDown?: (worker: string, error: unknown) => void;
  /**
   * A number that changes when what `leaf` made before cannot be used any more: from the next invocation
   * on there is a new stack. @default never
   */
  readonly leafGeneration?: () => number;
}

/**
 * A factory over workers. Those that answer when an invocation begins share the clients; one that is
 * lost meanwhile is asked again before the next. With clients stated for each worker, those of a worker
 * that does not answer are lost, as `lostClients` says.
 *
 * `createExecutor` throws a TransportError: `transport.unavailable` if no worker answers,
 * `transport.invalid_argument` for clients without any worker.
 * @param workers they belong to the factory from now on: closing it closes those that have `close`.
 * @throws ValueError `value.out_of_range` for options that contradict each other.
 */
export function remoteExecutorFactory(
  workers: readonly RemoteWorker[],
  options: RemoteExecutorFactoryOptions = {},
): ExecutorFactory {
  const { secureAggregation, maxExecutors, retry = {}, probeTimeoutMs = 5_000 } = options;
  const secure = secureAggregation === undefined ? null : toSecureStack(secureAggregation);
  const losses = lossesOf(options, secure);
  const shape = shapeOf(options, secure, losses);
  combinersOf(0, options.maxFanout ?? Number.POSITIVE_INFINITY);
  const known = new Workers(workers, {
    probeTimeoutMs,
    retry,
    onWorkerDown: options.onWorkerDown ?? (() => {}),
  });
  const here = options.leaf ?? standardLeaves(options, secure);
  const parts = { here, secure, losses };
  const build = shape === 'together' ? buildTogether : buildOneByOne;
  const defaultClients = options.defaultClients ?? known.statedClients;
  const factory = managedExecutorFactory({
    build: async (cardinalities) =>
      build(cardinalities, known.shares(cardinalities.clients ?? 0), parts, options),
    // Neither ever goes down, so that their sum changes with each.
    generation: () => known.generation + (options.leafGeneration?.() ?? 0),
    onClose: () => known.close(),
    ...(secure === null ? {} : { handles: secure.handles }),
    ...(defaultClients === undefined ? {} : { defaultClients }),
    ...(maxExecutors === undefined ? {} : { maxExecutors }),
  });
  return probing(factory, known);
}

/** Asks the workers before each invocation, whose executor is that of those that answer. */
function probing(factory: ExecutorFactory, workers: Workers): ExecutorFactory {
  const { handles, defaultClients } = factory;
  return {
    ...(handles !== undefined && { handles }),
    ...(defaultClients !== undefined && { defaultClients }),
    async createExecutor(cardinalities) {
      await workers.probe();
      return factory.createExecutor(cardinalities);
    },
    releaseExecutor: (executor) => factory.releaseExecutor?.(executor),
    cleanUpExecutor: (cardinalities) => factory.cleanUpExecutor(cardinalities),
    close: () => factory.close(),
  };
}

interface RemoteParts {
  /** Makes what runs here. */
  readonly here: LeafMaker;
  readonly secure: SecureStack | null;
  readonly losses: LossOptions;
}

async function buildTogether(
  cardinalities: Cardinalities,
  shares: readonly WorkerShare[],
  { here, losses }: RemoteParts,
  options: RemoteExecutorFactoryOptions,
): Promise<Executor> {
  requireKnownPlacements(cardinalities, []);
  const server = await watchedLeaves(here, options)('server', 0);
  let first = 0;
  const children = shares
    .filter(({ clients }) => clients > 0)
    .map(({ calls, clients }) => {
      const counted = countedFrom(first, calls);
      first += clients;
      const remote = { ...options.remote, cardinalities: { clients } };
      return { executor: new RemoteExecutor(counted, remote), clients };
    });
  const { treeAggregation } = options;
  const composing = {
    ...losses,
    ...(treeAggregation !== undefined && { aggregation: treeAggregation }),
  };
  return wrapStack(new ComposingExecutor({ server, children }, composing), null, options);
}

/** A worker counts its clients from 0, and whoever reads what failed counts all of them. */
function countedFrom(first: number, calls: ExecutorCalls): ExecutorCalls {
  return {
    call: (method, request, options) =>
      calls.call(method, request, options).catch((error: unknown) => {
        throw renumbered(error, first);
      }),
  };
}

function renumbered(error: unknown, first: number): unknown {
  if (!(error instanceof ExecutionError) || error.code !== 'execution.client_failed') return error;
  const message = error.message
    .replace(`[${error.code}] `, '')
    .replace(/^Client (\d+) /, (_, number) => `Client ${first + Number(number)} `);
  return new ExecutionError(error.code, message, { cause: error.cause });
}

function buildOneByOne(
  cardinalities: Cardinalities,
  shares: readonly WorkerShare[],
  { here, secure, losses }: RemoteParts,
  options: RemoteExecutorFactoryOptions,
): Promise<Executor> {
  const owners = shares.flatMap((share) => new Array<WorkerShare>(share.clients).fill(share));
  const leaf: LeafMaker = (placement, index) => {
    const owner = placement === 'clients' ? owners[index] : undefined;
    return owner === undefined
      ? here(placement, index)
      : new RemoteExecutor(owner.calls, options.remote);
  };
  const makeLeaf = watchedLeaves(leaf, options);
  const { clientNumbers } = options;
  const numbers = clientNumbers === undefined ? {} : { clientNumbers };
  return buildStack(cardinalities, { makeLeaf, secure, losses, ...numbers }, options);
}

function shapeOf(
  { clients }: RemoteExecutorFactoryOptions,
  secure: SecureStack | null,
  { lostClients }: LossOptions,
): 'together' | 'one-by-one' {
  const isOneByOne = secure !== null || lostClients !== 'fail';
  if (clients === undefined) return isOneByOne ? 'one-by-one' : 'together';
  if (clients === 'one-by-one' || (clients === 'together' && !isOneByOne)) return clients;
  throw new ValueError(
    'value.out_of_range',
    clients === 'together'
      ? "Secure aggregation and lost clients need an executor for each client: leave out clients: 'together'."
      : `clients is 'together' or 'one-by-one'; got ${clients}.`,
  );
}
