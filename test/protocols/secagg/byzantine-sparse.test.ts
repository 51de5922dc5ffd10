/**
 * @file A server that tells the clients of a small sparse graph every lie that there is about who is
 * there and who is alive, with corrupt clients at its side.
 */

import { expect, test } from 'vitest';
import { sizeOf } from './simulator/byzantine/sets.ts';
import { SparseBook, type SparseCase } from './simulator/byzantine/sparse.ts';
import { isClosedIn, lieToSparseGraph } from './simulator/byzantine/sparse-lies.ts';

const GRAPHS: readonly Omit<SparseCase, 'seed'>[] = [
  { clients: 4, neighbours: 2, threshold: 2, corrupt: 0 },
  { clients: 4, neighbours: 2, threshold: 3, corrupt: 0 },
  { clients: 4, neighbours: 3, threshold: 3, corrupt: 0b1000 },
  { clients: 5, neighbours: 2, threshold: 3, corrupt: 0 },
  { clients: 5, neighbours: 3, threshold: 3, corrupt: 0b00001 },
  { clients: 5, neighbours: 3, threshold: 4, corrupt: 0b00001 },
];

const CASES = GRAPHS.flatMap((graph) => [1, 2, 3].map((seed): SparseCase => ({ ...graph, seed })));

test.each(CASES)(
  'no lie exposes anybody or gives a sum of too few: %o',
  (given) => {
    const book = new SparseBook(given);
    const { lies, exposing, sums } = lieToSparseGraph(book);
    expect(lies).toBeGreaterThan(100);
    expect(exposing).toBe(0);
    const few = [...sums].filter(
      (sum) => sizeOf(sum) < given.threshold - sizeOf(given.corrupt) || !isClosedIn(book, sum),
    );
    expect(few).toEqual([]);
    // The truth is one of the lies: everybody's sum, where nobody is corrupt, can be had.
    expect(sums.has(book.honest) || given.corrupt !== 0).toBe(true);
  },
  30_000,
);

test('where more are corrupt than clients reckon with, lies expose somebody', () => {
  const book = new SparseBook({
    clients: 4,
    neighbours: 3,
    threshold: 3,
    corrupt: 0b1100,
    corruptBound: 0,
    seed: 1,
  });
  expect(lieToSparseGraph(book).exposing).toBeGreaterThan(0);
});
