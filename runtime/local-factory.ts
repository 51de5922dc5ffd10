/**
 * @file The local simulation: server and clients in this process, each with executors of its own,
 * sharing one backend for tensors.
 */

import type { ExecutorFactory } from '../executors/executor.ts';
import { toSecureStack } from '../executors/secure/secure-stack.ts';
import { combinersOf } from './client-tree.ts';
import { managedExecutorFactory } from './managed-factory.ts';
import { buildStack, type LeafSite, standardLeaves, watchedLeaves } from './stack.ts';
import { lossesOf, type StackOptions } from './stack-options.ts';
import { ThreadedLeaves } from './threads/threaded-leaves.ts';

export interface LocalExecutorFactoryOptions extends StackOptions {
  /**
   * Runs clients and roles on worker threads, in parallel: at most so many, or one a core. Each has a
   * backend of its own, of the kind of `backend`. Data sources, operators of your own, and protocols
   * that were given keys or `random` stay on the calling thread. @default all on the calling thread
   */
  readonly threads?: number | 'auto';
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
  const standard = standardLeaves(options, secure, threads === null ? undefined : on(threads));
  const makeLeaf = watchedLeaves(options.leaf ?? standard, options);
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

/** The server works on what comes from everywhere, and so on the thread where it arrives. */
function on(threads: ThreadedLeaves): LeafSite {
  return (placement, options, here) =>
    placement === 'server' || placement === 'combiner' ? here() : threads.leaf(options);
}

function threadsOf({ threads, backend }: LocalExecutorFactoryOptions): ThreadedLeaves | null {
  if (threads === undefined) return null;
  return new ThreadedLeaves({ threads, ...(backend && { backend: backend.name }) });
}
