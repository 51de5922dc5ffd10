/** @file Leaves of a simulation that are each on a host of their own, reached as bytes. */

import { loadBackend } from '../../../computations/tensors/index.ts';
import type { Executor } from '../../../executors/executor.ts';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import {
  type SecureStack,
  type SecureStackProvider,
  toSecureStack,
} from '../../../executors/secure/secure-stack.ts';
import { leafExecutor } from '../../../runtime/index.ts';

/** What `localExecutorFactory` takes as `leaf`: the operators of the protocol are at the hosts. */
export function remoteLeaves(
  secure: SecureStack | SecureStackProvider,
): (placement: string, index: number) => Promise<Executor> {
  const { operators } = toSecureStack(secure);
  return async () => {
    const backend = await loadBackend();
    const host = new ExecutorHost({
      makeExecutor: async () => leafExecutor(backend, { operators }),
    });
    return new RemoteExecutor(inMemoryCalls(host.connect()));
  };
}
