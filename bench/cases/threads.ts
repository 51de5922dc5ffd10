/**
 * @file A round of real training on worker threads: how many times as fast as on one thread. Each
 * client trains an MLP on its own batches; the server averages what comes out.
 */

import * as tf from '@tensorflow/tfjs';
import { federatedComputation, random, tensorComputation } from '../../computations/index.ts';
import {
  type ArgumentOf,
  atClients,
  atServer,
  float32,
  int32,
  sequence,
  struct,
  TensorValue,
} from '../../computations/types/index.ts';
import {
  federatedBroadcast,
  federatedMap,
  federatedMean,
  sequenceReduce,
} from '../../intrinsics/index.ts';
import { ExecutionContext, localExecutorFactory } from '../../runtime/index.ts';
import type { Benchmark } from '../benchmark.ts';

const CLIENTS = 8;
const BATCHES = 10;
/** How often a client goes through its batches in a round: McMahan et al. 2017 use 1 to 20. */
const EPOCHS = 10;
const BATCH_SIZE = 64;
const HIDDEN = 128;
const THREADS = 2;
/** Rounds of either kind; they alternate, so that what else the machine does hits both. */
const ROUNDS = 5;

const Model = struct({
  w1: float32(784, HIDDEN),
  b1: float32(HIDDEN),
  w2: float32(HIDDEN, 10),
  b2: float32(10),
});
const Batch = struct({ images: float32(BATCH_SIZE, 784), labels: int32(BATCH_SIZE) });

const initial = tensorComputation(
  [],
  () => {
    const [first, second] = random.split(random.key(7));
    return {
      w1: random.normal(first!, [784, HIDDEN], 0, 0.05),
      b1: tf.zeros([HIDDEN]),
      w2: random.normal(second!, [HIDDEN, 10], 0, 0.1),
      b2: tf.zeros([10]),
    };
  },
  { result: Model },
);

const step = tensorComputation(
  [Model, Batch],
  (model, { images, labels }) => {
    const loss = (w1: tf.Tensor, b1: tf.Tensor, w2: tf.Tensor, b2: tf.Tensor): tf.Tensor => {
      const hidden = tf.relu(tf.add(tf.matMul(images, w1), b1));
      return tf.losses.softmaxCrossEntropy(
        tf.oneHot(labels, 10),
        tf.add(tf.matMul(hidden, w2), b2),
      );
    };
    const weights = [model.w1, model.b1, model.w2, model.b2];
    const gradients = tf.grads(loss)(weights);
    const [w1, b1, w2, b2] = weights.map((weight, i) => tf.sub(weight, tf.mul(gradients[i]!, 0.1)));
    return { w1: w1!, b1: b1!, w2: w2!, b2: b2! };
  },
  { result: Model },
);

const epoch = federatedComputation([Model, sequence(Batch)], (model, batches) =>
  sequenceReduce(batches, model, step),
);
const train = federatedComputation([Model, sequence(Batch)], (model, batches) => {
  let trained = epoch(model, batches);
  for (let i = 1; i < EPOCHS; i++) trained = epoch(trained, batches);
  return trained;
});
const round = federatedComputation(
  [atServer(Model), atClients(sequence(Batch))],
  (model, batches) => federatedMean(federatedMap(train, [federatedBroadcast(model), batches])),
);

const benchmark: Benchmark = {
  name: 'threads',
  target: `a training round of ${CLIENTS} clients on ${THREADS} worker threads at least 1.7 times as fast as on one thread`,
  async run() {
    await using alone = new ExecutionContext(localExecutorFactory());
    await using pool = new ExecutionContext(localExecutorFactory({ threads: THREADS }));
    const model = await alone.invoke(initial, []);
    const data = Array.from({ length: CLIENTS }, (_, client) => batchesOf(client));
    const measure = async (context: ExecutionContext): Promise<number> => {
      const start = performance.now();
      await context.invoke(round, [model, data]);
      return performance.now() - start;
    };
    // Threads start and kernels compile.
    await measure(alone);
    await measure(pool);
    const times = { alone: [] as number[], pool: [] as number[] };
    for (let i = 0; i < ROUNDS; i++) {
      times.alone.push(await measure(alone));
      times.pool.push(await measure(pool));
    }
    const [one, many] = [Math.min(...times.alone), Math.min(...times.pool)];
    return [
      { case: 'one thread', unit: 'ms/round', value: one },
      { case: `${THREADS} worker threads`, unit: 'ms/round', value: many },
      { case: 'speed-up', unit: 'times', value: one / many, limit: { atLeast: 1.7 } },
    ];
  },
};

export default benchmark;

function batchesOf(client: number): ArgumentOf<ReturnType<typeof sequence<typeof Batch>>> {
  return Array.from({ length: BATCHES }, (_, batch) => ({
    images: new TensorValue(
      'float32',
      [BATCH_SIZE, 784],
      Float32Array.from(
        { length: BATCH_SIZE * 784 },
        (_, i) => ((i * 7 + client + batch) % 17) / 17,
      ),
    ),
    labels: Array.from({ length: BATCH_SIZE }, (_, i) => (i + batch) % 10),
  }));
}
