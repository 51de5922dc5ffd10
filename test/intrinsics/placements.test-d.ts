/** @file The TypeScript compiler rejects misuse of placements, dtypes and shapes of data. */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  atServer,
  bool,
  federatedAggregate,
  federatedBroadcast,
  federatedComputation,
  federatedMap,
  federatedMax,
  federatedMean,
  federatedSecureSum,
  federatedSecureSumBitwidth,
  federatedSum,
  federatedZip,
  float32,
  int32,
  int64,
  sequence,
  sequenceMap,
  sequenceReduce,
  sequenceSum,
  string,
  struct,
  type TensorValue,
  tensorComputation,
} from 'fedloom';
import { describe, expectTypeOf, test } from 'vitest';

const halve = tensorComputation([float32()], (x) => tf.div(x, 2), { result: float32() });
const over = tensorComputation([float32(), float32()], (x, limit) => tf.greater(x, limit), {
  result: bool(),
});
const add = tensorComputation([int32(), int32()], (x, y) => tf.add(x, y), { result: int32() });
const negate = tensorComputation([int32()], (x) => tf.neg(x), { result: int32() });

describe('aggregations', () => {
  test('take client values', () => {
    federatedComputation([atClients(int32())], (x) => federatedSum(x));
    federatedComputation([atClients(int32(), { allEqual: true })], (x) => federatedSum(x));
    // @ts-expect-error a server value has nothing to sum
    federatedComputation([atServer(int32())], (x) => federatedSum(x));
    // @ts-expect-error an unplaced value neither
    federatedComputation([int32()], (x) => federatedSum(x));
    // @ts-expect-error the sum is at the server already
    federatedComputation([atClients(int32())], (x) => federatedSum(federatedSum(x)));
  });

  test('take the dtypes that they are defined on', () => {
    federatedComputation([atClients(float32(3))], (x) => federatedMean(x));
    federatedComputation([atClients(struct({ w: float32(3), b: float32() }))], (x) =>
      federatedMean(x),
    );
    // @ts-expect-error a mean of integers is no integer
    federatedComputation([atClients(int32())], (x) => federatedMean(x));
    const mixed = struct({ w: float32(3), n: int32() });
    // @ts-expect-error one leaf is an integer
    federatedComputation([atClients(mixed)], (x) => federatedMean(x));
    // @ts-expect-error strings have no order
    federatedComputation([atClients(string())], (x) => federatedMax(x));
    // @ts-expect-error booleans are no numbers
    federatedComputation([atClients(bool())], (x) => federatedSum(x));
    // @ts-expect-error floats are quantised first
    federatedComputation([atClients(float32())], (x) => federatedSecureSumBitwidth(x, 8));
    federatedComputation([atClients(struct({ a: int32(2), b: int64() }))], (x) =>
      federatedSecureSum(x, { a: 5, b: 7n }),
    );
  });

  test('fold with functions that fit', () => {
    const keep = tensorComputation([int32()], (state) => state, { result: int32() });
    federatedComputation([atClients(int32())], (x) => federatedAggregate(x, 0, add, add, keep));
    // @ts-expect-error the clients hold floats
    federatedComputation([atClients(float32())], (x) => federatedAggregate(x, 0, add, add, keep));
    // @ts-expect-error the report takes a float
    federatedComputation([atClients(int32())], (x) => federatedAggregate(x, 0, add, add, halve));
  });
});

