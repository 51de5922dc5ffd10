/**
 * @file The local simulation for finding mistakes: one thing happens at a time, always in the same
 * order, and every value is checked against its type as soon as it exists.
 */

import type { ExecutorFactory } from '../executors/executor.ts';
import { CheckingExecutor } from '../executors/watching/checking.ts';
import { SerialExecutor, SerialQueue } from '../executors/watching/serial.ts';
import { type LocalExecutorFactoryOptions, localExecutorFactory } from './local-factory.ts';
import { requireClientTimeout } from './stack-options.ts';

/** All runs on this thread, and nothing is kept for later calls. */
export type DebugExecutorFactoryOptions = Omit<LocalExecutorFactoryOptions, 'caching'>;

/**
 * A local stack in which the participants take turns: a request of one begins when that of another
 * has ended. A value that does not have its type is `execution.wrong_value`, with the participant,
 * the step and the place in the value; so an executor or operator of one's own that breaks its
 * promise is found where it does. Tensors are read after every step, which takes its time.
 *
 * A lazy sequence must not wait for another invocation: its turn never comes. `clientTimeoutMs` is the
 * time of one request to a client, from when its turn has come.
 */
export function debugExecutorFactory(options: DebugExecutorFactoryOptions = {}): ExecutorFactory {
  const { wrapLeaf, wrap, clientTimeoutMs, ...others } = options;
  if (clientTimeoutMs !== undefined) requireClientTimeout(clientTimeoutMs);
  const queue = new SerialQueue();
  return localExecutorFactory({
    ...others,
    wrapLeaf: (leaf, placement, index) => {
      const inner = wrapLeaf === undefined ? leaf : wrapLeaf(leaf, placement, index);
      const name = `${placement} ${index}`;
      const limits = placement === 'clients' ? { timeoutMs: clientTimeoutMs } : {};
      return new CheckingExecutor(new SerialExecutor(inner, queue, limits), { name, eager: true });
    },
    wrap: (stack) => {
      const inner = wrap === undefined ? stack : wrap(stack);
      return new CheckingExecutor(inner, { name: 'the whole stack' });
    },
  });
}
