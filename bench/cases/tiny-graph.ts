/** @file What one client of a federated map costs at the leaf: upload a scalar, add 1, read it. */

import { loadBackend, traceTensors } from '../../computations/tensors/index.ts';
import { float32, TensorValue } from '../../computations/types/index.ts';
import type { BenchmarkFigure } from '../benchmark.ts';

export default {
  name: 'tiny-graph',
  target: 'upload, run and read of x + 1 on a scalar in at most 8 µs',
  async run(): Promise<readonly BenchmarkFigure[]> {
    const { graph } = traceTensors(float32(), (x) => x.add(1));
    const results = [];
    for (const prefer of ['wasm', 'cpu'] as const) {
      const backend = await loadBackend({ prefer });
      const program = backend.prepare(graph);
      const one = new TensorValue('float32', [], Float32Array.of(1));
      const call = (): void => {
        const input = backend.upload(one);
        const [output] = program.run([input]);
        output?.read();
        input.dispose();
        output?.dispose();
      };
      results.push({
        case: prefer,
        unit: 'µs/call',
        value: 1000 * medianTime(call),
        limit: { atMost: 8 },
      });
    }
    return results;
  },
};

const ROUNDS = 21;
const CALLS = 1000;

function medianTime(action: () => void): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) action();
    return (performance.now() - start) / CALLS;
  });
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
}
