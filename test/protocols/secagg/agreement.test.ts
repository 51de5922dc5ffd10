/** @file Agreements that make no sense for anybody, by size; and sets of clients. */

import {
  Bitmap,
  type SecAggAgreement,
  startSecAggClient,
  startSecAggServer,
  sumVector,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { cohortOf } from './cohort.ts';
import { SHAPES } from './staged.ts';

const semiHonest = cohortOf({ ...SHAPES.complete, model: 'semi-honest' }).agreement;

function sized(changes: Partial<SecAggAgreement>): SecAggAgreement {
  const clients = changes.clients ?? semiHonest.clients;
  return { ...semiHonest, ...changes, vectors: [sumVector('x', 1, 1n, clients)] };
}

describe.each([
  [
    'more clients than a roster can have',
    { clients: 65_536, graph: 'sparse', neighbours: 20 },
    /65535 clients/,
  ],
  [
    'more shares of a secret than there are points',
    { clients: 40_000, neighbours: 39_999 },
    /32768 shares/,
  ],
] as const)('%s', (_, changes, message) => {
  const agreement = sized({ ...changes, threshold: 14 });

  test('no server begins with', () => {
    expect(() => startSecAggServer({ agreement })).toThrow(message);
  });

  test('no client takes part with', () => {
    expect(
      startSecAggClient(
        { kind: 'announcement', client: 0, agreement },
        { name: 'clients/0', policy: { models: ['semi-honest'] } },
      ),
    ).toMatchObject({
      kind: 'fault',
      code: 'invalid-parameters',
      message: expect.stringMatching(message),
    });
  });
});

test.each([-1, 8, 9, 1.5, Number.NaN])('a set of eight places has none at %d', (place) => {
  expect(() => Bitmap.of(8, [0, place])).toThrow(/invalid-argument.*place/);
  expect(Bitmap.of(8, [0, 7]).places()).toEqual([0, 7]);
});
