/**
 * @file What a server sees of a client is uniform and independent of everything else it sees, for every
 * class of modulus that the masks have code for; and no two masks come from one seed. All draws come
 * from fixed seeds, so a test that passes does so always.
 */

import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type IntegerVector,
  type MaskedVector,
  type MaskedVectors,
  type ModularVector,
  type SecAggAgreement,
  toBigInts,
  toHex,
  unpackResidues,
  utf8,
} from '../../../protocols/index.ts';
import type * as maskKey from '../../../protocols/masking/mask-key.ts';
import { chiSquare, chiSquareLimit, expectKind } from '../support.ts';
import {
  type Cohort,
  type CohortOptions,
  cohortOf,
  type Meddling,
  runRound,
  sumOf,
} from './cohort.ts';

/** Every seed that was made, and what it is bound to. */
const made: { readonly seed: string; readonly bound: string }[] = [];

vi.mock('../../../protocols/masking/mask-key.ts', async (original) => {
  const real = await original<typeof maskKey>();
  return {
    ...real,
    maskSeed(...[secret, binding]: Parameters<typeof real.maskSeed>) {
      const seed = real.maskSeed(secret, binding);
      const { session, round, vector, adder, subtractor } = binding;
      const bound = [toHex(session), round, vector, adder, subtractor].join();
      made.push({ seed: toHex(seed.reveal()), bound });
      return seed;
    },
  };
});

beforeEach(() => {
  made.length = 0;
});

const COMPLETE: CohortOptions = { clients: 4, model: 'active', graph: 'complete' };
const SPARSE: CohortOptions = { clients: 40, model: 'active', graph: 'sparse' };

/** Those near a power of two, and those half-way between two, where a careless reduction shows most. */
const MODULI: readonly (readonly [string, bigint])[] = [
  ['2', 2n],
  ['3', 3n],
  ['16', 16n],
  ['257', 257n],
  ['1000', 1000n],
  ['2^31 + 2^30 + 1', (1n << 31n) + (1n << 30n) + 1n],
  ['2^32 - 5', (1n << 32n) - 5n],
  ['2^32', 1n << 32n],
  ['2^32 + 15', (1n << 32n) + 15n],
  ['2^48', 1n << 48n],
  ['2^61 - 1', (1n << 61n) - 1n],
  ['2^63 + 2^62 + 1', (1n << 63n) + (1n << 62n) + 1n],
  ['2^64', 1n << 64n],
  ['2^70', 1n << 70n],
];

const LENGTH = 6000;

describe.each([
  ['the lowest inputs', () => 0n],
  ['the highest inputs', (modulus: bigint) => modulus - 1n],
])('of %s', (_name, input) => {
  test.each(MODULI)('a masked vector modulo %s is uniform', (_modulus, modulus) => {
    const vectors = modular(['a'], modulus, LENGTH);
    const seen = masked(cohortWith(COMPLETE, vectors, () => input(modulus)));
    for (const [values] of seen.values()) expectUniform(values!, modulus);
    // Nor do two clients' vectors tell anything together: their common mask is not the only one.
    const [first, second] = [...seen.values()].map(([values]) => values!);
    expectUniform(sums(first!, second!, modulus), modulus);
    expectUniform(differences(first!, second!, modulus), modulus);
  });
});

test('in a sparse graph a masked vector is uniform', () => {
  const vectors = modular(['a'], 1009n, 2000);
  const seen = masked(cohortWith(SPARSE, vectors, () => 5n));
  expectUniform(
    [...seen.values()].flatMap(([values]) => values!),
    1009n,
  );
});

