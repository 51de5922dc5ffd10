/**
 * @file Milliseconds to compile one round of federated averaging on a network of 16 dense layers:
 * what a context does the first time that it sees the computation. Tracing is shown beside it.
 */

import * as tf from '@tensorflow/tfjs';
import {
  type AnyComputation,
  federatedComputation,
  tensorComputation,
} from '../../computations/index.ts';
import {
  atClients,
  atServer,
  float32,
  int32,
  sequence,
  struct,
  type TensorType,
} from '../../computations/types/index.ts';
import { contentHash } from '../../computations/wire/index.ts';
import {
  compileForExecution,
  federatedBroadcast,
  federatedEval,
  federatedMap,
  federatedMean,
  sequenceReduce,
} from '../../intrinsics/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const LAYERS = 16;
const WIDTH = 64;
const CLASSES = 10;
const LEARNING_RATE = 0.1;
const LIMIT_MS = 1000;

const benchmark: Benchmark = {
  name: 'compile-time',
  target: 'federated averaging on a network of 16 layers compiles in less than 1 s',
  async run(): Promise<readonly BenchmarkFigure[]> {
    const traceStart = performance.now();
    const round = averagingRound();
    const start = performance.now();
    // A context hashes a computation, to look for it in its cache, and compiles it.
    contentHash(round.buildingBlock);
    const hashed = performance.now();
    compileForExecution(round.buildingBlock);
    const end = performance.now();
    return [
      { case: 'hash and compile', unit: 'ms', value: end - start, limit: { atMost: LIMIT_MS } },
      { case: 'of this, compile', unit: 'ms', value: end - hashed },
      { case: 'trace, before that', unit: 'ms', value: start - traceStart },
    ];
  },
};

export default benchmark;

type Weights = { readonly [name: string]: tf.Tensor };

function averagingRound(): AnyComputation {
  const types: { [name: string]: TensorType<'float32'> } = {};
  for (let layer = 0; layer < LAYERS; layer++) {
    const outputs = layer === LAYERS - 1 ? CLASSES : WIDTH;
    types[`kernel${layer}`] = float32(WIDTH, outputs);
    types[`bias${layer}`] = float32(outputs);
  }
  const Model = struct(types);
  const Batch = struct({ inputs: float32(null, WIDTH), labels: int32(null) });
  const names = Object.keys(types);

  const trainStep = tensorComputation(
    [Model, Batch],
    (model, { inputs, labels }) => {
      const loss = (...values: tf.Tensor[]): tf.Scalar => {
        const weights = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
        return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, CLASSES), predict(weights, inputs));
      };
      const before = names.map((name) => (model as Weights)[name]!);
      const gradients = tf.grads(loss)(before);
      return Object.fromEntries(
        names.map((name, i) => [name, tf.sub(before[i]!, tf.mul(gradients[i]!, LEARNING_RATE))]),
      );
    },
    { name: 'trainStep', result: Model },
  );
  const difference = tensorComputation(
    [Model, Model],
    (before, after) =>
      Object.fromEntries(
        names.map((name) => [name, tf.sub((after as Weights)[name]!, (before as Weights)[name]!)]),
      ),
    { name: 'difference', result: Model },
  );
  const update = tensorComputation(
    [Model, Model],
    (model, change) =>
      Object.fromEntries(
        names.map((name) => [name, tf.add((model as Weights)[name]!, (change as Weights)[name]!)]),
      ),
    { name: 'update', result: Model },
  );
  const train = federatedComputation([Model, sequence(Batch)], (model, batches) =>
    difference(model, sequenceReduce(batches, model, trainStep)),
  );
  const one = tensorComputation([], () => tf.scalar(1), { name: 'one', result: float32() });
  return federatedComputation(
    [atServer(Model), atClients(sequence(Batch))],
    (model, batches) => {
      const changes = federatedMap(train, [federatedBroadcast(model), batches]);
      const mean = federatedMean(changes, { weight: federatedEval(one, 'clients') });
      return federatedMap(update, [model, mean]);
    },
    { name: 'averagingRound' },
  );
}

function predict(weights: Weights, inputs: tf.Tensor): tf.Tensor {
  let values = inputs;
  for (let layer = 0; layer < LAYERS; layer++) {
    values = tf.add(tf.matMul(values, weights[`kernel${layer}`]!), weights[`bias${layer}`]!);
    if (layer < LAYERS - 1) values = tf.relu(values);
  }
  return values;
}
