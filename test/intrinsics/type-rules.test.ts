/** @file The type rules of the intrinsics, misused as from JavaScript, and the types they build. */

import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  atServer,
  type Computation,
  FederatedTypeError,
  federatedAggregate,
  federatedBroadcast,
  federatedComputation,
  federatedEval,
  federatedMap,
  federatedMax,
  federatedMean,
  federatedMin,
  federatedSecureModularSum,
  federatedSecureSelect,
  federatedSecureSum,
  federatedSecureSumBitwidth,
  federatedSelect,
  federatedSum,
  federatedValue,
  federatedZip,
  float32,
  INTRINSICS,
  int32,
  int64,
  intrinsicTypeRule,
  parseType,
  sequence,
  sequenceMap,
  sequenceReduce,
  sequenceSum,
  string,
  struct,
  type Type,
  tensorComputation,
} from 'fedloom';
import { describe, expect, test } from 'vitest';

type Untyped = (...args: readonly unknown[]) => never;
const untyped = (fn: unknown): Untyped => fn as Untyped;
const typeOfBody = (parameters: readonly Type[], body: (...values: never[]) => unknown): string =>
  String((federatedComputation(parameters, body as Untyped) as unknown as Computation).type.result);

const halve = tensorComputation([float32()], (x) => tf.div(x, 2), { name: 'halve' });
const add = tensorComputation([int32(), int32()], (x, y) => tf.add(x, y), { name: 'add' });
const keep = tensorComputation([int32()], (x) => tf.neg(tf.neg(x)), { name: 'keep' });
const three = tensorComputation([], () => tf.scalar(3, 'int32'), { name: 'three' });
const pick = tensorComputation([float32(5), int32()], (table, key) => tf.gather(table, key), {
  name: 'pick',
});

describe('types of results', () => {
  const clients = atClients(float32());
  test.each<[string, readonly Type[], (...values: never[]) => unknown, string]>([
    ['sum', [clients], untyped(federatedSum), 'float32@SERVER'],
    [
      'sum of an all-equal value',
      [atClients(int32(), { allEqual: true })],
      untyped(federatedSum),
      'int32@SERVER',
    ],
    ['min', [clients], untyped(federatedMin), 'float32@SERVER'],
    ['max', [clients], untyped(federatedMax), 'float32@SERVER'],
    [
      'mean of a struct',
      [atClients(struct({ a: float32(2), b: float32() }))],
      untyped(federatedMean),
      '<a=float32[2],b=float32>@SERVER',
    ],
    ['broadcast', [atServer(int32())], untyped(federatedBroadcast), 'int32@CLIENTS'],
    ['value at clients', [], () => federatedValue(5, 'clients'), 'int32@CLIENTS'],
    ['value at server', [], () => federatedValue(2.5, 'server'), 'float32@SERVER'],
    ['eval at clients', [], () => federatedEval(three, 'clients'), '{int32}@CLIENTS'],
    ['eval at server', [], () => federatedEval(three, 'server'), 'int32@SERVER'],
    ['map at clients', [clients], (x) => federatedMap(halve, x), '{float32}@CLIENTS'],
    ['map at server', [atServer(float32())], (x) => federatedMap(halve, x), 'float32@SERVER'],
    [
      'map of an all-equal value',
      [atClients(float32(), { allEqual: true })],
      (x) => federatedMap(halve, x),
      '{float32}@CLIENTS',
    ],
    [
      'zip',
      [clients, atClients(int32())],
      (a, b) => federatedZip({ a, b: { c: b } }),
      '{<a=float32,b=<c=int32>>}@CLIENTS',
    ],
    [
      'aggregate',
      [atClients(int32())],
      (x) => federatedAggregate(x, 0, add, add, keep),
      'int32@SERVER',
    ],
    ['secure sum', [atClients(int64(2))], (x) => federatedSecureSum(x, 9), 'int64[2]@SERVER'],
    [
      'secure bit width',
      [atClients(int32())],
      (x) => federatedSecureSumBitwidth(x, 9),
      'int32@SERVER',
    ],
    [
      'secure modular sum',
      [atClients(int32())],
      (x) => federatedSecureModularSum(x, 9),
      'int32@SERVER',
    ],
    [
      'select',
      [atClients(int32(2)), atServer(int32()), atServer(float32(5))],
      (k, m, t) => federatedSelect(k, m, t, pick),
      '{float32*}@CLIENTS',
    ],
    [
      'secure select',
      [atClients(int32(2)), atServer(int32()), atServer(float32(5))],
      (k, m, t) => federatedSecureSelect(k, m, t, pick),
      '{float32*}@CLIENTS',
    ],
    ['sequence map', [sequence(float32())], (x) => sequenceMap(halve, x), 'float32*'],
    [
      'federated sequence map',
      [atClients(sequence(float32()))],
      (x) => sequenceMap(halve, x),
      '{float32*}@CLIENTS',
    ],
    ['sequence reduce', [sequence(int32())], (x) => sequenceReduce(x, 0, add), 'int32'],
    [
      'federated sequence reduce',
      [atServer(sequence(int32())), atServer(int32())],
      (x, z) => sequenceReduce(x, z, add),
      'int32@SERVER',
    ],
    [
      'sequence sum',
      [atClients(sequence(float32(3)))],
      untyped(sequenceSum),
      '{float32[3]}@CLIENTS',
    ],
  ])('%s', (_name, parameters, body, expected) => {
    expect(typeOfBody(parameters, body)).toBe(expected);
  });
});

