import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createPackingPlan,
  type PackedSegment,
  type PackingOptions,
  packValues,
  unpackSums,
} from '../../../protocols/index.ts';
import { chiSquare, chiSquareLimit, seeded } from '../support.ts';

const optionsOf = (segments: readonly PackedSegment[], clients: number): PackingOptions => ({
  segments,
  clients,
  modulusBits: 512,
});

const plaintextSums = (packed: readonly (readonly bigint[])[]): bigint[] =>
  packed[0]!.map((_, i) => packed.reduce((total, plaintexts) => total + plaintexts[i]!, 0n));

const segment = fc.oneof(
  fc.record({
    kind: fc.constant('sum' as const),
    length: fc.nat(40),
    maximum: fc.oneof(
      fc.constantFrom(0n, 1n, 255n, 2n ** 32n - 1n, 2n ** 64n - 1n),
      fc.bigInt({ min: 0n, max: 2n ** 200n }),
    ),
  }),
  fc.record({
    kind: fc.constant('modular-sum' as const),
    length: fc.nat(20),
    modulus: fc.oneof(fc.constantFrom(1n, 2n, 2n ** 32n), fc.bigInt({ min: 1n, max: 2n ** 90n })),
  }),
);

function valuesFor(spec: PackedSegment, choice: () => number): bigint[] {
  return Array.from({ length: spec.length }, (_, i) => {
    const largest =
      spec.kind === 'modular-sum'
        ? spec.modulus - 1n
        : typeof spec.maximum === 'bigint'
          ? spec.maximum
          : spec.maximum[i]!;
    return [0n, largest, largest / 3n][choice() % 3]!;
  });
}

it('gives back the sums of any segments, from 1 to 50 clients', () => {
  fc.assert(
    fc.property(
      fc.array(segment, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 50 }),
      fc.nat(),
      (segments, clients, seed) => {
        const rng = seeded(seed);
        const plan = createPackingPlan(optionsOf(segments, clients));
        const inputs = Array.from({ length: clients }, () =>
          segments.map((spec) => valuesFor(spec, () => rng(1)[0]!)),
        );
        const sums = unpackSums(plan, plaintextSums(inputs.map((i) => packValues(plan, i, rng))));
        segments.forEach((spec, s) => {
          expect(sums[s]).toEqual(
            Array.from({ length: spec.length }, (_, i) => {
              const total = inputs.reduce((sum, input) => sum + input[s]![i]!, 0n);
              return spec.kind === 'sum' ? total : total % spec.modulus;
            }),
          );
        });
      },
    ),
    { numRuns: 60 },
  );
});

it('leaves the neighbours of a slot with n times the maximum alone', () => {
  for (const clients of [1, 2, 3, 50, 1000]) {
    const maximum = 2n ** 32n - 1n;
    const plan = createPackingPlan(optionsOf([{ kind: 'sum', length: 30, maximum }], clients));
    const values = Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? maximum : 0n));
    const packed = packValues(plan, [values], seeded(1));
    expect(
      unpackSums(
        plan,
        packed.map((plaintext) => plaintext * BigInt(clients)),
      ),
    ).toEqual([values.map((value) => value * BigInt(clients))]);
  }
});

it('fills plaintexts as far as bits and guard allow', () => {
  const plan = (clients: number) =>
    createPackingPlan({
      segments: [{ kind: 'sum', length: 1000, maximum: 2n ** 32n - 1n }],
      clients,
      modulusBits: 2048,
    });
  // 5 (2^32 - 1) takes 35 bits; with a guard 36, of 2047.
  expect(plan(5).segments[0]!.slotBits).toBe(36);
  expect(plan(5).plaintexts).toBe(Math.ceil(1000 / Math.floor(2047 / 36)));
  expect(plan(1).segments[0]!.slotBits).toBe(33);
});

it('keeps every plaintext of honest clients below any modulus of its size', () => {
  fc.assert(
    fc.property(
      fc.array(segment, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 50 }),
      (segments, clients) => {
        const plan = createPackingPlan(optionsOf(segments, clients));
        for (const runs of plan.runs) {
          let top = 0;
          for (const { segment: s, count, bitOffset } of runs) {
            expect(bitOffset).toBe(top);
            top += count * plan.segments[s]!.slotBits;
          }
          expect(top).toBeLessThanOrEqual(511);
        }
      },
    ),
  );
});

