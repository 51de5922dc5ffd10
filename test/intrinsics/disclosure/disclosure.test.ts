/** @file What the disclosure report lists. */

import * as tf from '@tensorflow/tfjs';
import {
  type AnyComputation,
  type AtClients,
  atClients,
  atServer,
  compileForExecution,
  type DisclosureEntry,
  disclosure,
  federatedAggregate,
  federatedBroadcast,
  federatedComputation,
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
  float32,
  int32,
  int64,
  sequence,
  sequenceMap,
  sequenceReduce,
  sequenceSum,
  struct,
  tensorComputation,
  type Value,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  data,
  intrinsic,
  lambda,
  reference,
  selection,
  structBlock,
} from '../../../computations/building-blocks.ts';
import { federated, func, structOf, type Type } from '../../../computations/types/index.ts';
import { addConstant, callIntrinsic, intLiteral, unnamed } from '../../executors/blocks.ts';

const INT = int32();
const double = tensorComputation([INT], (x) => x.add(x));
const firstOfTwo = tensorComputation([INT, INT], (x, _y) => x.add(x));
const addTwo = tensorComputation([INT, INT], (x, y) => x.add(y));
const countOne = tensorComputation([INT, INT], (count, _element) =>
  count.add(tf.scalar(1, 'int32')),
);
const rowOf = tensorComputation([int32(4), INT], (table, key) => table.gather(key));

/** How each entry leaves, what it is called and what it is derived from. */
function summary(computation: AnyComputation | BuildingBlock): string[] {
  return disclosure(computation).entries.map(
    ({ via, intrinsic: uri, from }) => `${via} ${uri ?? ''}: ${from.join(', ')}`,
  );
}

function only(computation: AnyComputation | BuildingBlock): DisclosureEntry {
  const { entries } = disclosure(computation);
  expect(entries).toHaveLength(1);
  return entries[0] as DisclosureEntry;
}

describe('aggregations', () => {
  const bySum = federatedComputation([atClients(INT)], (x) => federatedSum(x));
  const byMean = federatedComputation([atClients(float32())], (x) => federatedMean(x));

  test.each<[string, AnyComputation]>([
    ['federated_sum', bySum],
    ['federated_mean', byMean],
    ['federated_min', federatedComputation([atClients(INT)], (x) => federatedMin(x))],
    ['federated_max', federatedComputation([atClients(INT)], (x) => federatedMax(x))],
    [
      'federated_mean_or_zero',
      federatedComputation([atClients(float32())], (x) => federatedMean(x, { whenEmpty: 'zero' })),
    ],
    [
      'federated_aggregate',
      federatedComputation([atClients(INT)], (x) =>
        federatedAggregate(x, 0, addTwo, addTwo, double),
      ),
    ],
  ])('%s shows each value to the server', (uri, computation) => {
    expect(only(computation)).toMatchObject({
      kind: 'disclosure',
      intrinsic: uri,
      via: 'plain',
      from: ['x'],
      to: 'server',
    });
  });

  test('a weighted mean shows values and weights', () => {
    const mean = federatedComputation([atClients(float32()), atClients(INT)], (value, weight) =>
      federatedMean(value, { weight }),
    );
    expect(only(mean)).toMatchObject({
      intrinsic: 'federated_weighted_mean',
      from: ['value', 'weight'],
      type: '<float32,int32>',
    });
  });

  test('a secure sum is listed with its bound', () => {
    const Pair = struct({ a: INT, b: int64() });
    const sums = federatedComputation([atClients(Pair), atClients(INT)], (pair, x) => ({
      max: federatedSecureSum(pair, { a: 10, b: 2n ** 60n }),
      bits: federatedSecureSumBitwidth(x, 20),
      modular: federatedSecureModularSum(x, 12),
    }));
    expect(disclosure(sums).entries).toMatchObject([
      { via: 'secure', bound: { kind: 'max', value: { a: 10, b: String(2n ** 60n) } } },
      { via: 'secure', bound: { kind: 'bitwidth', value: 20 }, from: ['x'], type: 'int32' },
      { via: 'secure', bound: { kind: 'modulus', value: 12 } },
    ]);
  });

  test('a bound that is computed while it runs is not known', () => {
    const bound = call(addConstant(1), intLiteral(2));
    const node = lambda(
      'x',
      atClients(INT),
      callIntrinsic('federated_secure_sum', [reference('x', atClients(INT)), bound], atServer(INT)),
    );
    expect(only(node).bound).toEqual({ kind: 'max', value: null });
  });

  test('composites are named as the user wrote them, compiled or not', () => {
    const training = federatedComputation(
      [atServer(float32()), atClients(struct({ x: float32(), n: INT }))],
      (model, batch) => {
        federatedBroadcast(model);
        return { loss: federatedMean(batch.x, { weight: batch.n }), total: federatedSum(batch.n) };
      },
    );
    const reduced = compileForExecution(training.buildingBlock, new Set(), { level: 'reduce' });
    const written = disclosure(training);
    expect(written.entries.map((entry) => entry.intrinsic)).toEqual([
      'federated_weighted_mean',
      'federated_sum',
    ]);
    expect(disclosure(reduced).entries).toEqual(written.entries);
    expect(disclosure(compileForExecution(training.buildingBlock)).entries).toEqual(
      written.entries,
    );
  });
});

