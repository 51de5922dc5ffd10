/**
 * @file Golden tests of messages: mistakes that people make, as from JavaScript, and what they are
 * told. Each message shows both types, marks the first difference, and says what to do and where.
 */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  atServer,
  FederatedTypeError,
  federatedAggregate,
  federatedBroadcast,
  federatedComputation,
  federatedMap,
  federatedMean,
  federatedSecureSum,
  federatedSum,
  float32,
  int32,
  sequence,
  sequenceReduce,
  struct,
  type Type,
  tensorComputation,
  ValueError,
} from 'fedloom';
import { describe, expect, test } from 'vitest';

type Untyped = (...args: readonly unknown[]) => never;
const untyped = (fn: unknown): Untyped => fn as Untyped;
const body = (parameters: readonly Type[], fn: (...values: never[]) => unknown): unknown =>
  federatedComputation(parameters, fn as Untyped);

const Model = struct({ weights: float32(3), bias: float32() });
const Batch = struct({ x: float32(null, 3), y: float32(null) });
const trainStep = tensorComputation(
  [Model, Batch],
  ({ weights, bias }, { x, y }) => {
    const error = tf.sub(tf.add(tf.dot(x, weights), bias), y);
    return { weights: tf.sub(weights, tf.dot(error, x)), bias: tf.sub(bias, tf.mean(error)) };
  },
  { result: Model, name: 'trainStep' },
);
const add = tensorComputation([int32(), int32()], (a, b) => tf.add(a, b), { name: 'add' });
const halve = tensorComputation([float32()], (x) => tf.div(x, 2), { name: 'halve' });

/** The message of what is thrown, with the position in this file left out. */
async function messageOf(attempt: () => unknown): Promise<string> {
  const error = await (async () => attempt())().then(
    () => expect.fail('nothing was thrown'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof FederatedTypeError || error instanceof ValueError)) throw error;
  return `\n${error.message.replace(/type-errors\.test\.ts:\d+:\d+$/, 'type-errors.test.ts:…')}\n`;
}

describe('messages', () => {
  test.each<[string, () => unknown]>([
    [
      'labels of another dtype in the batches',
      () =>
        body(
          [atClients(sequence(struct({ x: float32(null, 3), y: int32(null) }))), atServer(Model)],
          (batches: never, model: never) =>
            untyped(sequenceReduce)(batches, untyped(federatedBroadcast)(model), trainStep),
        ),
    ],
    [
      'a model that is not broadcast',
      () =>
        body([atServer(Model), atClients(Batch)], (model, batch) =>
          untyped(federatedMap)(trainStep, [model, batch]),
        ),
    ],
    [
      'a result that is not the declared one',
      () =>
        untyped(tensorComputation)([float32(4, 3)], (x: tf.Tensor) => tf.sum(x, 0), {
          result: float32(4),
          name: 'columnSums',
        }),
    ],
    [
      'a count in a mean',
      () =>
        body([atClients(struct({ loss: float32(), examples: int32() }))], (metrics) =>
          untyped(federatedMean)(metrics),
        ),
    ],
    [
      'a secure sum of floats',
      () => body([atClients(Model)], (update) => untyped(federatedSecureSum)(update, 255)),
    ],
    [
      'an element that is missing',
      () =>
        body([struct({ weights: float32(3) }), Batch], (model, batch) =>
          untyped(trainStep)(model, batch),
        ),
    ],
    [
      'elements in another order',
      () =>
        body([struct({ bias: float32(), weights: float32(3) }), Batch], (model, batch) =>
          untyped(trainStep)(model, batch),
        ),
    ],
    [
      'a state that changes its type',
      () =>
        body([atClients(int32())], (x) =>
          untyped(federatedAggregate)(
            x,
            0,
            tensorComputation([int32(), int32()], (s, v) => tf.div(s, tf.cast(v, 'float32'))),
            add,
            add,
          ),
        ),
    ],
    [
      'a computation called on a placed value',
      () => body([atClients(float32())], (x) => untyped(halve)(x)),
    ],
    [
      'a sum of a sum',
      () => body([atClients(int32())], (x) => untyped(federatedSum)(untyped(federatedSum)(x))),
    ],
    [
      'a merge of other states',
      () =>
        body([atClients(int32())], (x) =>
          untyped(federatedAggregate)(
            x,
            0,
            add,
            tensorComputation([float32(), float32()], (a, b) => tf.add(a, b)),
            add,
          ),
        ),
    ],
    ['an argument that is missing', () => body([Model], (model) => untyped(trainStep)(model))],
    [
      'data of another shape',
      () =>
        untyped(federatedComputation([atClients(float32(3))], (x) => federatedMean(x)))([
          [1, 2, 3],
          [4, 5],
        ]),
    ],
  ])('%s', async (_, attempt) => {
    expect(await messageOf(attempt)).toMatchSnapshot();
  });
});

test('the line is that of the call', async () => {
  const line = Number(new Error().stack?.match(/type-errors\.test\.ts:(\d+)/)?.[1]);
  const attempt = (): unknown => body([atServer(int32())], (x) => untyped(federatedSum)(x));
  const error = await (async () => attempt())().catch((reason: unknown) => reason);
  if (!(error instanceof FederatedTypeError)) throw error;
  expect(error.location).toEqual({
    file: 'test/intrinsics/type-errors.test.ts',
    line: line + 1,
    column: expect.any(Number),
  });
  expect(error.message).toMatch(/\n {2}called at test\/intrinsics\/type-errors\.test\.ts:\d+:\d+$/);
});
