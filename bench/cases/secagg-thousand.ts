/**
 * @file 1,000 clients in one process sum 100,000 values each in the active model, with computed
 * parameters; 10 % of them vanish after they shared their keys. A whole round of the executor stack:
 * every client makes its value, and the sum comes out as data. On all cores.
 */

import * as tf from '@tensorflow/tfjs';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { atClients, int32 } from '../../computations/types/index.ts';
import type { Executor } from '../../executors/index.ts';
import { secAggPlus } from '../../executors/index.ts';
import { federatedMap, federatedSecureSumBitwidth } from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory, unmaskingThreads } from '../../runtime/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const benchmark: Benchmark = {
  name: 'secagg-thousand',
  target:
    '1,000 clients in one process, 100,000 values, 10 % lost, active model: a round in 60 s and 2 GiB ' +
    'on 2 cores',
  long: true,
  run: () => measure(1_000, 100_000, { seconds: 60, gibibytes: 2 }),
};

export default benchmark;

/** One round of so many clients, with its time and the largest memory of the process. */
export async function measure(
  clients: number,
  values: number,
  limits?: { readonly seconds: number; readonly gibibytes: number },
): Promise<BenchmarkFigure[]> {
  const made = tensorComputation([int32()], (first) =>
    tf.add(tf.range(0, values, 1, 'int32'), first),
  );
  const sum = federatedComputation([atClients(int32())], (seed) =>
    federatedSecureSumBitwidth(federatedMap(made, seed), 17),
  );
  const lost = Math.floor(clients / 10);
  await using unmasking = unmaskingThreads();
  await using context = new ExecutionContext(
    localExecutorFactory({
      secureAggregation: secAggPlus({ unmasking, timeoutMs: 3_600_000 }),
      threads: 'auto',
      wrapLeaf: (leaf, placement, index) =>
        placement === 'clients' && index < lost ? vanishing(leaf) : leaf,
    }),
  );
  let inSum = 0;
  context.on('progress', (event) => {
    if (event.stage === 'run' && event.step.kind === 'secure-sum') {
      inSum = event.step.clients.length;
    }
  });
  const start = performance.now();
  const result = await context.invoke(sum, [Array.from({ length: clients }, (_, i) => i)]);
  const seconds = (performance.now() - start) / 1000;
  requireSum(result.toArray() as number[], { clients, lost, inSum });
  const gibibytes = process.resourceUsage().maxRSS / 2 ** 20;
  return [
    {
      case: 'round',
      unit: 's',
      value: seconds,
      ...(limits && { limit: { atMost: limits.seconds } }),
    },
    {
      case: 'largest resident memory',
      unit: 'GiB',
      value: gibibytes,
      ...(limits && { limit: { atMost: limits.gibibytes } }),
    },
  ];
}

/** A client that shares its keys and is never heard of again. */
function vanishing(leaf: Executor): Executor {
  return {
    createValue: (value, type, options) =>
      'kind' in value && value.kind === 'intrinsic' && value.uri === 'secagg_mask_vectors'
        ? Promise.reject(new Error('The connection to the client was lost.'))
        : leaf.createValue(value, type, options),
    createCall: (fn, argument, options) => leaf.createCall(fn, argument, options),
    createStruct: (elements) => leaf.createStruct(elements),
    createSelection: (source, index) => leaf.createSelection(source, index),
    close: () => leaf.close(),
  };
}

function requireSum(
  sums: readonly number[],
  { clients, lost, inSum }: { clients: number; lost: number; inSum: number },
): void {
  if (inSum !== clients - lost) throw new Error(`${inSum} clients are in the sum.`);
  for (const place of [0, sums.length - 1]) {
    let expected = 0;
    for (let client = lost; client < clients; client += 1) expected += place + client;
    if (sums[place] !== expected) throw new Error(`The sum at ${place} is ${sums[place]}.`);
  }
}
