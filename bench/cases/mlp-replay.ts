/**
 * @file A step of gradient descent of a classifier 64-48-10 at batch size 32, gradients included:
 * tfjs on its wasm backend against the replay of the traced step.
 */

import * as tf from '@tensorflow/tfjs';
import { loadBackend, traceTensors } from '../../computations/tensors/index.ts';
import { float32, int32, TensorValue } from '../../computations/types/index.ts';
import type { BenchmarkFigure } from '../benchmark.ts';

export default {
  name: 'mlp-replay',
  target: 'replay at least 4 times faster than tfjs on wasm',
  async run(): Promise<readonly BenchmarkFigure[]> {
    const backend = await loadBackend({ prefer: 'wasm' });
    await tf.setBackend('wasm');
    const { graph } = traceTensors(TYPES, step);
    const program = backend.prepare(graph);
    const values = makeValues();
    const inputs = values.map((value) => backend.upload(value));
    const tensors = values.map(({ data, shape, dtype }) =>
      tf.tensor(data as Float32Array, [...shape], dtype as 'float32'),
    );
    const [w1, b1, w2, b2, x, labels] = tensors as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const replay = (): void => {
      const outputs = program.run(inputs);
      outputs[LOSS]?.read();
      for (const output of outputs) output.dispose();
    };
    const eager = (): void => {
      const outputs = tf.tidy(() => step(w1, b1, w2, b2, x, labels));
      outputs[LOSS]?.dataSync();
      tf.dispose(outputs);
    };
    // Alternating runs, so that a busy machine slows both down.
    const times = { eager: [] as number[], replay: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times.eager.push(timed(eager));
      times.replay.push(timed(replay));
    }
    const [slow, fast] = [median(times.eager), median(times.replay)];
    return [
      { case: 'tfjs', unit: 'ms/step', value: slow },
      { case: 'replay', unit: 'ms/step', value: fast },
      { case: 'ratio', unit: 'x', value: slow / fast, limit: { atLeast: 4 } },
    ];
  },
};

type Tensor = tf.Tensor;

const ROUNDS = 30;
const STEPS = 50;
const LOSS = 4;
const TYPES = [
  float32(64, 48),
  float32(48),
  float32(48, 10),
  float32(10),
  float32(null, 64),
  int32(null),
] as const;

function step(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, x: Tensor, labels: Tensor): Tensor[] {
  const loss = (...[v1, c1, v2, c2]: Tensor[]): tf.Scalar => {
    const hidden = tf.relu(tf.matMul(x, v1 as Tensor).add(c1 as Tensor));
    const logits = tf.matMul(hidden, v2 as Tensor).add(c2 as Tensor);
    return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 10), logits);
  };
  const parameters = [w1, b1, w2, b2];
  const { value, grads } = tf.valueAndGrads(loss)(parameters);
  return [...parameters.map((p, i) => p.sub((grads[i] as Tensor).mul(0.1))), value];
}

function makeValues(): TensorValue[] {
  const batch = 32;
  return TYPES.map(({ dtype, shape }, index) => {
    const sizes = (shape as readonly (number | null)[]).map((size) => size ?? batch);
    const length = sizes.reduce((a, b) => a * b, 1);
    return dtype === 'int32'
      ? new TensorValue(
          'int32',
          sizes,
          Int32Array.from({ length }, (_, i) => i % 10),
        )
      : new TensorValue(
          'float32',
          sizes,
          Float32Array.from({ length }, (_, i) => Math.sin(i + index) / 4),
        );
  });
}

function timed(action: () => void): number {
  const start = performance.now();
  for (let i = 0; i < STEPS; i++) action();
  return (performance.now() - start) / STEPS;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
