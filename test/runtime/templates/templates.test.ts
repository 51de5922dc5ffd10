/** @file Iterative and measured processes: what they accept, and what they compute. */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  atServer,
  chainMeasuredProcesses,
  concatenateMeasuredProcesses,
  federatedComputation,
  federatedMap,
  federatedSum,
  federatedValue,
  float32,
  IterativeProcess,
  int32,
  MeasuredProcess,
  struct,
  TemplateError,
  TensorValue,
  tensorComputation,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import { addInt, counter, mean, scale, training } from './processes.ts';

/** As from JavaScript, where the compiler does not object. */
const iterative = (parts: object): unknown => new IterativeProcess(parts as never);
const measured = (parts: object): unknown => new MeasuredProcess(parts as never);

const zero = federatedComputation([], () => federatedValue(0, 'server', int32()));
const half = federatedComputation([], () => federatedValue(0.5, 'server', float32()));

describe('an iterative process', () => {
  test('goes on from its own state', async () => {
    expect(counter.returnsStateOnly).toBe(true);
    const first = await counter.initialize();
    expect(await counter.next(await counter.next(first, 3), 4)).toBe(7);
    expect(String(counter.stateType)).toBe('int32');
    expect(counter.dataTypes.map(String)).toEqual(['int32']);
  });

  test('may return more than its state, which comes first', async () => {
    expect(training.returnsStateOnly).toBe(false);
    const output = await training.next(await training.initialize(), [
      [1, 2, 3],
      [3, 2, 1],
    ]);
    expect(output.distance).toBeCloseTo(Math.sqrt(14), 5);
    expect(training.stateOf(output)).toBe(output.state);
    expect(output.state.steps).toBe(1);
    expect(training.stateOf([1, 2])).toBe(1);
  });

  test('prints its types', () => {
    expect(String(counter)).toBe(
      'IterativeProcess(initialize: ( -> int32), next: (<a=int32,b=int32> -> int32))',
    );
  });

  test('takes a state of a size that is known later', () => {
    const grow = tensorComputation([float32(null)], (x) => tf.concat([x, x]), {
      result: float32(null),
    });
    const start = tensorComputation([], () => tf.zeros([2]), { result: float32(2) });
    expect(new IterativeProcess({ initialize: start, next: grow }).returnsStateOnly).toBe(true);
  });
});

describe('wrong computations are refused, with both types', () => {
  const identity = federatedComputation([atServer(int32())], (x) => x);
  test.each<[string, () => unknown, string, string, string]>([
    [
      'initialize takes a parameter',
      () => iterative({ initialize: identity, next: identity }),
      'template.initialize_parameter',
      '( -> int32@SERVER)',
      '(int32@SERVER -> int32@SERVER)',
    ],
    [
      'next takes no state',
      () => iterative({ initialize: zero, next: zero }),
      'template.next_without_state',
      '(int32@SERVER -> int32@SERVER)',
      '( -> int32@SERVER)',
    ],
    [
      'next takes another state',
      () => iterative({ initialize: half, next: identity }),
      'template.state_not_accepted',
      'int32@SERVER',
      'float32@SERVER',
    ],
    [
      'next returns another state',
      () =>
        iterative({
          initialize: zero,
          next: federatedComputation([atServer(int32())], () => federatedValue(0.5, 'server')),
        }),
      'template.state_not_returned',
      'int32@SERVER',
      'float32@SERVER',
    ],
    [
      'the state does not come first',
      () =>
        iterative({
          initialize: zero,
          next: federatedComputation([atServer(int32())], (x) => ({
            loss: federatedValue(0.5, 'server'),
            state: x,
          })),
        }),
      'template.state_not_returned',
      'int32@SERVER',
      'float32@SERVER',
    ],
    [
      'an element of the state changes its shape',
      () =>
        iterative({
          initialize: tensorComputation([], () => ({ w: tf.zeros([3]), n: tf.scalar(0) })),
          next: tensorComputation([struct({ w: float32(3), n: float32() })], ({ w, n }) => ({
            w: tf.concat([w, w]),
            n,
          })),
        }),
      'template.state_not_returned',
      '<w=float32[3],n=float32>',
      '<w=float32[6],n=float32>',
    ],
    [
      'next is no computation',
      () => iterative({ initialize: zero, next: (x: unknown) => x }),
      'template.not_a_computation',
      '(<S,…> -> <S,…>)',
      'a function that is no computation',
    ],
    [
      'the round of a measured process has no measurements',
      () =>
        measured({
          initialize: zero,
          next: federatedComputation([atServer(int32()), atClients(int32())], (state, x) => ({
            state,
            result: federatedSum(x),
          })),
        }),
      'template.not_measured',
      '<state=int32@SERVER,result=R,measurements=M>',
      '<state=int32@SERVER,result=int32@SERVER>',
    ],
    [
      'the parts of a measured round come in another order',
      () =>
        measured({
          initialize: zero,
          next: federatedComputation([atServer(int32())], (state) => ({
            state,
            measurements: state,
            result: state,
          })),
        }),
      'template.not_measured',
      '<state=int32@SERVER,result=R,measurements=M>',
      '<state=int32@SERVER,measurements=int32@SERVER,result=int32@SERVER>',
    ],
  ])('%s', (_, attempt, code, expected, given) => {
    const error = thrownBy(attempt);
    expect(error.code).toBe(code);
    expect([error.expected, error.given]).toEqual([expected, given]);
    expect(error.message).toContain(`expected: ${expected}`);
    expect(error.message).toContain(`given:    ${given}`);
    expect(error.message).toMatch(
      /called at test\/runtime\/templates\/templates\.test\.ts:\d+:\d+$/,
    );
  });

  test('the place where states differ is marked', () => {
    const error = thrownBy(() =>
      iterative({
        initialize: tensorComputation([], () => ({ w: tf.zeros([3]), n: tf.scalar(0) })),
        next: tensorComputation([struct({ w: float32(3), n: float32() })], ({ w }) => ({
          w,
          n: tf.cast(tf.sum(w), 'int32'),
        })),
      }),
    );
    expect(error.message).toContain(`
  given:    <w=float32[3],n=int32>
                            ^^^^^ .n: int32 instead of float32`);
  });
});

