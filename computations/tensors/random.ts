/**
 * @file Random numbers with explicit keys, as in JAX: a key is an int32[2] tensor, the same key
 * always gives the same numbers, and `split` or `fold` make new keys. Usable inside a traced body,
 * where each draw becomes a node, and outside. The numbers are the same, bit for bit, everywhere.
 */

import { ValueError } from '../types/errors.ts';
import type { TensorValue } from '../types/values.ts';
import type { HostTensor } from './host/arrays.ts';
import { HOST_KERNELS } from './host/index.ts';
import type { ConcreteAttributes } from './kernels/definition.ts';
import { abstractEval } from './kernels/index.ts';
import { engine, tf } from './tfjs.ts';
import { traceBackend } from './trace/backend.ts';

/** A random key: an int32[2] tensor. */
export type RandomKey = tf.Tensor | TensorValue<'int32'>;

/**
 * The key of a seed.
 * @param seed an integer from 0 to 2^53 - 1
 * @throws ValueError `value.out_of_range`
 */
function key(seed: number): tf.Tensor1D {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ValueError(
      'value.out_of_range',
      `A seed is an integer from 0 to 2^53 - 1; got ${seed}.`,
    );
  }
  return tf.tensor1d(Int32Array.of(Math.floor(seed / 2 ** 32), seed | 0), 'int32');
}

/** `count` new keys from one: the rows of an int32[count, 2]. The old key is not to be used again. */
function split(from: RandomKey, count = 2): tf.Tensor[] {
  return tf.tidy(() => tf.unstack(draw('fl.RandomSplit', { key: from }, { count })));
}

/** A new key from a key and an integer, such as a step or an index. */
function fold(from: RandomKey, data: number | tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const number = typeof data === 'number' ? tf.scalar(data, 'int32') : data;
    return draw('fl.RandomFold', { key: from, data: number }, {});
  });
}

/** int32 tensor of 32 random bits an element. */
function bits(from: RandomKey, shape: readonly number[]): tf.Tensor {
  return draw('fl.RandomBits', { key: from }, { shape });
}

/** float32 tensor, uniform on [minimum, maximum). */
function uniform(
  from: RandomKey,
  shape: readonly number[] = [],
  minimum = 0,
  maximum = 1,
): tf.Tensor {
  return tf.tidy(() => {
    const unit = draw('fl.RandomUniform', { key: from }, { shape });
    return minimum === 0 && maximum === 1 ? unit : unit.mul(maximum - minimum).add(minimum);
  });
}

/** float32 tensor, normal with the given mean and standard deviation. */
function normal(
  from: RandomKey,
  shape: readonly number[] = [],
  mean = 0,
  standardDeviation = 1,
): tf.Tensor {
  return tf.tidy(() => {
    const standard = draw('fl.RandomNormal', { key: from }, { shape });
    return mean === 0 && standardDeviation === 1
      ? standard
      : standard.mul(standardDeviation).add(mean);
  });
}

/** int32 tensor, uniform on the integers in [minimum, maximum). */
function randomInt(
  from: RandomKey,
  shape: readonly number[],
  minimum: number,
  maximum: number,
): tf.Tensor {
  return draw('fl.RandomInteger', { key: from }, { shape, minimum, maximum });
}

/** bool tensor, true with the given probability. */
function bernoulli(from: RandomKey, probability: number, shape: readonly number[] = []): tf.Tensor {
  return tf.tidy(() => draw('fl.RandomUniform', { key: from }, { shape }).less(probability));
}

/** The integers 0 … count-1 in random order. */
function permutation(from: RandomKey, count: number): tf.Tensor {
  return draw('fl.RandomPermutation', { key: from }, { count });
}

export const random = {
  key,
  split,
  fold,
  bits,
  uniform,
  normal,
  randomInt,
  bernoulli,
  permutation,
} as const;

/** A node in a trace; outside of one, the numbers themselves. */
function draw(
  kernel: string,
  inputs: Readonly<Record<string, RandomKey>>,
  attributes: ConcreteAttributes,
): tf.Tensor {
  if (traceBackend().recording !== null) {
    const tensors = Object.entries(inputs).map(([name, input]) => [name, asTensor(input)] as const);
    return engine().runKernel(kernel, Object.fromEntries(tensors), attributes) as tf.Tensor;
  }
  const values = Object.entries(inputs).map(([name, input]) => [name, asHost(input)] as const);
  const specs = abstractEval(kernel, Object.fromEntries(values), attributes);
  const run = HOST_KERNELS[kernel] as NonNullable<(typeof HOST_KERNELS)[string]>;
  const [data] = run(
    values.map(([, value]) => value),
    attributes,
    specs,
  );
  const [spec] = specs;
  return tf.tensor(
    data as Float32Array | Int32Array,
    [...(spec?.shape ?? [])],
    spec?.dtype as 'float32' | 'int32',
  );
}

function asTensor(input: RandomKey): tf.Tensor {
  return input instanceof tf.Tensor ? input : tf.tensor(input.data, [...input.shape], 'int32');
}

function asHost(input: RandomKey): HostTensor {
  if (!(input instanceof tf.Tensor)) return input;
  return { dtype: 'int32', shape: input.shape, data: input.dataSync() as Int32Array };
}
