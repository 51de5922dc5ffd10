/**
 * @file A federatedSum over 10,000 clients, flat and over a tree of fanout 100: milliseconds for an
 * invocation, from plain data to plain data. Both take turns, so that neither has the warmer heap.
 */

import { federatedComputation } from '../../computations/index.ts';
import { atClients, float32 } from '../../computations/types/index.ts';
import { federatedSum } from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import type { Benchmark } from '../benchmark.ts';

const CLIENTS = 10_000;
const FANOUT = 100;
const WARM_UP = 3;
const REPETITIONS = 15;

const benchmark: Benchmark = {
  name: 'client-tree',
  target: 'a tree of 10,000 clients with fanout 100 sums in less than 1.5 times the flat time',
  async run() {
    const sum = federatedComputation([atClients(float32(10))], (x) => federatedSum(x));
    const data = Array.from({ length: CLIENTS }, (_, i) =>
      Float32Array.from({ length: 10 }, (_, j) => Math.sin(10 * i + j)),
    );
    await using flat = new ExecutionContext(localExecutorFactory());
    await using tree = new ExecutionContext(localExecutorFactory({ maxFanout: FANOUT }));
    const times: { readonly flat: number[]; readonly tree: number[] } = { flat: [], tree: [] };
    for (let round = 0; round < WARM_UP + REPETITIONS; round++) {
      for (const [name, context] of [
        ['flat', flat],
        ['tree', tree],
      ] as const) {
        const start = performance.now();
        await context.invoke(sum, [data]);
        if (round >= WARM_UP) times[name].push(performance.now() - start);
      }
    }
    const [atFlat, atTree] = [median(times.flat), median(times.tree)];
    return [
      { case: 'flat', unit: 'ms', value: atFlat },
      { case: 'tree', unit: 'ms', value: atTree },
      { case: 'tree / flat', unit: '', value: atTree / atFlat, limit: { atMost: 1.5 } },
    ];
  },
};

export default benchmark;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
