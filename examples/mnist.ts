/**
 * @file Federated averaging on MNIST, with updates that the server never sees.
 *
 * Each round the server sends out its model. A client trains it on its own digits, clips the update
 * and rounds it to integers; these are summed by pairwise masking, and the server adds the average
 * to its model (McMahan et al. 2017, algorithm 1, with the sum made as in Bonawitz et al. 2017).
 *
 *     npm run example mnist        fewer rounds:  ROUNDS=3 npm run example mnist
 */

import * as tf from '@tensorflow/tfjs';
import {
  type ArgumentOf,
  atClients,
  atServer,
  ExecutionContext,
  federatedBroadcast,
  federatedComputation,
  federatedMap,
  federatedSecureSumBitwidth,
  float32,
  int32,
  localExecutorFactory,
  masking,
  sequence,
  sequenceReduce,
  setDefaultContext,
  struct,
  TensorValue,
  tensorComputation,
} from 'fedloom';
import { random } from 'fedloom/tensors';
import { type Digits, loadDigits } from './support/data.ts';
import { RoundProgress } from './support/progress-bar.ts';
import { bar, heading, note, table } from './support/terminal.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 10);
const CLIENTS = 20;
const IMAGES_PER_CLIENT = 1000;
const BATCH_SIZE = 20;
const TEST_IMAGES = 2000;
const HIDDEN = 32;
const LEARNING_RATE = 0.4;

/** Largest norm of an update. Each of its values, from -CLIP to CLIP, becomes one of 2^BITS levels. */
const CLIP = 8;
const BITS = 18;
const HALF_RANGE = (2 ** BITS - 1) / 2;
const BITWIDTHS = { hidden: BITS, hiddenBias: BITS, output: BITS, outputBias: BITS, clients: 1 };

const Model = struct({
  hidden: float32(784, HIDDEN),
  hiddenBias: float32(HIDDEN),
  output: float32(HIDDEN, 10),
  outputBias: float32(10),
});
const Batch = struct({ images: float32(null, 784), labels: int32(null) });
/** A clipped and rounded update, and a one by which the clients are counted. */
const Update = struct({
  hidden: int32(784, HIDDEN),
  hiddenBias: int32(HIDDEN),
  output: int32(HIDDEN, 10),
  outputBias: int32(10),
  clients: int32(),
});

type Weights = Record<'hidden' | 'hiddenBias' | 'output' | 'outputBias', tf.Tensor>;

function eachWeight(value: (name: keyof Weights) => tf.Tensor): Weights {
  return {
    hidden: value('hidden'),
    hiddenBias: value('hiddenBias'),
    output: value('output'),
    outputBias: value('outputBias'),
  };
}

function predict(model: Weights, images: tf.Tensor): tf.Tensor {
  const hidden = tf.relu(tf.add(tf.matMul(images, model.hidden), model.hiddenBias));
  return tf.add(tf.matMul(hidden, model.output), model.outputBias);
}

const initialModel = tensorComputation(
  [],
  () => {
    const [key1, key2] = random.split(random.key(1));
    return {
      hidden: random.normal(key1!, [784, HIDDEN], 0, 0.05),
      hiddenBias: tf.zeros([HIDDEN]),
      output: random.normal(key2!, [HIDDEN, 10], 0, 0.2),
      outputBias: tf.zeros([10]),
    };
  },
  { result: Model },
);

/** One step of gradient descent. */
const trainStep = tensorComputation(
  [Model, Batch],
  ({ hidden, hiddenBias, output, outputBias }, { images, labels }) => {
    const loss = (w1: tf.Tensor, b1: tf.Tensor, w2: tf.Tensor, b2: tf.Tensor): tf.Tensor =>
      tf.losses.softmaxCrossEntropy(
        tf.oneHot(labels, 10),
        predict({ hidden: w1, hiddenBias: b1, output: w2, outputBias: b2 }, images),
      );
    const weights = [hidden, hiddenBias, output, outputBias];
    const gradients = tf.grads(loss)(weights);
    const [w1, b1, w2, b2] = weights.map((weight, i) =>
      tf.sub(weight, tf.mul(gradients[i]!, LEARNING_RATE)),
    );
    return { hidden: w1!, hiddenBias: b1!, output: w2!, outputBias: b2! };
  },
  { result: Model },
);

