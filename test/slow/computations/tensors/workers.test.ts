import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { loadBackend, traceTensors } from '../../../../computations/tensors/index.ts';
import { float32, int32 } from '../../../../computations/types/index.ts';
import {
  BACKENDS,
  float,
  int,
  noise,
  runGraph,
} from '../../../computations/tensors/backends.helpers.ts';
import { mlpStep } from '../../../computations/tensors/models.helpers.ts';

it.each(BACKENDS)(
  'pitfall 14: worker threads, each with a %s backend of its own, give the same bits',
  async (prefer) => {
    const { graph } = traceTensors(
      [float32(64, 48), float32(48), float32(48, 10), float32(10), float32(null, 64), int32(null)],
      mlpStep,
    );
    const values = [
      float([64, 48], noise(64 * 48)),
      float([48], noise(48, 2)),
      float([48, 10], noise(480, 3)),
      float([10], noise(10, 4)),
      float([6, 64], noise(6 * 64, 5)),
      int([6], [0, 1, 2, 3, 4, 5]),
    ];
    const expected = await runGraph(await loadBackend({ prefer }), graph, values);
    const workerData = {
      prefer,
      graph,
      values: values.map(({ dtype, shape, data }) => ({ dtype, shape, data })),
    };
    const results = await Promise.all([runInWorker(workerData), runInWorker(workerData)]);
    for (const result of results) expect(result).toEqual(expected.map(({ data }) => data));
  },
);

function runInWorker(workerData: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    // A worker does not inherit the loader for TypeScript, so it registers one itself.
    const worker = new Worker(
      `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(SCRIPT)}); });`,
      { workerData, eval: true },
    );
    worker.once('message', (message) => {
      resolve(message);
      void worker.terminate();
    });
    worker.once('error', reject);
  });
}

const SCRIPT = new URL('./worker.helpers.ts', import.meta.url).href;
