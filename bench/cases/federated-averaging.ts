/**
 * @file Federated averaging of a small model in one process: 1,000 clients, 100 rounds. How much of
 * the time is the stack's own, which is all that is not spent in running kernel graphs.
 */

import { federatedComputation } from '../../computations/index.ts';
import { type Backend, loadBackend } from '../../computations/tensors/index.ts';
import { atClients, atServer } from '../../computations/types/index.ts';
import { federatedBroadcast, federatedMap, federatedMean } from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import type { Benchmark } from '../benchmark.ts';
import { CLIENT_DATA, clientData, localTraining, MODEL, zeroModel } from '../classifier.ts';

const CLIENTS = 1_000;
const ROUNDS = 100;
const WARM_UP = 2;
const LOCAL_EPOCHS = 5;

const benchmark: Benchmark = {
  name: 'federated-averaging',
  long: true,
  target: 'the own cost of the stack below 25 % of the total, at 1,000 clients over 100 rounds',
  async run() {
    const train = localTraining(LOCAL_EPOCHS);
    const round = federatedComputation([atServer(MODEL), atClients(CLIENT_DATA)], (model, data) =>
      federatedMean(federatedMap(train, [federatedBroadcast(model), data])),
    );
    const data = clientData(CLIENTS);
    const timed = timedBackend(await loadBackend());
    await using context = new ExecutionContext(localExecutorFactory({ backend: timed.backend }));
    let model: Parameters<typeof round>[0] = zeroModel();
    let start = 0;
    for (let i = -WARM_UP; i < ROUNDS; i++) {
      if (i === 0) {
        timed.reset();
        start = performance.now();
      }
      model = await context.invoke(round, [model, data]);
    }
    const total = performance.now() - start;
    const own = total - timed.milliseconds();
    return [
      { case: 'a round', unit: 'ms', value: total / ROUNDS },
      { case: 'own cost', unit: 'µs/client', value: (own * 1e3) / ROUNDS / CLIENTS },
      { case: 'own share', unit: '%', value: (100 * own) / total, limit: { atMost: 25 } },
    ];
  },
};

export default benchmark;

/** A backend that knows how long its programs ran. */
function timedBackend(inner: Backend): {
  readonly backend: Backend;
  milliseconds(): number;
  reset(): void;
} {
  let milliseconds = 0;
  const backend: Backend = {
    name: inner.name,
    reason: inner.reason,
    prepare(graph) {
      const program = inner.prepare(graph);
      return {
        graph,
        run(inputs) {
          const start = performance.now();
          try {
            return program.run(inputs);
          } finally {
            milliseconds += performance.now() - start;
          }
        },
      };
    },
    upload: (value) => inner.upload(value),
    close: () => inner.close(),
  };
  return {
    backend,
    milliseconds: () => milliseconds,
    reset() {
      milliseconds = 0;
    },
  };
}
