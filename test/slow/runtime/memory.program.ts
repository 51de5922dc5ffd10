/**
 * @file Runs 200 rounds with cohorts of varying size, and prints what the process holds after 20 of
 * them and at the end, in bytes. Run with `--expose-gc`.
 */

import * as tf from '@tensorflow/tfjs';
import { federatedComputation, tensorComputation } from '../../../computations/index.ts';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { atClients, atServer, float32, TensorValue } from '../../../computations/types/index.ts';
import { federatedBroadcast, federatedMap, federatedMean } from '../../../intrinsics/index.ts';
import {
  ExecutionContext,
  type LocalExecutorFactoryOptions,
  localExecutorFactory,
} from '../../../runtime/index.ts';

const ROUNDS = 200;
const WARM_UP = 40;
const SIZE = 1000;

const options: LocalExecutorFactoryOptions = JSON.parse(process.argv[2] ?? '{}');
const VECTOR = float32(SIZE);
const step = tensorComputation([VECTOR, VECTOR], (model, x) => tf.add(tf.mul(model, 0.5), x));
const round = federatedComputation([atServer(VECTOR), atClients(VECTOR)], (model, x) =>
  federatedMean(federatedMap(step, [federatedBroadcast(model), x])),
);

await loadBackend();
await using context = new ExecutionContext(localExecutorFactory(options));
let model = new TensorValue('float32', [SIZE], new Float32Array(SIZE));
const held: number[] = [];
for (let i = 0; i < ROUNDS; i++) {
  // 10 to 106 clients, each size once in 97 rounds: far more sizes than stacks are kept.
  const clients = 10 + ((i * 41) % 97);
  const data = Array.from({ length: clients }, (_, client) =>
    new Float32Array(SIZE).fill(i + client),
  );
  model = await context.invoke(round, [model, data]);
  if (i >= WARM_UP) held.push(await heldBytes());
}
const tenth = Math.floor(held.length / 10);
console.log(
  JSON.stringify({ early: median(held.slice(0, tenth)), late: median(held.slice(-tenth)) }),
);

async function heldBytes(): Promise<number> {
  if (gc === undefined) throw new Error('run with --expose-gc');
  // What finalizers free is gone at the second collection.
  for (let i = 0; i < 2; i++) {
    await gc({ type: 'major', execution: 'async' });
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