describe('measured processes', () => {
  test('know the types of results and measurements', () => {
    expect([scale.resultType, scale.measurementsType].map(String)).toEqual([
      '{float32}@CLIENTS',
      'float32@SERVER',
    ]);
  });

  test('in a chain, one takes what the one before results in', async () => {
    const process = chainMeasuredProcesses([
      ['scale', scale],
      ['mean', mean],
    ]);
    expect(String(process.stateType)).toBe('<scale=int32,mean=int32>@SERVER');
    const first = await process.initialize();
    expect(first).toEqual({ scale: 0, mean: 100 });
    const { state, result, measurements } = await process.next(first, [1, 2, 3]);
    expect(state).toEqual({ scale: 1, mean: 101 });
    expect(result).toBe(20);
    expect(measurements).toEqual({ scale: 3, mean: 30 });
  });

  test('side by side, each has its own value', async () => {
    const process = concatenateMeasuredProcesses({ big: scale, small: mean });
    const { state, result, measurements } = await process.next(await process.initialize(), {
      big: [1, 2],
      small: [5, 7],
    });
    expect(state).toEqual({ big: 1, small: 101 });
    expect(result).toEqual({ big: [10, 20], small: 6 });
    expect(measurements).toEqual({ big: 2, small: 7 });
  });

  test('compose again', async () => {
    const pair = concatenateMeasuredProcesses({ a: mean, b: mean });
    const process = chainMeasuredProcesses([['pair', pair]]);
    const { state } = await process.next(await process.initialize(), { a: [1], b: [2] });
    expect(state).toEqual({ pair: { a: 101, b: 101 } });
  });

  test('without placement, have a struct of states', async () => {
    const total = new MeasuredProcess({
      initialize: tensorComputation([], () => tf.scalar(0, 'int32'), { result: int32() }),
      next: federatedComputation([int32(), int32()], (state, x) => {
        const sum = addInt(state, x);
        return { state: sum, result: sum, measurements: x };
      }),
    });
    const process = chainMeasuredProcesses([
      ['first', total],
      ['second', total],
    ]);
    expect(String(process.stateType)).toBe('<first=int32,second=int32>');
    const once = await process.next(await process.initialize(), 3);
    expect((await process.next(once.state, 1)).result).toBe(7);
  });

  test('that do not fit together are refused', () => {
    const ints = new MeasuredProcess({
      initialize: zero,
      next: federatedComputation([atServer(int32()), atClients(int32())], (state, x) => ({
        state,
        result: federatedSum(x),
        measurements: state,
      })),
    });
    const error = thrownBy(() =>
      chainMeasuredProcesses([
        ['scale', scale],
        ['sum', ints],
      ]),
    );
    expect(error.code).toBe('template.not_composable');
    expect(error.message).toContain("'sum' comes after 'scale'");
    expect([error.expected, error.given]).toEqual(['{int32}@CLIENTS', '{float32}@CLIENTS']);
    const lonely = new MeasuredProcess({
      initialize: zero,
      next: federatedComputation([atServer(int32())], (state) => ({
        state,
        result: state,
        measurements: federatedMap(addInt, [state, state]),
      })),
    });
    for (const attempt of [
      () => chainMeasuredProcesses([]),
      () => concatenateMeasuredProcesses({ lonely: lonely as never }),
      () => concatenateMeasuredProcesses({ counter: counter as never }),
      () =>
        chainMeasuredProcesses([
          ['a', mean],
          ['a', mean],
        ]),
    ]) {
      expect(thrownBy(attempt).code).toBe('template.not_composable');
    }
  });
});

test('a state is plain data that next takes as it is', async () => {
  const { weights } = await training.initialize();
  expect(weights).toBeInstanceOf(TensorValue);
});

function thrownBy(attempt: () => unknown): TemplateError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
  return expect.fail('nothing was thrown');
}
