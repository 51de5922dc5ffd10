/** @file Steps of gradient descent to compare backends on: classifiers, convolutional nets, one line. */

import * as tf from '@tensorflow/tfjs';
import { float32, type TensorType, TensorValue } from '../../computations/types/index.ts';

/** A model, the loss of which both tfjs (here) and jax-js (jax-steps.ts) can state. */
export type ModelSpec =
  /** A classifier with a hidden layer between each two widths. */
  | { readonly kind: 'dense'; readonly widths: readonly number[] }
  /**
   * 3x3 convolutions, each with a pool of 2x2 pixels behind it, and a dense layer on what they give.
   * Images are squares of `extent` pixels with `channels[0]` channels.
   */
  | {
      readonly kind: 'convolutional';
      readonly extent: number;
      readonly channels: readonly number[];
    }
  /** A linear regression: `features` numbers give one. */
  | { readonly kind: 'linear'; readonly features: number };

export interface Step {
  readonly name: string;
  readonly batch: number;
  readonly model: ModelSpec;
}

export const CLASSES = 10;

export const STEPS: readonly Step[] = [
  {
    name: 'MLP 64-48-10, batch 32',
    batch: 32,
    model: { kind: 'dense', widths: [64, 48, CLASSES] },
  },
  {
    name: 'MLP 256-64-10, batch 64',
    batch: 64,
    model: { kind: 'dense', widths: [256, 64, CLASSES] },
  },
  {
    name: 'MLP 784-128-10, batch 64',
    batch: 64,
    model: { kind: 'dense', widths: [784, 128, CLASSES] },
  },
  {
    name: 'MLP 784-512-512-10, batch 128',
    batch: 128,
    model: { kind: 'dense', widths: [784, 512, 512, CLASSES] },
  },
  {
    name: 'CNN 28x28, 8 and 16 filters, batch 32',
    batch: 32,
    model: { kind: 'convolutional', extent: 28, channels: [1, 8, 16] },
  },
  {
    name: 'CNN 32x32, 32 and 64 filters, batch 32',
    batch: 32,
    model: { kind: 'convolutional', extent: 32, channels: [3, 32, 64] },
  },
];

/** One client's step where a thousand clients take one each. */
export const SMALL_STEP: Step = {
  name: 'linear regression, 8 features, batch 16',
  batch: 16,
  model: { kind: 'linear', features: 8 },
};

/** Shapes of the trainable parameters; weights and biases alternate. */
export function parameterShapes(model: ModelSpec): readonly (readonly number[])[] {
  switch (model.kind) {
    case 'linear':
      return [[model.features, 1]];
    case 'dense':
      return model.widths.slice(1).flatMap((width, i) => [[model.widths[i] ?? 0, width], [width]]);
    case 'convolutional': {
      const { channels } = model;
      const filters = channels.slice(1).map((count, i) => [3, 3, channels[i] ?? 0, count]);
      const extent = Math.ceil(model.extent / 2 ** filters.length);
      return [...filters, [extent * extent * (channels.at(-1) ?? 0), CLASSES]];
    }
  }
}

/** Shapes of the examples and of their targets: one-hot for classifiers. */
export function dataShapes({
  model,
  batch,
}: Step): readonly [readonly number[], readonly number[]] {
  switch (model.kind) {
    case 'linear':
      return [
        [batch, model.features],
        [batch, 1],
      ];
    case 'dense':
      return [
        [batch, model.widths[0] ?? 0],
        [batch, CLASSES],
      ];
    case 'convolutional':
      return [
        [batch, model.extent, model.extent, model.channels[0] ?? 0],
        [batch, CLASSES],
      ];
  }
}

export function argumentTypes(step: Step): TensorType[] {
  const shapes = [...parameterShapes(step.model), ...dataShapes(step)];
  return shapes.map((shape) => float32(...shape));
}

/** The same values each time, of a size that training keeps finite. */
export function argumentValues(step: Step): TensorValue<'float32'>[] {
  const values = [...parameterShapes(step.model), ...dataShapes(step)].map((shape, index) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * i + index) / 8);
    return new TensorValue('float32', shape, data);
  });
  if (step.model.kind === 'linear') return values;
  const oneHot = new Float32Array(step.batch * CLASSES);
  for (let i = 0; i < step.batch; i++) oneHot[i * CLASSES + (i % CLASSES)] = 1;
  return [...values.slice(0, -1), new TensorValue('float32', [step.batch, CLASSES], oneHot)];
}

/** The step with tfjs: new parameters, then the loss. */
export function tfjsStep({ model }: Step): (...tensors: tf.Tensor[]) => tf.Tensor[] {
  return (...tensors) => {
    const parameters = tensors.slice(0, -2);
    const [x, y] = tensors.slice(-2) as [tf.Tensor, tf.Tensor];
    const { value, grads } = tf.valueAndGrads((...given: tf.Tensor[]): tf.Scalar => {
      const output = tfjsForward(model, given, x);
      return model.kind === 'linear'
        ? output.sub(y).square().mean()
        : tf.neg(tf.mean(tf.sum(tf.mul(y, tf.logSoftmax(output)), 1)));
    })(parameters);
    return [...parameters.map((p, i) => p.sub((grads[i] as tf.Tensor).mul(0.1))), value];
  };
}

function tfjsForward(model: ModelSpec, parameters: readonly tf.Tensor[], x: tf.Tensor): tf.Tensor {
  if (model.kind === 'convolutional') {
    let image = x;
    for (const filter of parameters.slice(0, -1)) {
      const convolved = tf.conv2d(image as tf.Tensor4D, filter as tf.Tensor4D, 1, 'same');
      image = tf.maxPool(tf.relu(convolved), 2, 2, 'valid');
    }
    return tf.matMul(image.reshape([x.shape[0] ?? 0, -1]), parameters.at(-1) as tf.Tensor);
  }
  let output = x;
  for (let i = 0; i < parameters.length; i += 2) {
    if (i > 0) output = tf.relu(output);
    output = tf.matMul(output, parameters[i] as tf.Tensor);
    const bias = parameters[i + 1];
    if (bias !== undefined) output = output.add(bias);
  }
  return output;
}
