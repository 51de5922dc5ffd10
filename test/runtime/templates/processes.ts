/** @file Small processes for the tests of templates. */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  atServer,
  federatedBroadcast,
  federatedComputation,
  federatedMap,
  federatedMax,
  federatedMean,
  federatedValue,
  float32,
  IterativeProcess,
  int32,
  MeasuredProcess,
  struct,
  tensorComputation,
} from 'fedloom';

export const addInt = tensorComputation([int32(), int32()], (a, b) => tf.add(a, b), {
  result: int32(),
  name: 'add',
});

/** Counts up by the number that it is given; unplaced. */
export const counter = new IterativeProcess({
  initialize: tensorComputation([], () => tf.scalar(0, 'int32'), { result: int32() }),
  next: addInt,
});

export const Model = struct({ weights: float32(3), steps: int32() });

const step = tensorComputation(
  [Model, float32(3)],
  ({ weights, steps }, target) => ({
    weights: tf.add(weights, tf.mul(tf.sub(target, weights), 0.3)),
    steps: tf.add(steps, tf.scalar(1, 'int32')),
  }),
  { result: Model, name: 'step' },
);
const distance = tensorComputation(
  [Model, float32(3)],
  ({ weights }, target) => tf.norm(tf.sub(target, weights)),
  { result: float32(), name: 'distance' },
);
const emptyModel = tensorComputation(
  [],
  () => ({ weights: tf.zeros([3]), steps: tf.scalar(0, 'int32') }),
  { result: Model },
);

/** Goes towards the mean of the clients' vectors, and tells how far it is. */
export const training = new IterativeProcess({
  initialize: federatedComputation([], () => federatedValue(emptyModel(), 'server')),
  next: federatedComputation([atServer(Model), atClients(float32(3))], (state, targets) => ({
    state: federatedMap(step, [state, federatedMean(targets)]),
    distance: federatedMean(federatedMap(distance, [federatedBroadcast(state), targets])),
  })),
});

const multiply = tensorComputation([float32(), float32()], (a, b) => tf.mul(a, b), {
  result: float32(),
});
const addOne = tensorComputation([int32()], (n) => tf.add(n, tf.scalar(1, 'int32')), {
  result: int32(),
});

/** Scales the clients' values by ten, and counts its rounds. */
export const scale = new MeasuredProcess({
  initialize: federatedComputation([], () => federatedValue(0, 'server', int32())),
  next: federatedComputation([atServer(int32()), atClients(float32())], (state, x) => ({
    state: federatedMap(addOne, state),
    result: federatedMap(multiply, [x, federatedValue(10, 'clients', float32())]),
    measurements: federatedMax(x),
  })),
});

/** The mean of the clients' values; its state is how often it was asked. */
export const mean = new MeasuredProcess({
  initialize: federatedComputation([], () => federatedValue(100, 'server', int32())),
  next: federatedComputation([atServer(int32()), atClients(float32())], (state, x) => ({
    state: federatedMap(addOne, state),
    result: federatedMean(x),
    measurements: federatedMax(x),
  })),
});
