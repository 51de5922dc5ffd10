/** @file What the disclosure report rightly does not list. */

import * as tf from '@tensorflow/tfjs';
import {
  type AnyComputation,
  atClients,
  atServer,
  disclosure,
  federatedBroadcast,
  federatedComputation,
  federatedEval,
  federatedMap,
  federatedSecureSum,
  federatedSum,
  federatedZip,
  int32,
  sequence,
  sequenceSum,
  struct,
  tensorComputation,
} from 'fedloom';
import { describe, expect, test } from 'vitest';
import type { BuildingBlock } from '../../../computations/building-blocks.ts';

import { callIntrinsic, identity, intLiteral } from '../../executors/blocks.ts';

const INT = int32();
const double = tensorComputation([INT], (x) => x.add(x));
const firstOfTwo = tensorComputation([INT, INT], (x, _y) => x.add(x));
const second = tensorComputation([INT, INT], (_x, y) => y.add(y));
const addTwo = tensorComputation([INT, INT], (x, y) => x.add(y));
const three = tensorComputation([], () => tf.scalar(3, 'int32'));

describe('no false alarm', () => {
  const common = atClients(INT, { allEqual: true });

  test.each<[string, AnyComputation | BuildingBlock]>([
    [
      'a sum over an empty struct',
      federatedComputation([atClients(struct([]))], (x) => federatedSum(x)),
    ],
    [
      'a secure sum over an empty struct',
      federatedComputation([atClients(struct([]))], (x) => federatedSecureSum(x, 1)),
    ],
    ['an empty struct handed back', federatedComputation([atClients(struct([]))], (x) => x)],
    ['a tensor without elements', federatedComputation([atClients(int32(0, 3))], (x) => x)],
    ['a broadcast', federatedComputation([atServer(INT)], (x) => federatedBroadcast(x))],
    [
      'a mapped broadcast, summed and handed back',
      federatedComputation([atServer(INT)], (x) => {
        const y = federatedMap(double, federatedBroadcast(x));
        return [federatedSum(y), y];
      }),
    ],
    ['an all-equal parameter', federatedComputation([common], (x) => [x, federatedSum(x)])],
    [
      'a constant at the clients',
      callIntrinsic(
        'federated_sum',
        [callIntrinsic('federated_value_at_clients', [intLiteral(1)], common)],
        atServer(INT),
      ),
    ],
    [
      'an evaluation of a constant at the clients',
      federatedComputation([], () => federatedEval(three, 'clients')),
    ],
    ['a value at the server', federatedComputation([atServer(INT)], (x) => x)],
    [
      'clients that only receive',
      federatedComputation([atClients(INT), atServer(INT)], (x, y) => {
        federatedMap(addTwo, [x, federatedBroadcast(y)]);
        return y;
      }),
    ],
    [
      'a public element zipped with a private one',
      federatedComputation([atClients(INT), common], (x, y) =>
        federatedSum(federatedMap(second, federatedZip([x, y]))),
      ),
    ],
    [
      'a private element that the computation throws away',
      federatedComputation([atClients(INT), common], (x, y) =>
        federatedSum(federatedMap(firstOfTwo, [y, x])),
      ),
    ],
    ['an unplaced function', double],
    [
      'a fold at the server',
      federatedComputation([atServer(sequence(INT))], (x) => sequenceSum(x)),
    ],
    ['the identity on server values', identity(atServer(INT))],
  ])('%s', (_what, computation) => {
    expect(disclosure(computation).entries).toEqual([]);
  });
});
