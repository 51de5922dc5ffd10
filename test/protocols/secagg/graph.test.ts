import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256, utf8 } from '../../../protocols/index.ts';
import { chooseNeighbours, regularGraph } from '../../../protocols/secagg/graph.ts';
import { chiSquare, chiSquareLimit, seeded } from '../support.ts';

const key = (name: string | number) => sha256(utf8(String(name)));

const ringSize = fc.integer({ min: 3, max: 60 }).chain((clients) =>
  fc.tuple(
    fc.constant(clients),
    fc.integer({ min: 1, max: Math.floor((clients - 1) / 2) }).map((half) => 2 * half),
  ),
);

const everyone = (clients: number) => Array.from({ length: clients }, (_, client) => client);

/** Whether the clients that are left can reach one another. */
function isConnected(graph: (client: number) => readonly number[], left: ReadonlySet<number>) {
  const [first] = left;
  if (first === undefined) return true;
  const reached = new Set([first]);
  for (const client of reached) {
    for (const neighbour of graph(client)) if (left.has(neighbour)) reached.add(neighbour);
  }
  return reached.size === left.size;
}

describe('a regular graph', () => {
  it('gives everyone as many neighbours, others than itself, in order and mutually', () => {
    fc.assert(
      fc.property(ringSize, fc.nat(), ([clients, neighbours], seed) => {
        const graph = regularGraph(clients, neighbours, key(seed));
        for (const client of everyone(clients)) {
          const found = graph(client);
          expect(found).toHaveLength(neighbours);
          expect([...new Set(found)].sort((a, b) => a - b)).toEqual(found);
          expect(found).not.toContain(client);
          for (const neighbour of found) expect(graph(neighbour)).toContain(client);
        }
      }),
    );
  });

  it('stays connected without any neighbours - 1 clients', () => {
    fc.assert(
      fc.property(ringSize, fc.nat(), ([clients, neighbours], seed) => {
        const gone = chooseNeighbours(-1, everyone(clients), neighbours - 1, seeded(seed));
        const left = new Set(everyone(clients).filter((client) => !gone.includes(client)));
        expect(isConnected(regularGraph(clients, neighbours, key(seed)), left)).toBe(true);
      }),
    );
  });

  it('joins everyone where the neighbours are all others, an odd number too', () => {
    expect(regularGraph(4, 3, key(0))(1)).toEqual([0, 2, 3]);
    expect(regularGraph(1, 0, key(0))(0)).toEqual([]);
    expect(regularGraph(2, 1, key(0))(1)).toEqual([0]);
  });

  it('follows from its key, and changes with it', () => {
    const rows = (name: string) => everyone(20).map(regularGraph(20, 4, key(name)));
    expect(rows('one')).toEqual(rows('one'));
    expect(rows('one')).not.toEqual(rows('two'));
  });

  it('is any ring of five clients as often as any other', () => {
    const rings = new Map<string, number>();
    for (let seed = 0; seed < 20_000; seed++) {
      const ring = everyone(5)
        .map(regularGraph(5, 2, key(seed)))
        .join();
      rings.set(ring, (rings.get(ring) ?? 0) + 1);
    }
    expect(rings.size).toBe(12);
    expect(chiSquare([...rings.values()])).toBeLessThan(chiSquareLimit(12));
  });

  it.each([
    [5, 3],
    [5, 1],
    [5, 5],
    [5, 0],
    [5, -2],
    [5, 2.5],
    [5, Number.NaN],
    [0, 0],
    [-1, 2],
    [2.5, 2],
    [Number.POSITIVE_INFINITY, 2],
  ])('refuses %d clients with %d neighbours', (clients, neighbours) => {
    expect(() => regularGraph(clients, neighbours, key(0))).toThrow(/\[invalid-argument\]/);
  });

  it('refuses a key of another length, and a client that is none', () => {
    expect(() => regularGraph(5, 2, new Uint8Array(16))).toThrow(/\[invalid-key-length\]/);
    for (const client of [-1, 5, 0.5, Number.NaN]) {
      expect(() => regularGraph(5, 2, key(0))(client)).toThrow(/\[out-of-range\]/);
    }
  });
});

describe('the neighbours a client chooses', () => {
  it('are distinct candidates other than itself, in order', () => {
    const request = fc
      .uniqueArray(fc.nat(200), { minLength: 1, maxLength: 40 })
      .chain((candidates) =>
        fc.tuple(
          fc.constant(candidates),
          fc.constantFrom(...candidates, 300),
          fc.nat(candidates.length - 1),
        ),
      );
    fc.assert(
      fc.property(request, fc.nat(), ([candidates, self, count], seed) => {
        const chosen = chooseNeighbours(self, candidates, count, seeded(seed));
        expect(chosen).toHaveLength(count);
        expect([...new Set(chosen)].sort((a, b) => a - b)).toEqual(chosen);
        expect(chosen).not.toContain(self);
        for (const neighbour of chosen) expect(candidates).toContain(neighbour);
      }),
    );
  });

  it('are any set as likely as any other', () => {
    const rng = seeded('sets of three of six');
    const counts = new Map<string, number>();
    for (let round = 0; round < 20_000; round++) {
      const chosen = chooseNeighbours(3, [0, 1, 2, 3, 4, 5, 6], 3, rng).join();
      counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
    }
    expect(counts.size).toBe(20);
    expect(chiSquare([...counts.values()])).toBeLessThan(chiSquareLimit(20));
  });

  it('are everyone else when that many are asked for, and nobody when none is', () => {
    expect(chooseNeighbours(2, [4, 2, 0], 2, seeded(1))).toEqual([0, 4]);
    expect(chooseNeighbours(2, [4, 2, 0], 0, seeded(1))).toEqual([]);
  });

  it('pass over words that would favour small numbers', () => {
    // Of 2^32 words, 4294967295 is the one that is over when they are shared out among three.
    const words = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1];
    let at = 0;
    const rng = (length: number) => Uint8Array.from({ length }, () => words[at++]!);
    expect(chooseNeighbours(9, [5, 6, 7], 1, rng)).toEqual([6]);
    expect(at).toBe(8);
  });

  it('cannot be more than there are, a fraction, or of a list that names one twice', () => {
    for (const count of [3, -1, 0.5, Number.NaN]) {
      expect(() => chooseNeighbours(1, [0, 1, 2], count, seeded(1))).toThrow(
        /\[invalid-argument\].*among 2 other/,
      );
    }
    expect(() => chooseNeighbours(1, [0, 2, 2], 1, seeded(1))).toThrow(/named twice/);
    expect(() => chooseNeighbours(1, [2, 0, 2], 1, seeded(1))).toThrow(/named twice/);
  });

  it('need a source of bytes that gives as many as it is asked for', () => {
    expect(() => chooseNeighbours(1, [0, 1, 2], 1, () => new Uint8Array(2))).toThrow();
  });
});
