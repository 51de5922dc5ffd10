/** @file The TypeScript compiler rejects a process whose computations do not fit together. */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  atServer,
  chainMeasuredProcesses,
  concatenateMeasuredProcesses,
  federatedComputation,
  federatedMean,
  federatedSum,
  federatedValue,
  float32,
  IterativeProcess,
  int32,
  MeasuredProcess,
  processRounds,
  runProcess,
  type TensorValue,
  tensorComputation,
} from 'fedloom';
import { describe, expectTypeOf, test } from 'vitest';
import { counter, mean, scale, training } from './processes.ts';

const zero = federatedComputation([], () => federatedValue(0, 'server', int32()));

describe('IterativeProcess', () => {
  test('next takes what initialize makes', () => {
    const next = federatedComputation([atServer(int32())], (x) => x);
    new IterativeProcess({ initialize: zero, next });
    const floats = federatedComputation([atServer(float32())], (x) => x);
    // @ts-expect-error the state is an integer
    new IterativeProcess({ initialize: zero, next: floats });
    const unplaced = federatedComputation([int32()], (x) => x);
    // @ts-expect-error the state is at the server
    new IterativeProcess({ initialize: zero, next: unplaced });
    // @ts-expect-error initialize takes no parameter
    new IterativeProcess({ initialize: next, next });
    // @ts-expect-error next takes the state
    new IterativeProcess({ initialize: zero, next: zero });
  });

  test('next returns what it takes', () => {
    const pair = federatedComputation([atServer(int32()), atClients(int32())], (state, x) => [
      state,
      federatedSum(x),
    ]);
    new IterativeProcess({ initialize: zero, next: pair });
    const other = federatedComputation([atServer(int32()), atClients(float32())], (_state, x) =>
      federatedMean(x),
    );
    // @ts-expect-error a float is no state
    new IterativeProcess({ initialize: zero, next: other });
    const lost = federatedComputation([atServer(int32()), atClients(float32())], (state, x) => ({
      loss: federatedMean(x),
      count: state,
    }));
    // @ts-expect-error no element is called state
    new IterativeProcess({ initialize: zero, next: lost });
  });

  test('types states and rounds', () => {
    expectTypeOf(counter.initialize()).resolves.toEqualTypeOf<number>();
    void runProcess(counter, { rounds: 2, data: () => [5] }).then(({ state }) => {
      expectTypeOf(state).toEqualTypeOf<number>();
    });
    // @ts-expect-error a round takes a number
    void runProcess(counter, { rounds: 2, data: () => ['5'] });
    void runProcess(training, {
      rounds: 1,
      data: () => [[[1, 2, 3]]],
      onRound: ({ state, output }) => {
        expectTypeOf(state.weights).toEqualTypeOf<TensorValue<'float32'>>();
        expectTypeOf(output.distance).toEqualTypeOf<number>();
      },
    });
    expectTypeOf(
      processRounds(counter, { rounds: 1 })[Symbol.asyncIterator],
    ).returns.toHaveProperty('next');
  });
});

describe('MeasuredProcess', () => {
  test('next returns state, result and measurements', () => {
    const bare = federatedComputation([atServer(int32()), atClients(int32())], (state, x) => ({
      state,
      result: federatedSum(x),
    }));
    // @ts-expect-error measurements are missing
    new MeasuredProcess({ initialize: zero, next: bare });
    const wrong = federatedComputation([atServer(int32()), atClients(float32())], (state, x) => ({
      state: federatedMean(x),
      result: state,
      measurements: state,
    }));
    // @ts-expect-error the state is an integer
    new MeasuredProcess({ initialize: zero, next: wrong });
  });

  test('composes with types', () => {
    const chain = chainMeasuredProcesses([
      ['scale', scale],
      ['mean', mean],
    ]);
    expectTypeOf(chain.initialize()).resolves.toEqualTypeOf<{ scale: number; mean: number }>();
    void chain.next({ scale: 0, mean: 0 }, [1, 2]).then(({ result }) => {
      expectTypeOf(result).toEqualTypeOf<number>();
    });
    // @ts-expect-error a state is missing
    void chain.next({ scale: 0 }, [1, 2]);
    const both = concatenateMeasuredProcesses({ a: scale, b: mean });
    void both.next({ a: 0, b: 0 }, { a: [1], b: [2] }).then(({ result }) => {
      expectTypeOf(result).toEqualTypeOf<{ a: number[]; b: number }>();
    });
    const none = tensorComputation([], () => tf.scalar(1), { result: float32() });
    // @ts-expect-error an iterative process has no measurements
    concatenateMeasuredProcesses({ a: counter, b: none });
  });
});
