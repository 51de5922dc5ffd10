/**
 * @file The model that benchmarks train: a linear classifier of small pictures (784 pixels, 10
 * classes) by softmax regression, the usual first example of federated averaging.
 */

import * as tf from '@tensorflow/tfjs';
import { tensorComputation } from '../computations/index.ts';
import { float32, int32, struct, TensorValue } from '../computations/types/index.ts';

const PIXELS = 784;
const CLASSES = 10;
/** Pictures of each client, all of which are one batch. */
const EXAMPLES = 20;
const LEARNING_RATE = 0.1;

export const MODEL = struct({ weights: float32(PIXELS, CLASSES), bias: float32(CLASSES) });
export const CLIENT_DATA = struct({ pictures: float32(EXAMPLES, PIXELS), labels: int32(EXAMPLES) });

/** `(<model,data> -> model)`: steps of gradient descent on all of a client's data. */
export function localTraining(steps: number) {
  return tensorComputation([MODEL, CLIENT_DATA], (model, { pictures, labels }) => {
    const expected = tf.oneHot(labels as tf.Tensor1D, CLASSES);
    const loss = (weights: tf.Tensor, bias: tf.Tensor): tf.Scalar => {
      const logits = tf.add(tf.matMul(pictures, weights), bias);
      return tf.losses.softmaxCrossEntropy(expected, logits);
    };
    const gradients = tf.grads(loss as (...parameters: tf.Tensor[]) => tf.Scalar);
    let { weights, bias }: { weights: tf.Tensor; bias: tf.Tensor } = model;
    for (let step = 0; step < steps; step++) {
      const [byWeights, byBias] = gradients([weights, bias]) as [tf.Tensor, tf.Tensor];
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
