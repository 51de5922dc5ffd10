/**
 * @file A federatedMap of a tiny graph over 1,000 clients: microseconds a client for a whole
 * invocation, from plain data to plain data.
 */

import * as tf from '@tensorflow/tfjs';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { atClients, float32, int32, type TensorType } from '../../computations/types/index.ts';
import { federatedMap } from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const CLIENTS = 1_000;
const WARM_UP = 10;
const REPETITIONS = 31;

const benchmark: Benchmark = {
  name: 'federated-map',
  target: 'at most 30 µs a client for x + 1 on a scalar over 1,000 clients',
  async run() {
    return [await measure('int32 scalar', int32()), await measure('float32 scalar', float32())];
  },
};

export default benchmark;

async function measure(
  name: string,
  type: TensorType<'int32' | 'float32', readonly []>,
): Promise<BenchmarkFigure> {
  const addOne = tensorComputation([type], (x) => tf.add(x, tf.scalar(1, type.dtype)));
  const mapped = federatedComputation([atClients(type)], (x) => federatedMap(addOne, x));
  const data = Array.from({ length: CLIENTS }, (_, client) => client);
  await using context = new ExecutionContext(localExecutorFactory());
  const times: number[] = [];
  for (let round = 0; round < WARM_UP + REPETITIONS; round++) {
    const start = performance.now();
    await context.invoke(mapped, [data]);
    if (round >= WARM_UP) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] as number;
  const value = (median * 1e3) / CLIENTS;
  return { case: name, unit: 'µs/client', value, limit: { atMost: 30 } };
}