const roundUpdate = tensorComputation(
  [Model, Model],
  (before, after) => {
    const update = eachWeight((name) => tf.sub(after[name], before[name]));
    const squares = Object.values(update).map((change) => tf.sum(tf.square(change)));
    const norm = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)));
    const scale = tf.div(1, tf.maximum(tf.div(norm, CLIP), 1));
    const round = (change: tf.Tensor): tf.Tensor =>
      tf.round(tf.mul(tf.add(tf.div(tf.mul(change, scale), CLIP), 1), HALF_RANGE));
    return {
      ...eachWeight((name) => tf.cast(round(update[name]), 'int32')),
      clients: tf.scalar(1, 'int32'),
    };
  },
  { result: Update },
);

const applySum = tensorComputation(
  [Model, Update],
  (model, sum) => {
    const average = (total: tf.Tensor): tf.Tensor =>
      tf.mul(tf.sub(tf.div(tf.div(total, sum.clients), HALF_RANGE), 1), CLIP);
    return eachWeight((name) => tf.add(model[name], average(sum[name])));
  },
  { result: Model },
);

const trainAtClient = federatedComputation([Model, sequence(Batch)], (model, batches) =>
  roundUpdate(model, sequenceReduce(batches, model, trainStep)),
);

const averagingRound = federatedComputation(
  [atServer(Model), atClients(sequence(Batch))],
  (model, batches) => {
    const updates = federatedMap(trainAtClient, [federatedBroadcast(model), batches]);
    return federatedMap(applySum, [model, federatedSecureSumBitwidth(updates, BITWIDTHS)]);
  },
  { name: 'averaging_round' },
);

const accuracy = tensorComputation(
  [Model, Batch],
  (model, { images, labels }) =>
    tf.mean(tf.cast(tf.equal(tf.argMax(predict(model, images), 1), labels), 'float32')),
  { result: float32() },
);

const toBatch = ({ images, labels }: Digits, start: number, size: number) => ({
  images: new TensorValue('float32', [size, 784], images.slice(start * 784, (start + size) * 784)),
  labels: labels.slice(start, start + size),
});
const clients = Array.from({ length: CLIENTS }, (_, client) => {
  const digits = loadDigits('train', client * IMAGES_PER_CLIENT, IMAGES_PER_CLIENT);
  return Array.from({ length: IMAGES_PER_CLIENT / BATCH_SIZE }, (_, i) =>
    toBatch(digits, i * BATCH_SIZE, BATCH_SIZE),
  );
});
const test = toBatch(loadDigits('t10k', 0, TEST_IMAGES), 0, TEST_IMAGES);

heading('Federated averaging on MNIST');
note(
  `  ${CLIENTS} clients, ${IMAGES_PER_CLIENT} images each, ${BITS}-bit updates summed by masking\n`,
);

await using context = new ExecutionContext(localExecutorFactory({ secureAggregation: masking() }));
setDefaultContext(context);

let model: ArgumentOf<typeof Model> = await initialModel();
const rows: [number, string, string, string][] = [];
{
  using progress = new RoundProgress(context, averagingRound, { rounds: ROUNDS });
  for (let round = 1; round <= ROUNDS; round += 1) {
    const start = performance.now();
    model = await averagingRound(model, clients);
    const seconds = (performance.now() - start) / 1000;
    const share = await accuracy(model, test);
    rows.push([round, `${(share * 100).toFixed(1)} %`, `${seconds.toFixed(1)} s`, bar(share, 1)]);
    progress.remark(`accuracy ${(share * 100).toFixed(1)} %`);
  }
}
table(['round', 'accuracy', 'time', ''], rows);