describe('maps', () => {
  test('take a function of the member type', () => {
    federatedComputation([atClients(float32())], (x) => federatedMap(halve, x));
    federatedComputation([atServer(float32())], (x) => federatedMap(halve, x));
    // @ts-expect-error the clients hold integers
    federatedComputation([atClients(int32())], (x) => federatedMap(halve, x));
    // @ts-expect-error an unplaced value is no value to map over
    federatedComputation([float32()], (x) => federatedMap(halve, x));
  });

  test('zip a struct of values placed alike', () => {
    federatedComputation([atClients(float32()), atServer(float32())], (x, limit) =>
      federatedMap(over, [x, federatedBroadcast(limit)]),
    );
    federatedComputation([atClients(float32()), atServer(float32())], (x, limit) =>
      // @ts-expect-error one is at the clients, the other at the server
      federatedMap(over, [x, limit]),
    );
  });

  test('keep the placement', () => {
    const mapped = federatedComputation([atClients(float32())], (x) =>
      federatedMean(federatedMap(halve, x)),
    );
    expectTypeOf(mapped([1, 2])).resolves.toEqualTypeOf<number>();
    // @ts-expect-error the map's result is at the server
    federatedComputation([atServer(float32())], (x) => federatedMean(federatedMap(halve, x)));
  });

  test('broadcast only what is at the server', () => {
    // @ts-expect-error it is at the clients already
    federatedComputation([atClients(int32())], (x) => federatedBroadcast(x));
  });
});

describe('sequences', () => {
  test('map and fold over the element type', () => {
    federatedComputation([atClients(sequence(float32()))], (x) => sequenceMap(halve, x));
    federatedComputation([sequence(int32())], (x) => sequenceReduce(x, 0, add));
    // @ts-expect-error the elements are floats
    federatedComputation([atClients(sequence(float32()))], (x) => sequenceReduce(x, 0, add));
    // @ts-expect-error this is no sequence
    federatedComputation([atClients(float32())], (x) => sequenceMap(halve, x));
  });
});

describe('nested calls', () => {
  test('infer their types from within', () => {
    const readings = atClients(sequence(int32()));
    federatedComputation([readings], (x) => federatedSum(sequenceReduce(x, 0, add)));
    federatedComputation([readings], (x) => federatedSum(sequenceSum(x)));
    federatedComputation([readings], (x) => federatedMax(federatedMap(negate, sequenceSum(x))));
  });
});

describe('struct access', () => {
  test('knows the elements, placed or not', () => {
    federatedComputation([atClients(struct({ a: int32(), b: float32() }))], (x) => [
      federatedSum(x.a),
      federatedMean(x.b),
    ]);
    // @ts-expect-error there is no element c
    federatedComputation([atClients(struct({ a: int32() }))], (x) => federatedSum(x.c));
    federatedComputation([atClients(int32()), atClients(float32())], (a, b) =>
      federatedSum(federatedZip({ a, b }).a),
    );
  });
});

describe('calls with data', () => {
  const total = federatedComputation([atClients(int32(2))], (x) => federatedSum(x));
  const scalars = federatedComputation([atClients(int32())], (x) => ({
    sum: federatedSum(x),
    max: federatedMax(x),
  }));

  test('check the arguments', () => {
    void total([
      [0, 1],
      [1, 2],
    ]);
    void total([Int32Array.of(1, 2)]);
    // @ts-expect-error strings are no integers
    void total([['a', 'b']]);
    // @ts-expect-error one entry a client is due
    void scalars(5);
    // @ts-expect-error an argument is missing
    void scalars();
    // @ts-expect-error too many arguments
    void scalars([1], [2]);
  });

  test('check the shape of objects', () => {
    const model = federatedComputation(
      [atServer(struct({ w: float32(2), b: float32() }))],
      (x) => x,
    );
    void model({ w: [1, 2], b: 0 });
    // @ts-expect-error b is missing
    void model({ w: [1, 2] });
    // @ts-expect-error c is no element
    void model({ w: [1, 2], b: 0, c: 1 });
  });

  test('type the results', () => {
    expectTypeOf(total([[0, 1]])).resolves.toEqualTypeOf<TensorValue<'int32'>>();
    expectTypeOf(scalars([1])).resolves.toEqualTypeOf<{ sum: number; max: number }>();
    const big = federatedComputation([atClients(int64())], (x) => federatedSum(x));
    expectTypeOf(big([1n])).resolves.toEqualTypeOf<bigint>();
    const each = federatedComputation([atClients(float32())], (x) => federatedMap(halve, x));
    expectTypeOf(each([1])).resolves.toEqualTypeOf<number[]>();
  });
});