describe('with the same inputs, masks are independent', () => {
  const modulus = 251n;

  test('of two vectors of a round', () => {
    const cohort = cohortWith(COMPLETE, modular(['a', 'b'], modulus, LENGTH), () => 7n);
    for (const [a, b] of masked(cohort).values()) expectIndependent(a!, b!, modulus);
  });

  test.each([
    ['rounds of one session', { round: 1 }],
    ['sessions', { session: new Uint8Array(32).fill(9) }],
    ['agreements that differ in a name only', { vectors: modular(['b'], modulus, LENGTH) }],
  ])('of two %s', (_name, changes) => {
    const cohort = cohortWith(COMPLETE, modular(['a'], modulus, LENGTH), () => 7n);
    // The same identities and the same secret keys: what differs is what they are bound to.
    const again = cohortWith(COMPLETE, modular(['a'], modulus, LENGTH), () => 7n, changes);
    const [before, after] = [masked(cohort), masked(again)];
    for (const [client, [values]] of before) {
      expectIndependent(values!, after.get(client)![0]!, modulus);
    }
  });

  test('of two clients', () => {
    const cohort = cohortWith(COMPLETE, modular(['a'], modulus, LENGTH), () => 7n);
    const [a, b, c] = [...masked(cohort).values()].map(([values]) => values!);
    expectIndependent(a!, b!, modulus);
    expectIndependent(b!, c!, modulus);
  });
});

describe('a client that was given another model', () => {
  const modulus = 251n;
  const vectors = modular(['a'], modulus, LENGTH);
  /** @param claimed what the odd one's vectors are said to be bound to, by the server or itself */
  const odd = (claimed: 'the truth' | 'what the others say'): Meddling => {
    let others = new Uint8Array(32);
    return {
      context: (client) => utf8(client === 1 ? 'another model' : 'the model'),
      toServer(client, message) {
        if (message.kind !== 'masked-vectors' || claimed === 'the truth') return message;
        if (client === 0) others = message.contextHash.slice();
        return client === 1 ? { ...message, contextHash: others } : message;
      },
    };
  };

  test('is refused', () => {
    const cohort = cohortWith(COMPLETE, vectors, () => 7n);
    const { refusals, outcome } = runRound(cohort, odd('the truth'));
    expect(refusals.map(({ code }) => code)).toContain('context-mismatch');
    expect(expectKind(outcome, 'finish').report.clients).not.toContain(1);
  });

  test('makes the sum uniform noise, which tells nothing of anybody', () => {
    const cohort = cohortWith(COMPLETE, vectors, () => 7n);
    const finished = expectKind(runRound(cohort, odd('what the others say')).outcome, 'finish');
    expect(finished.report.clients).toEqual([0, 1, 2, 3]);
    const noise = toBigInts(finished.sums[0]!);
    expectUniform(noise, modulus);
    expectIndependent(noise, sumOf(cohort, [0, 1, 2, 3])[0]!.map(BigInt), modulus, false);
  });

  test('makes a sum within bounds impossible', () => {
    const cohort = cohortOf({ ...COMPLETE, length: 100 });
    const { outcome } = runRound(cohort, odd('what the others say'));
    expect(expectKind(outcome, 'fault').code).toBe('sum-out-of-range');
  });
});

describe('seeds', () => {
  test.each([
    ['complete', { ...COMPLETE, clients: 20 }],
    ['sparse', { ...SPARSE, clients: 60 }],
  ])('every mask of a round has its own, in a %s graph', (_name, options) => {
    const vectors = modular(['a', 'b', 'c'], 16n, 1);
    const cohort = cohortWith(options, vectors, () => 1n);
    const lost = new Set([3, 11]);
    runRound(cohort, {
      toServer: (client, message) =>
        message.kind === 'masked-vectors' && lost.has(client) ? undefined : message,
    });
    const seeds = new Map<string, Set<string>>();
    for (const { seed, bound } of made) {
      seeds.set(bound, (seeds.get(bound) ?? new Set()).add(seed));
    }
    // Both ends of a pair, and a server that takes a mask off, come to the same seed.
    for (const [bound, own] of seeds) expect(own.size, bound).toBe(1);
    expect(new Set(made.map(({ seed }) => seed)).size).toBe(seeds.size);
    expect(seeds.size).toBeGreaterThan(600);
  });

  test('differ in as many bits as they have', () => {
    const vectors = modular(
      Array.from({ length: 40 }, (_, i) => `v${i}`),
      16n,
      1,
    );
    for (let round = 0; round < 4; round += 1) {
      runRound(cohortWith({ ...COMPLETE, clients: 12 }, vectors, () => 1n, { round }));
    }
    const seeds = [...new Set(made.map(({ seed }) => seed))];
    expect(seeds.length).toBeGreaterThan(10_000);
    // Of N seeds, N^2 / 2^25 pairs or so agree in 24 bits. Where seeds came from fewer bits than they
    // show, or from a counter, many more or none would.
    const expected = seeds.length ** 2 / 2 ** 25;
    for (let start = 0; start + 6 <= 64; start += 6) {
      const collisions = seeds.length - new Set(seeds.map((s) => s.slice(start, start + 6))).size;
      expect(Math.abs(collisions - expected)).toBeLessThan(5 * Math.sqrt(expected) + 1);
    }
    for (let place = 0; place < 64; place += 2) {
      const counts = new Array<number>(256).fill(0);
      for (const seed of seeds) counts[Number.parseInt(seed.slice(place, place + 2), 16)]! += 1;
      expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(256));
    }
  });
});

