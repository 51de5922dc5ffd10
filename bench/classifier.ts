/**
 * @file The model that benchmarks train: a linear classifier of small pictures (784 pixels, 10
 * classes) by softmax regression, the usual first example of federated averaging.
 */

import * as tf from '@tensorflow/tfjs';
import { tensorComputation } from '../computations/index.ts';
import { float32, int32, struct, TensorValue } from '../computations/types/index.ts';

const PIXELS = 784;
const CLASSES = 10;
/** Pictures of each client. */
const EXAMPLES = 40;
const BATCH = 20;
const LEARNING_RATE = 0.1;

export const MODEL = struct({ weights: float32(PIXELS, CLASSES), bias: float32(CLASSES) });
export const CLIENT_DATA = struct({ pictures: float32(EXAMPLES, PIXELS), labels: int32(EXAMPLES) });

/** `(<model,data> -> model)`: gradient descent in batches of 20, so many times over all the data. */
export function localTraining(epochs: number) {
  return tensorComputation([MODEL, CLIENT_DATA], (model, { pictures, labels }) => {
    const expected = tf.oneHot(labels as tf.Tensor1D, CLASSES);
    const batches = tf.split(pictures, EXAMPLES / BATCH);
    const answers = tf.split(expected, EXAMPLES / BATCH);
    let { weights, bias }: { weights: tf.Tensor; bias: tf.Tensor } = model;
    for (let step = 0; step < epochs * batches.length; step++) {
      const batch = batches[step % batches.length] as tf.Tensor;
      const answer = answers[step % batches.length] as tf.Tensor;
      const loss = (...[w, b]: tf.Tensor[]): tf.Scalar =>
        tf.losses.softmaxCrossEntropy(
          answer,
          tf.add(tf.matMul(batch, w as tf.Tensor), b as tf.Tensor),
        );
      const [byWeights, byBias] = tf.grads(loss)([weights, bias]) as [tf.Tensor, tf.Tensor];
      weights = tf.sub(weights, tf.mul(byWeights, LEARNING_RATE));
      bias = tf.sub(bias, tf.mul(byBias, LEARNING_RATE));
    }
    return { weights, bias };
  });
}

export interface ClientData {
  readonly pictures: TensorValue<'float32'>;
  readonly labels: TensorValue<'int32'>;
}

/** Data of so many clients, the same for each seed. */
export function clientData(clients: number, seed = 0): ClientData[] {
  let state = seed;
  // A linear congruential generator is random enough to train on.
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Array.from({ length: clients }, () => ({
    pictures: new TensorValue(
      'float32',
      [EXAMPLES, PIXELS],
      Float32Array.from({ length: EXAMPLES * PIXELS }, next),
    ),
    labels: new TensorValue(
      'int32',
      [EXAMPLES],
      Int32Array.from({ length: EXAMPLES }, () => Math.floor(next() * CLASSES)),
    ),
  }));
}

export function zeroModel(): {
  readonly weights: TensorValue<'float32'>;
  readonly bias: TensorValue<'float32'>;
} {
  return {
    weights: new TensorValue('float32', [PIXELS, CLASSES], new Float32Array(PIXELS * CLASSES)),
    bias: new TensorValue('float32', [CLASSES], new Float32Array(CLASSES)),
  };
}
