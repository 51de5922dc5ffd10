/** @file A worker whose executors can also tell where they are, wait for ever, and break down. */

import { parentPort, threadId, workerData } from 'node:worker_threads';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { TensorValue } from '../../../computations/types/index.ts';
import { defineOperator } from '../../../executors/secure/define-operator.ts';
import { ThreadHost } from '../../../executors/threads/host.ts';
import { makeOperators } from '../../../executors/threads/operator-recipes.ts';
import { leafExecutor } from '../../../runtime/leaf-executor.ts';

const { start = 'work' } = (workerData ?? {}) as { readonly start?: 'work' | 'hang' | 'throw' };

if (start === 'throw') throw new Error('no start today');
if (start === 'hang') await new Promise((resolve) => setTimeout(resolve, 60_000));

const port = parentPort!;
const backend = await loadBackend();
const own = [
  defineOperator({
    uri: 'test_thread',
    signature: '( -> int32)',
    purity: 'random',
    run: () => new TensorValue('int32', [], Int32Array.of(threadId)),
  }),
  defineOperator({
    uri: 'test_wait',
    signature: '( -> int32)',
    purity: 'random',
    run: () => new Promise(() => {}),
  }),
  defineOperator({
    uri: 'test_exit',
    signature: '( -> int32)',
    purity: 'random',
    run: () => process.exit(7),
  }),
  defineOperator({
    uri: 'test_throw_later',
    signature: '( -> int32)',
    purity: 'random',
    run: () => {
      setTimeout(() => {
        throw new Error('broken outside of any request');
      });
      return new Promise(() => {});
    },
  }),
];
const host = new ThreadHost(
  port,
  (recipes) => leafExecutor(backend, { operators: [...own, ...makeOperators(recipes)] }),
  // Nothing here computes for long, so whatever runs for a while waits.
  { utilization: () => 0 },
);
port.on('message', (messages) => host.receive(messages));
port.postMessage([{ op: 'ready', backend: backend.name }]);
