/** @file Computations for the tests of the command line. */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  atServer,
  federatedBroadcast,
  federatedComputation,
  federatedMap,
  federatedMean,
  federatedSecureSumBitwidth,
  float32,
  int32,
  tensorComputation,
} from 'fedloom';

const scale = tensorComputation([float32(), float32()], (x, factor) => tf.mul(x, factor), {
  name: 'scale',
  result: float32(),
});
const shift = tensorComputation([float32()], (x) => tf.add(x, 1), {
  name: 'shift',
  result: float32(),
});

export const scaledMean = federatedComputation(
  [atClients(float32()), atServer(float32())],
  (values, factor) =>
    federatedMean(federatedMap(shift, federatedMap(scale, [values, federatedBroadcast(factor)]))),
  { name: 'scaledMean' },
);

export const secureSum = federatedComputation(
  [atClients(int32())],
  (values) => federatedSecureSumBitwidth(values, 16),
  { name: 'secureSum' },
);

export const notAComputation = 1;
