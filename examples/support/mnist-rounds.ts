/**
 * @file The coordinator's part of the example `mnist-cluster`: rounds of federated averaging over clients
 * that dialled in, of a softmax regression. Their digits are named, not sent.
 */

import * as tf from '@tensorflow/tfjs';
import {
  type ArgumentOf,
  atServer,
  federatedBroadcast,
  federatedComputation,
  federatedData,
  federatedMap,
  federatedMean,
  float32,
  int32,
  secAgg,
  struct,
  TensorValue,
  tensorComputation,
  withContext,
} from 'fedloom';
import type { CoordinatorProgram } from 'fedloom/node';
import { loadDigits } from './data.ts';
import { bar } from './terminal.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const LOCAL_STEPS = 4;
const LEARNING_RATE = 0.5;
export const CLIENTS = 5;
export const CLIPPING_RANGE = 4;

const Model = struct({ weights: float32(784, 10), bias: float32(10) });
/** As the files have them: grey levels from 0 to 255, and the digits that they show. */
const Digits = struct({ images: float32(null, 784), labels: int32(null) });

const predict = (images: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
  tf.add(tf.matMul(tf.div(images, 255), weights), bias);

/** What a client's own digits change about the model. */
const localUpdate = tensorComputation(
  [Model, Digits],
  (model, { images, labels }) => {
    const loss = (weights: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
      tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 10), predict(images, weights, bias));
    const gradient = tf.grads(loss);
    let { weights, bias }: { weights: tf.Tensor; bias: tf.Tensor } = model;
    for (let step = 0; step < LOCAL_STEPS; step += 1) {
      const [byWeights, byBias] = gradient([weights, bias]);
      weights = tf.sub(weights, tf.mul(byWeights!, LEARNING_RATE));
      bias = tf.sub(bias, tf.mul(byBias!, LEARNING_RATE));
    }
    return { weights: tf.sub(weights, model.weights), bias: tf.sub(bias, model.bias) };
  },
  { result: Model },
);

const addUpdate = tensorComputation(
  [Model, Model],
  (model, update) => ({
    weights: tf.add(model.weights, update.weights),
    bias: tf.add(model.bias, update.bias),
  }),
  { result: Model },
);

const averagingRound = federatedComputation([atServer(Model)], (model) => {
  const digits = federatedData('digits', Digits);
  const updates = federatedMap(localUpdate, [federatedBroadcast(model), digits]);
  return federatedMap(addUpdate, [model, federatedMean(updates)]);
});

const accuracy = tensorComputation(
  [Model, Digits],
  ({ weights, bias }, { images, labels }) =>
    tf.mean(tf.cast(tf.equal(tf.argMax(predict(images, weights, bias), 1), labels), 'float32')),
  { result: float32() },
);

const program: CoordinatorProgram = async ({ coordinator, out, signal }) => {
  const cohort = await coordinator.select({ atLeast: CLIENTS, within: 60_000, signal });
  await using context = cohort.context({
    secureAggregation: (identities) =>
      secAgg({ identities }).with({ quantization: { clippingRange: CLIPPING_RANGE } }),
  });
  const { images, labels } = loadDigits('t10k', 0, 2_000);
  const test = {
    images: new TensorValue(
      'float32',
      [2_000, 784],
      images.map((grey) => grey * 255),
    ),
    labels,
  };
  let model: ArgumentOf<typeof Model> = {
    weights: new TensorValue('float32', [784, 10], new Float32Array(7_840)),
    bias: new TensorValue('float32', [10], new Float32Array(10)),
  };
  for (let round = 1; round <= ROUNDS; round += 1) {
    model = await withContext(context, () => averagingRound(model));
    const share = await accuracy(model, test);
    out(
      `  round ${String(round).padStart(2)}  accuracy ${(100 * share).toFixed(1)} %  ${bar(share, 1)}`,
    );
  }
};
export default program;
