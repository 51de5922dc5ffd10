/**
 * @file A computation run again on equal data, with a cache: local training of a linear classifier
 * at 100 clients, and the mean of their models. The first run on some data is compared with the next
 * one; keys are made of the content of the data in both, which is 12 MB.
 */

import { federatedComputation } from '../../computations/index.ts';
import { atClients, atServer } from '../../computations/types/index.ts';
import { federatedBroadcast, federatedMap, federatedMean } from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import type { Benchmark } from '../benchmark.ts';
import { CLIENT_DATA, clientData, localTraining, MODEL, zeroModel } from '../classifier.ts';

const CLIENTS = 100;
const LOCAL_EPOCHS = 50;
const WARM_UP = 2;
const REPETITIONS = 7;

const benchmark: Benchmark = {
  name: 'caching',
  target: 'a cached repeat of a computation at least 20 times faster',
  async run() {
    const train = localTraining(LOCAL_EPOCHS);
    const round = federatedComputation([atServer(MODEL), atClients(CLIENT_DATA)], (model, data) =>
      federatedMean(federatedMap(train, [federatedBroadcast(model), data])),
    );
    await using context = new ExecutionContext(localExecutorFactory({ caching: {} }));
    const first: number[] = [];
    const repeated: number[] = [];
    for (let i = -WARM_UP; i < REPETITIONS; i++) {
      const times = [first, repeated].map(() => 0);
      for (const which of times.keys()) {
        // Equal data in new arrays: nothing is recognised but by its content.
        const data = clientData(CLIENTS, i);
        const start = performance.now();
        await context.invoke(round, [zeroModel(), data]);
        times[which] = performance.now() - start;
      }
      if (i < 0) continue;
      first.push(times[0] as number);
      repeated.push(times[1] as number);
    }
    const [once, again] = [median(first), median(repeated)];
    return [
      { case: 'first run', unit: 'ms', value: once },
      { case: 'repeat', unit: 'ms', value: again },
      { case: 'first / repeat', unit: '×', value: once / again, limit: { atLeast: 20 } },
    ];
  },
};

export default benchmark;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
