/** @file What a worker thread of the local simulation runs: leaf executors on a backend of its own. */

import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { type BackendName, loadBackend } from '../../computations/tensors/index.ts';
import { cloneError } from '../../executors/cloned-error.ts';
import { ThreadHost } from '../../executors/threads/host.ts';
import type { FromWorker, Port, ToWorker } from '../../executors/threads/messages.ts';
import { makeOperators } from '../../executors/threads/operator-recipes.ts';
import { leafExecutor } from '../leaf-executor.ts';

/** What the thread that starts the worker says. */
export interface LeafWorkerData {
  /** @default what `loadBackend()` chooses */
  readonly backend?: BackendName;
}

if (parentPort === null) throw new Error('This module runs on a worker thread only.');
await serve(parentPort, workerData as LeafWorkerData);

async function serve(
  port: Port & { on(event: 'message', listener: (messages: readonly ToWorker[]) => void): unknown },
  { backend: prefer }: LeafWorkerData,
): Promise<void> {
  const say = (message: FromWorker): void => port.postMessage([message]);
  try {
    const backend = await loadBackend({ prefer });
    const host = new ThreadHost(
      port,
      (recipes) => leafExecutor(backend, { operators: makeOperators(recipes) }),
      { utilization: utilizationMeter() },
    );
    port.on('message', (messages) => host.receive(messages));
    say({ op: 'ready', backend: backend.name });
  } catch (error) {
    say({ op: 'unfit', error: cloneError(error) });
  }
}

function utilizationMeter(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const before = last;
    last = performance.eventLoopUtilization();
    return performance.eventLoopUtilization(last, before).utilization;
  };
}