describe('misuse from JavaScript shows both types', () => {
  const fails = (
    parameters: readonly Type[],
    body: (...values: never[]) => unknown,
  ): FederatedTypeError => {
    try {
      federatedComputation(parameters, body as Untyped);
    } catch (error) {
      if (error instanceof FederatedTypeError) return error;
      throw error;
    }
    throw new Error('no error was thrown');
  };

  test.each<[string, readonly Type[], (...values: never[]) => unknown, string, RegExp]>([
    [
      'sum of a server value',
      [atServer(int32())],
      untyped(federatedSum),
      'type.not_assignable',
      /expected: \{int32\}@CLIENTS\n.*given: +int32@SERVER/,
    ],
    [
      'sum of an unplaced value',
      [int32()],
      untyped(federatedSum),
      'type.not_assignable',
      /expected: \{int32\}@CLIENTS\n.*given: +int32/,
    ],
    [
      'sum of strings',
      [atClients(string())],
      untyped(federatedSum),
      'type.sum_incompatible',
      /given: +string/,
    ],
    [
      'sum of an unknown shape',
      [atClients(float32(null))],
      untyped(federatedSum),
      'type.sum_incompatible',
      /float32\[\?\]/,
    ],
    [
      'mean of integers',
      [atClients(int32())],
      untyped(federatedMean),
      'type.average_incompatible',
      /given: +int32/,
    ],
    [
      'mean weighted by a vector',
      [atClients(float32()), atClients(float32(2))],
      (x, weight) => federatedMean(x, { weight }),
      'type.average_incompatible',
      /float32\[2\]/,
    ],
    [
      'broadcast of a client value',
      [atClients(int32())],
      untyped(federatedBroadcast),
      'type.not_assignable',
      /expected: int32@SERVER\n.*given: +\{int32\}@CLIENTS/,
    ],
    [
      'map with the wrong function',
      [atClients(int32())],
      (x) => federatedMap(halve as never, x),
      'type.not_assignable',
      /expected: float32\n.*\n.*given: +int32/,
    ],
    [
      'map without a function',
      [atClients(int32())],
      (x) => federatedMap(5 as never, x),
      'type.wrong_kind',
      /expected: \(int32 -> U\)/,
    ],
    [
      'map over two placements',
      [atClients(float32()), atServer(float32())],
      (x, y) => federatedMap(halve, [x, y] as never),
      'type.not_assignable',
      /<\{float32\}@CLIENTS,float32@SERVER>/,
    ],
    [
      'zip of two placements',
      [atClients(int32()), atServer(int32())],
      (a, b) => federatedZip([a, b] as never),
      'type.not_assignable',
      /<\{int32\}@CLIENTS,int32@SERVER>/,
    ],
    [
      'zip of one value',
      [atClients(int32())],
      (a) => federatedZip(a as never),
      'type.not_assignable',
      /given: +\{int32\}@CLIENTS/,
    ],
    [
      'eval of a function with a parameter',
      [],
      () => federatedEval(halve as never, 'server'),
      'type.not_assignable',
      /expected: \( -> T\)/,
    ],
    [
      'aggregate whose step returns no state',
      [atClients(float32())],
      (x) =>
        untyped(federatedAggregate)(
          x,
          0,
          tensorComputation([int32(), float32()], (_s, v) => v) as never,
          add,
          keep,
        ),
      'type.not_assignable',
      /The state returned by accumulate.*\n.*expected: int32/,
    ],
    [
      'secure sum of floats',
      [atClients(float32())],
      (x) => federatedSecureSumBitwidth(x, 8),
      'type.secure_sum_incompatible',
      /given: +float32/,
    ],
    [
      'secure sum with bounds of other names',
      [atClients(struct({ a: int32() }))],
      (x) => federatedSecureSum(x, { b: 1 }),
      'type.not_assignable',
      /given: +<b=int32>/,
    ],
    [
      'keys that are no vector',
      [atClients(int32()), atServer(int32()), atServer(float32(5))],
      (k, m, t) => federatedSelect(k, m, t, pick),
      'type.not_assignable',
      /expected: int32\[N\]\n.*given: +int32/,
    ],
    [
      'fold over no sequence',
      [atClients(int32())],
      (x) => sequenceReduce(x, 0, add),
      'type.wrong_kind',
      /expected: T\*/,
    ],
  ])('%s', (_name, parameters, body, code, message) => {
    const error = fails(parameters, body);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test.each([0, 63, 1.5, Number.NaN])('a bit width of %s is refused', (bitwidth) => {
    expect(() =>
      federatedComputation([atClients(int32())], (x) => federatedSecureSumBitwidth(x, bitwidth)),
    ).toThrow(/\[value\.(out_of_range|not_an_integer)\]/);
  });

  test('a modulus of 1 and a negative maximum are refused', () => {
    expect(() =>
      federatedComputation([atClients(int32())], (x) => federatedSecureModularSum(x, 1)),
    ).toThrow('[value.out_of_range]');
    expect(() =>
      federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, -1)),
    ).toThrow('[value.out_of_range]');
  });

  test('an intrinsic outside of a body says where it belongs', () => {
    expect(() => untyped(federatedSum)(5)).toThrow('[context.not_federated]');
  });
});