describe('a modular sum', () => {
  it('hides how often it went round the modulus', () => {
    // All at 0 and all at M - 1 must look alike above M: compare the high part of many packings.
    const clients = 2;
    const plan = createPackingPlan({
      ...optionsOf([{ kind: 'modular-sum', length: 3000, modulus: 10n }], clients),
      hidingBits: 8,
    });
    const quotients = (value: number, seed: string) => {
      const rng = seeded(seed);
      const packed = packValues(plan, [new Array<number>(3000).fill(value)], rng);
      const { slotBits } = plan.segments[0]!;
      return plan.runs.flatMap((runs, i) =>
        runs.flatMap(({ count }) =>
          Array.from(
            { length: count },
            (_, slot) => BigInt.asUintN(slotBits, packed[i]! >> BigInt(slot * slotBits)) / 10n,
          ),
        ),
      );
    };
    for (const value of [0, 9]) {
      const counts = new Array<number>(16).fill(0);
      for (const quotient of quotients(value, `hide ${value}`))
        counts[Number(quotient / 32n)]! += 1;
      expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(16));
    }
  });

  it('hides 2^40 times as much as there is to hide', () => {
    const plan = createPackingPlan(
      optionsOf([{ kind: 'modular-sum', length: 1, modulus: 10n }], 5),
    );
    expect(plan.segments[0]!.multiples).toBe(5n * 2n ** 40n);
  });
});

describe('the hash of a plan', () => {
  const base = optionsOf([{ kind: 'sum', length: 2, maximum: 5n }], 3);
  const others: PackingOptions[] = [
    { ...base, clients: 4 },
    { ...base, modulusBits: 513 },
    { ...base, hidingBits: 41 },
    { ...base, segments: [{ kind: 'sum', length: 3, maximum: 5n }] },
    { ...base, segments: [{ kind: 'sum', length: 2, maximum: 6n }] },
    { ...base, segments: [{ kind: 'sum', length: 2, maximum: [5n, 5n] }] },
    { ...base, segments: [{ kind: 'modular-sum', length: 2, modulus: 5n }] },
  ];

  it('is the same for the same options, and differs with every one', () => {
    const hashes = [base, ...others].map((options) => createPackingPlan(options).hash.toString());
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(createPackingPlan({ ...base, hidingBits: 40 }).hash.toString()).toBe(hashes[0]);
  });
});

describe('refused', () => {
  it.each<[string, PackingOptions]>([
    ['no client', optionsOf([], 0)],
    ['half a client', optionsOf([], 1.5)],
    ['a negative length', optionsOf([{ kind: 'sum', length: -1, maximum: 1n }], 1)],
    ['a negative maximum', optionsOf([{ kind: 'sum', length: 1, maximum: -1n }], 1)],
    ['maxima for another length', optionsOf([{ kind: 'sum', length: 1, maximum: [] }], 1)],
    ['a modulus of 0', optionsOf([{ kind: 'modular-sum', length: 1, modulus: 0n }], 1)],
    ['a slot over the key', optionsOf([{ kind: 'sum', length: 1, maximum: 2n ** 511n }], 1)],
    ['no hiding', { ...optionsOf([], 1), hidingBits: 0 }],
  ])('is a plan with %s', (_, options) => {
    expect(() => createPackingPlan(options)).toThrow(/invalid-plan/);
  });

  const plan = createPackingPlan(optionsOf([{ kind: 'sum', length: 2, maximum: [3n, 9n] }], 2));

  it.each<[string, readonly (readonly number[])[], RegExp]>([
    ['too many values', [[1, 1, 1]], /invalid-length/],
    ['too few vectors', [], /invalid-plaintext/],
    ['a value over its own maximum', [[4, 4]], /out-of-range.*position 0/],
    ['a negative value', [[0, -1]], /out-of-range.*position 1/],
    ['NaN', [[0, Number.NaN]], /not-an-integer/],
  ])('is an input with %s', (_, input, error) => {
    expect(() => packValues(plan, input, seeded(1))).toThrow(error);
  });

  it('are sums that honest clients cannot make', () => {
    const { slotBits, largestSum } = plan.segments[0]!;
    expect(unpackSums(plan, [largestSum])).toEqual([[largestSum, 0n]]);
    expect(() => unpackSums(plan, [largestSum + 1n])).toThrow(/slot-overflow.*element 0/);
    expect(() => unpackSums(plan, [(largestSum + 1n) << BigInt(slotBits)])).toThrow(/element 1/);
    expect(() => unpackSums(plan, [1n << BigInt(2 * slotBits)])).toThrow(/slot-overflow/);
    expect(() => unpackSums(plan, [0n, 0n])).toThrow(/invalid-plaintext/);
  });
});
