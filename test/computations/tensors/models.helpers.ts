/** @file Small models, as bodies that can be traced and run by tfjs itself. */

import { tf } from '../../../computations/tensors/tfjs.ts';

type Scalar = tf.Scalar;

/** One step of gradient descent of a classifier 64-48-10: new parameters and the loss. */
export function mlpStep(
  w1: tf.Tensor,
  b1: tf.Tensor,
  w2: tf.Tensor,
  b2: tf.Tensor,
  x: tf.Tensor,
  labels: tf.Tensor,
): { parameters: tf.Tensor[]; loss: tf.Tensor } {
  const loss = (...[v1, c1, v2, c2]: tf.Tensor[]): Scalar => {
    const hidden = tf.relu(tf.matMul(x, v1 as tf.Tensor).add(c1 as tf.Tensor));
    const logits = tf.matMul(hidden, v2 as tf.Tensor).add(c2 as tf.Tensor);
    return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 10), logits);
  };
  const parameters = [w1, b1, w2, b2];
  const { value, grads } = tf.valueAndGrads(loss)(parameters);
  return {
    parameters: parameters.map((p, i) => p.sub((grads[i] as tf.Tensor).mul(0.1))),
    loss: value,
  };
}

/** Gradients of a convolutional net with a pool, 'same' and strided convolutions. */
export function cnnGradients(
  x: tf.Tensor,
  f1: tf.Tensor,
  f2: tf.Tensor,
  w: tf.Tensor,
): tf.Tensor[] {
  const loss = (...[a, b, c]: tf.Tensor[]): Scalar => {
    const first = tf.relu(tf.conv2d(x as tf.Tensor4D, a as tf.Tensor4D, 1, 'same'));
    const pooled = tf.maxPool(first as tf.Tensor4D, 2, 2, 'valid');
    const second = tf.relu(tf.conv2d(pooled as tf.Tensor4D, b as tf.Tensor4D, 2, 'same'));
    const flat = second.reshape([x.shape[0] as number, -1]);
    return tf
      .matMul(flat, c as tf.Tensor)
      .square()
      .mean();
  };
  return tf.grads(loss)([f1, f2, w]);
}

/** Gradients of a depthwise-separable convolution. */
export function depthwiseGradients(x: tf.Tensor, f: tf.Tensor): tf.Tensor[] {
  const loss = (...[image, filter]: tf.Tensor[]): Scalar =>
    tf
      .depthwiseConv2d(image as tf.Tensor4D, filter as tf.Tensor4D, 2, 'same')
      .square()
      .sum();
  return tf.grads(loss)([x, f]);
}

/** Gradients of two steps of an LSTM cell. */
export function lstmGradients(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor): tf.Tensor[] {
  const batch = x.shape[0] as number;
  const loss = (...[k, b]: tf.Tensor[]): Scalar => {
    let c: tf.Tensor2D = tf.zeros([batch, 4]);
    let h: tf.Tensor2D = tf.zeros([batch, 4]);
    for (let step = 0; step < 2; step++) {
      [c, h] = tf.basicLSTMCell(
        tf.scalar(1),
        k as tf.Tensor2D,
        b as tf.Tensor1D,
        x as tf.Tensor2D,
        c,
        h,
      );
    }
    return h.square().sum();
  };
  return tf.grads(loss)([kernel, bias]);
}

/** Gradients of an embedding with a batch normalisation on top. */
export function embeddingGradients(indices: tf.Tensor, table: tf.Tensor): tf.Tensor[] {
  const loss = (embedding: tf.Tensor): Scalar => {
    const rows = tf.gather(embedding, indices as tf.Tensor1D);
    const { mean, variance } = tf.moments(rows, 0);
    const normal = tf.batchNorm(
      rows as tf.Tensor2D,
      mean as tf.Tensor1D,
      variance as tf.Tensor1D,
      tf.zeros([3]),
      tf.ones([3]),
      0.001,
    );
    return normal.sigmoid().sum();
  };
  return tf.grads(loss)([table]);
}

/** Two steps of Adam inside the body, on variables made there. */
export function adamInside(w: tf.Tensor, x: tf.Tensor): tf.Tensor {
  const variable = tf.variable(w);
  const adam = tf.train.adam(0.1);
  for (let step = 0; step < 2; step++) {
    adam.minimize(() => tf.matMul(x, variable).square().mean(), false, [variable]);
  }
  return variable.clone();
}

/** Losses, sorting, splitting and stacking. */
export function assortment(x: tf.Tensor, y: tf.Tensor): Record<string, tf.Tensor> {
  const { values, indices } = tf.topk(x, 2);
  const [left, right] = tf.split(x, 2, 1);
  const [first, second] = tf.unstack(y);
  return {
    huber: tf.losses.huberLoss(y, x),
    logistic: tf.losses.sigmoidCrossEntropy(y.sigmoid(), x),
    values,
    indices,
    halves: tf.stack([left as tf.Tensor, right as tf.Tensor]),
    joined: tf.concat([first as tf.Tensor, second as tf.Tensor]),
    clipped: tf.clipByValue(x, 0, Number.POSITIVE_INFINITY),
    padded: tf.pad(x, [
      [1, 0],
      [0, 1],
    ]),
    normalised: tf.softmax(x),
    logged: tf.logSoftmax(x),
    masked: tf.where(x.greater(0), x, tf.zerosLike(x)),
  };
}