function modular(ids: readonly string[], modulus: bigint, length: number): ModularVector[] {
  return ids.map((id) => ({ kind: 'modular-sum', id, length, modulus }));
}

/** The same value everywhere, in a cohort whose secrets are always the same. */
function cohortWith(
  options: CohortOptions,
  vectors: readonly MaskedVector[],
  input: () => bigint,
  changes: Partial<SecAggAgreement> = {},
): Cohort {
  const cohort = cohortOf({ ...options, agreement: { vectors, ...changes } });
  const inputs = cohort.agreement.vectors.map(
    ({ length }): IntegerVector => new Array<bigint>(length).fill(input()),
  );
  return { ...cohort, inputs: cohort.inputs.map(() => inputs) };
}

/** The vectors of all clients as the server gets them. */
function masked(cohort: Cohort): Map<number, readonly (readonly bigint[])[]> {
  const seen = new Map<number, readonly (readonly bigint[])[]>();
  const open = ({ vectors }: MaskedVectors): bigint[][] =>
    vectors.map(({ modulus, length, packed }) =>
      toBigInts(unpackResidues(packed, modulus, length)),
    );
  runRound(cohort, {
    toServer(client, message) {
      if (message.kind === 'masked-vectors') seen.set(client, open(message));
      return message;
    },
  });
  expect(seen.size).toBe(cohort.agreement.clients);
  return seen;
}

/** By residue; where there are too many, by the lowest and by the highest bits. */
function expectUniform(values: readonly bigint[], modulus: bigint): void {
  const cells = modulus <= 1024n ? Number(modulus) : 64;
  const bins = modulus <= 1024n ? [Number] : [lowBin, highBin];
  for (const bin of bins) {
    const counts = new Array<number>(cells).fill(0);
    for (const value of values) counts[bin(value, modulus)]! += 1;
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(cells));
  }
}

/** The lowest 6 bits are uniform to 2^-25 at least, whatever a large modulus is. */
function lowBin(value: bigint): number {
  return Number(value & 63n);
}

/** 64 stretches that are alike but for one residue. */
function highBin(value: bigint, modulus: bigint): number {
  return Number((value * 64n) / modulus);
}

/** A contingency table of both vectors, and their difference. */
function expectIndependent(
  left: readonly bigint[],
  right: readonly bigint[],
  modulus: bigint,
  alike = true,
): void {
  expect(left).not.toEqual(right);
  expectUniform(differences(left, right, modulus), modulus);
  if (!alike) return;
  const counts = new Array<number>(64).fill(0);
  for (const [i, value] of left.entries()) {
    const row = Number((value * 8n) / modulus);
    const column = Number((right[i]! * 8n) / modulus);
    counts[8 * row + column]! += 1;
  }
  // 251 residues fall into eight stretches of 31 or 32.
  expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(64) + left.length * 4 * (0.5 / 31.4) ** 2);
}

function differences(left: readonly bigint[], right: readonly bigint[], modulus: bigint): bigint[] {
  return left.map((value, i) => (value - right[i]! + modulus) % modulus);
}

function sums(left: readonly bigint[], right: readonly bigint[], modulus: bigint): bigint[] {
  return left.map((value, i) => (value + right[i]!) % modulus);
}