describe('whatever way the data takes', () => {
  const type = atClients(INT);
  const x = reference('x', type);
  const sum = intrinsic('federated_sum', func(type, atServer(INT)));
  const f = reference('f', sum.type);
  const ofX = (body: BuildingBlock) => lambda('x', type, body);

  test.each<[string, BuildingBlock]>([
    ['let f=federated_sum in f(x)', ofX(block([{ name: 'f', value: sum }], call(f, x)))],
    ['(f -> f(x))(federated_sum)', ofX(call(lambda('f', sum.type, call(f, x)), sum))],
    [
      '<1,federated_sum>[1](x)',
      ofX(
        call(
          selection(structBlock([intLiteral(1), sum].map((value) => ({ name: null, value }))), 1),
          x,
        ),
      ),
    ],
    [
      '(y -> federated_sum(y))(x)',
      ofX(call(lambda('y', type, call(sum, reference('y', type))), x)),
    ],
    [
      'let g=(y -> (let x=y in federated_sum(x))) in g(x)',
      ofX(
        block(
          [
            {
              name: 'g',
              value: lambda(
                'y',
                type,
                block([{ name: 'x', value: reference('y', type) }], call(sum, x)),
              ),
            },
          ],
          call(reference('g', sum.type), x),
        ),
      ),
    ],
    [
      'a sum whose result nobody uses',
      ofX(block([{ name: 'unused', value: call(sum, x) }], intLiteral(1))),
    ],
    ['the intrinsic itself', sum],
  ])('%s is a plain sum of x', (_what, node) => {
    const { from, ...entry } = only(node);
    expect(entry).toMatchObject({ intrinsic: 'federated_sum', via: 'plain', to: 'server' });
    expect(from).toEqual([node === sum ? 'arg' : 'x']);
  });

  test('a function that is never called discloses nothing', () => {
    expect(summary(ofX(block([{ name: 'f', value: sum }], intLiteral(1))))).toEqual([]);
  });

  test('a function that is called twice discloses twice', () => {
    const inner = federatedComputation([type], (value) => federatedSum(value));
    const outer = federatedComputation([type, type], (a, b) => [inner(a), inner(b)]);
    expect(summary(outer)).toEqual(['plain federated_sum: a', 'plain federated_sum: b']);
  });

  test('a computation that returns a function is followed into it', () => {
    const curried = ofX(lambda('y', type, call(sum, reference('y', type))));
    expect(summary(curried)).toEqual(['plain federated_sum: arg']);
  });

  test('an intrinsic that nobody knows is taken to show its arguments', () => {
    const unknown = intrinsic('federated_collect', func(type, atServer(sequence(INT))));
    expect(summary(ofX(call(unknown, x)))).toEqual([
      'plain federated_collect: operator(federated_collect), x',
    ]);
  });

  test('a function given as a parameter is taken to show its arguments', () => {
    const pair = structOf([
      { name: 'f', type: sum.type },
      { name: 'x', type },
    ]);
    const arg = reference('arg', pair);
    const node = lambda('arg', pair, call(selection(arg, 0), selection(arg, 1)));
    expect(summary(node)).toEqual(['plain f: x']);
  });
});