describe('the table', () => {
  test('every reduction has the type of its intrinsic', () => {
    const types: { readonly [uri: string]: string } = {
      federated_sum:
        '({<a=int32[2],b=float32,c=int64,d=uint8>}@CLIENTS -> <a=int32[2],b=float32,c=int64,d=uint8>@SERVER)',
      federated_min: '({<int32,float32[3],int64>}@CLIENTS -> <int32,float32[3],int64>@SERVER)',
      federated_max: '({uint8}@CLIENTS -> uint8@SERVER)',
      federated_mean: '({<a=float32[2,2],b=float32>}@CLIENTS -> <a=float32[2,2],b=float32>@SERVER)',
      federated_mean_or_zero: '({float32}@CLIENTS -> float32@SERVER)',
      federated_weighted_mean: '(<{<float32[2]>}@CLIENTS,{int64}@CLIENTS> -> <float32[2]>@SERVER)',
      federated_weighted_mean_or_zero: '(<{float32}@CLIENTS,{float32}@CLIENTS> -> float32@SERVER)',
      generic_zero: '<int32,float32[2]>',
      generic_plus: '(<<int32,float32>,<int32,float32>> -> <int32,float32>)',
      generic_multiply: '(<int64,int64> -> int64)',
      generic_divide: '(<float32,float32> -> float32)',
      sequence_sum: '(<a=int64,b=int32>* -> <a=int64,b=int32>)',
    };
    const composites = [...INTRINSICS.values()].filter(({ reduce }) => reduce !== undefined);
    expect(composites.map(({ uri }) => uri).sort()).toEqual(Object.keys(types).sort());
    for (const { uri, reduce } of composites) {
      const type = parseType(types[uri] ?? '');
      expect(() => intrinsicTypeRule(uri, type)).not.toThrow();
      expect(String(reduce?.(type as never).type)).toBe(types[uri]);
    }
  });

  test('an unknown intrinsic, and a known one at a wrong type, are refused', () => {
    expect(() => intrinsicTypeRule('federated_collect', parseType('(int32 -> int32)'))).toThrow(
      '[type.unknown_intrinsic]',
    );
    expect(() =>
      intrinsicTypeRule('federated_sum', parseType('({int32}@CLIENTS -> int32@CLIENTS)')),
    ).toThrow('[type.not_concrete]');
    expect(() =>
      intrinsicTypeRule('federated_sum', parseType('({string}@CLIENTS -> string@SERVER)')),
    ).toThrow('[type.sum_incompatible]');
    expect(() =>
      intrinsicTypeRule(
        'federated_zip_at_clients',
        parseType('(<{int32}@CLIENTS> -> {int32}@CLIENTS)'),
      ),
    ).toThrow('[type.not_concrete]');
  });
});
