/**
 * @file A secure sum of 100,000 values over 50 clients, each in a process of its own, against the same in
 * one process; and what the coordinator's memory does over 200 rounds of fewer values.
 */

import * as tf from '@tensorflow/tfjs';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { int32, TensorValue } from '../../computations/types/index.ts';
import { secAggPlus } from '../../executors/index.ts';
import { federatedData, federatedMap, federatedSecureSumBitwidth } from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';
import { Peers } from '../support/peers.ts';
import { median } from '../support/secagg-round.ts';

const CLIENTS = 50;
const ROUNDS = 200;

const benchmark: Benchmark = {
  name: 'secagg-processes',
  target:
    'secAggPlus with 50 client processes and 100,000 values: at most 3 times the time in one process; ' +
    'over 200 rounds the memory of the coordinator is flat within 5 %',
  long: true,
  async run() {
    await using peers = await Peers.start(CLIENTS, CLIENTS);
    const cohort = await peers.cohort();
    const secureAggregation = secAggPlus({ identities: peers.identities, timeoutMs: 600_000 });
    await using apart = cohort.context({ secureAggregation });
    await using together = new ExecutionContext(
      localExecutorFactory({
        secureAggregation: secAggPlus({ identities: peers.identities, timeoutMs: 600_000 }),
        defaultClients: CLIENTS,
        dataSource: (_, index) => ({
          resolve: () => new TensorValue('int32', [], Int32Array.of(index)),
        }),
      }),
    );
    const large = sumOf(100_000);
    const times = { apart: [] as number[], together: [] as number[] };
    for (let i = 0; i < 4; i += 1) {
      for (const [name, context] of [
        ['apart', apart],
        ['together', together],
      ] as const) {
        const start = performance.now();
        await context.invoke(large, []);
        if (i > 0) times[name].push(performance.now() - start);
      }
    }
    return [
      { case: '50 processes', unit: 's', value: median(times.apart) / 1000 },
      { case: 'one process', unit: 's', value: median(times.together) / 1000 },
      {
        case: 'times the time in one process',
        unit: '',
        value: median(times.apart) / median(times.together),
        limit: { atMost: 3 },
      },
      await memoryGrowth(apart),
    ];
  },
};

export default benchmark;

function sumOf(length: number) {
  const vector = tensorComputation([int32()], (first) =>
    tf.add(tf.range(0, length, 1, 'int32'), first),
  );
  return federatedComputation([], () =>
    federatedSecureSumBitwidth(federatedMap(vector, federatedData('first', int32())), 17),
  );
}

/** Of the second half of the rounds against the end of the first tenth. */
async function memoryGrowth(context: ExecutionContext): Promise<BenchmarkFigure> {
  const small = sumOf(1_000);
  const used = (): number => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  let early = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    await context.invoke(small, []);
    if (round === ROUNDS / 10) early = used();
  }
  const value = (100 * used()) / early - 100;
  return { case: 'memory after 200 rounds', unit: '% more', value, limit: { atMost: 5 } };
}