describe('what it is derived from', () => {
  test('elements of structs are told apart', () => {
    const Person = struct({ age: INT, home: struct([INT, INT]) });
    const ages = federatedComputation([atClients(Person)], (person) => ({
      age: federatedSum(person.age),
      place: federatedSum(person.home[1]),
      all: federatedSum(federatedMap(double, person.home[0])),
    }));
    expect(summary(ages)).toEqual([
      'plain federated_sum: person.age',
      'plain federated_sum: person.home[1]',
      'plain federated_sum: person.home[0]',
    ]);
  });

  test('a tensor computation is looked into', () => {
    const sums = federatedComputation([atClients(INT), atClients(INT)], (a, b) =>
      federatedSum(federatedMap(firstOfTwo, [a, b])),
    );
    expect(summary(sums)).toEqual(['plain federated_sum: a']);
  });

  test('the size of a tensor of unknown size is part of it', () => {
    const ones = tensorComputation([int32(null)], (x) => x.onesLike().sum());
    const sizes = federatedComputation([atClients(int32(null))], (x) =>
      federatedSum(federatedMap(ones, x)),
    );
    expect(summary(sizes)).toEqual(['plain federated_sum: x']);
  });

  test('a count of elements is derived from the length alone', () => {
    const type = atClients(sequence(INT));
    const count = federatedComputation([type], (examples) => {
      const counted: Value<AtClients<typeof INT>> = sequenceReduce(examples, 0, countOne);
      return federatedSum(counted);
    });
    expect(summary(count)).toEqual(['plain federated_sum: length of examples']);
    const whole = 'plain federated_sum: examples[*], length of examples';
    const sum = federatedComputation([type], (examples) => federatedSum(sequenceSum(examples)));
    expect(summary(sum)).toEqual([whole]);
    const mapped = federatedComputation([type], (examples) =>
      federatedSum(sequenceSum(sequenceMap(double, examples))),
    );
    expect(summary(mapped)).toEqual([whole]);
  });

  test('a sequence handed back discloses its length, whatever was made of its elements', () => {
    const zero = tensorComputation([INT], (x) => x.zerosLike());
    const constant = lambda('e', INT, intLiteral(0));
    const type = atClients(sequence(INT));
    const zeros = federatedComputation([type], (examples) => sequenceMap(zero, examples));
    expect(summary(zeros)).toEqual(['returned federated_map: examples[*], length of examples']);
    const map = callIntrinsic(
      'sequence_map',
      [constant, reference('s', sequence(INT))],
      sequence(INT),
    );
    const node = lambda(
      'examples',
      type,
      callIntrinsic(
        'federated_map',
        [lambda('s', sequence(INT), map), reference('examples', type)],
        type,
      ),
    );
    expect(summary(node)).toEqual(['returned federated_map: length of examples']);
  });

  test('named data is a client’s where a client finds it', () => {
    const secret = data('diary', INT);
    const atBoth = (uri: string, result: Type) =>
      callIntrinsic(uri, [lambda(null, null, secret)], result);
    const sum = (value: BuildingBlock) => callIntrinsic('federated_sum', [value], atServer(INT));
    expect(summary(sum(atBoth('federated_eval_at_clients', atClients(INT))))).toEqual([
      'plain federated_sum: data(diary)',
    ]);
    expect(summary(sum(data('diary', atClients(INT))))).toEqual([
      'plain federated_sum: data(diary)',
    ]);
    const captured = block(
      [{ name: 'd', value: secret }],
      sum(
        callIntrinsic(
          'federated_map',
          [
            lambda('y', INT, reference('d', INT)),
            callIntrinsic(
              'federated_value_at_clients',
              [intLiteral(1)],
              federated(INT, 'clients', true),
            ),
          ],
          atClients(INT),
        ),
      ),
    );
    expect(summary(captured)).toEqual(['plain federated_sum: data(diary)']);
    const server = callIntrinsic(
      'federated_broadcast',
      [atBoth('federated_eval_at_server', atServer(INT))],
      federated(INT, 'clients', true),
    );
    expect(summary(server)).toEqual([]);
  });

  test('an operator that a client runs may make something of its own', () => {
    const operator = intrinsic('key_pair', func(null, INT));
    const node = callIntrinsic('federated_eval_at_clients', [operator], atClients(INT));
    expect(summary(node)).toEqual(['returned federated_eval_at_clients: operator(key_pair)']);
  });
});

describe('ways out other than aggregations', () => {
  test('a client value handed back', () => {
    const back = federatedComputation([atClients(INT)], (x) => ({
      y: federatedMap(double, x),
      inner: [x],
    }));
    expect(disclosure(back).entries).toMatchObject([
      {
        via: 'returned',
        to: 'driver',
        at: 'y',
        intrinsic: 'federated_map',
        type: '{int32}@CLIENTS',
      },
      { via: 'returned', to: 'driver', at: 'inner[0]', from: ['x'] },
    ]);
  });

  test('the keys of a plain selection, and not those of a secure one', () => {
    const keys = atClients(int32(2));
    const plainSelect = federatedComputation([keys, atServer(int32(4))], (k, table) => {
      federatedSelect(k, federatedValue(3, 'server', INT), table, rowOf);
      return table;
    });
    const secureSelect = federatedComputation([keys, atServer(int32(4))], (k, table) => {
      federatedSecureSelect(k, federatedValue(3, 'server', INT), table, rowOf);
      return table;
    });
    expect(disclosure(plainSelect).entries).toMatchObject([
      { via: 'keys', intrinsic: 'federated_select', from: ['k'], to: 'server', type: 'int32[2]' },
    ]);
    expect(disclosure(secureSelect).entries).toEqual([]);
  });

  test('the rows that a client chose tell its keys', () => {
    const back = federatedComputation([atClients(int32(2)), atServer(int32(4))], (k, table) =>
      federatedSecureSelect(k, federatedValue(3, 'server', INT), table, rowOf),
    );
    expect(summary(back)).toEqual(['returned federated_secure_select: k']);
  });

  test('a broadcast of what earlier disclosures decided is told, with the chain', () => {
    const rounds = federatedComputation([atClients(INT), atClients(INT)], (a, b) => {
      const first = federatedSecureSumBitwidth(a, 8);
      const model = federatedBroadcast(federatedMap(double, first));
      return federatedSum(federatedMap(addTwo, [model, b]));
    });
    expect(disclosure(rounds).entries).toMatchObject([
      { via: 'secure', from: ['a'] },
      { kind: 'information', via: 'broadcast', from: ['a'], to: 'clients', through: [0] },
      { via: 'plain', from: ['b'] },
    ]);
  });
});

test('a block with a free name is refused', () => {
  const free = lambda('x', INT, reference('y', INT));
  expect(() => disclosure(free)).toThrow(
    expect.objectContaining({ code: 'type.unbound_reference' }),
  );
});

test('generic arithmetic keeps what it is derived from, element by element', () => {
  const Pair = structOf([unnamed(INT), unnamed(INT)]);
  const plus = intrinsic('generic_plus', func(structOf([unnamed(Pair), unnamed(Pair)]), Pair));
  const constants = structBlock(
    [intLiteral(1), intLiteral(2)].map((value) => ({ name: null, value })),
  );
  const p = reference('p', INT);
  const mapper = lambda(
    'p',
    INT,
    selection(
      call(
        plus,
        structBlock(
          [structBlock([p, intLiteral(1)].map((value) => ({ name: null, value }))), constants].map(
            (value) => ({ name: null, value }),
          ),
        ),
      ),
      1,
    ),
  );
  const type = atClients(INT);
  const back = lambda(
    'x',
    type,
    callIntrinsic('federated_map', [mapper, reference('x', type)], type),
  );
  expect(summary(back)).toEqual([]);
});
