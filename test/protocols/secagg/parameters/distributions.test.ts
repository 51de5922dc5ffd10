import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Draw,
  lnAtLeast,
  lnAtMost,
  lnBinomialAtLeast,
  lnSum,
  lnTerm,
} from '../../../../protocols/secagg/parameters/distributions.ts';

function choose(total: number, some: number): bigint {
  if (some < 0 || some > total) return 0n;
  let ways = 1n;
  for (let i = 1; i <= some; i++) ways = (ways * BigInt(total - some + i)) / BigInt(i);
  return ways;
}

/** ln of a positive integer of any size, to the precision of a double. */
function lnBig(value: bigint): number {
  const bits = Math.max(0, value.toString(2).length - 64);
  return Math.log(Number(value >> BigInt(bits))) + bits * Math.LN2;
}

function lnRatio(numerator: bigint, denominator: bigint): number {
  return numerator === 0n ? Number.NEGATIVE_INFINITY : lnBig(numerator) - lnBig(denominator);
}

const exactTerm = ({ total, marked, sampled }: Draw, x: number) =>
  choose(marked, x) * choose(total - marked, sampled - x);

function exactLnAtLeast(draw: Draw, x: number): number {
  let ways = 0n;
  for (let y = Math.max(0, x); y <= draw.sampled; y++) ways += exactTerm(draw, y);
  return lnRatio(ways, choose(draw.total, draw.sampled));
}

function expectClose(got: number, exact: number): void {
  if (Number.isFinite(exact)) expect(Math.abs(got - exact)).toBeLessThan(1e-11);
  else expect(got).toBe(exact);
}

const draws = fc
  .integer({ min: 1, max: 300 })
  .chain((total) =>
    fc.record({ total: fc.constant(total), marked: fc.nat(total), sampled: fc.nat(total) }),
  );

describe('a hypergeometric tail', () => {
  it('is the quotient of whole numbers that it stands for', () => {
    fc.assert(
      fc.property(draws, fc.integer({ min: -2, max: 302 }), (draw, x) => {
        expectClose(lnAtLeast(draw, x), exactLnAtLeast(draw, x));
        expectClose(lnTerm(draw, x), lnRatio(exactTerm(draw, x), choose(draw.total, draw.sampled)));
      }),
      { numRuns: 400 },
    );
  });

  it('is so for every draw from up to twelve', () => {
    for (let total = 1; total <= 12; total++) {
      for (let marked = 0; marked <= total; marked++) {
        for (let sampled = 0; sampled <= total; sampled++) {
          for (let x = -1; x <= sampled + 1; x++) {
            const draw = { total, marked, sampled };
            expectClose(lnAtLeast(draw, x), exactLnAtLeast(draw, x));
          }
        }
      }
    }
  });

  it('and the rest make one', () => {
    fc.assert(
      fc.property(draws, fc.nat(300), (draw, x) => {
        expect(lnSum(lnAtMost(draw, x - 1), lnAtLeast(draw, x))).toBeCloseTo(0, 11);
      }),
    );
  });

  it('falls as it begins later', () => {
    fc.assert(
      fc.property(draws, fc.nat(300), (draw, x) => {
        expect(lnAtLeast(draw, x + 1)).toBeLessThanOrEqual(lnAtLeast(draw, x) + 1e-12);
      }),
    );
  });

  it('is right far below the smallest number that a double can hold', () => {
    const draw = { total: 20_000, marked: 1000, sampled: 1000 };
    expectClose(lnAtLeast(draw, 900), exactLnAtLeast(draw, 900));
    expect(lnAtLeast(draw, 900)).toBeLessThan(-2000);
  });

  // Expected values of google/federated-compute, fcp/secagg/server/distribution_utilities_test.cc.
  it.each([
    [4, 15, 6, 12, 0.2967032967032967, 0.34065934065934067],
    [2, 187, 105, 43, 5.423847289689941e-16, 5.526570670097338e-16],
    [40, 980, 392, 103, 0.08225792329713294, 0.4430562850817352],
    [89, 1489, 312, 370, 0.014089199026838601, 0.9599670222722507],
    [100_000, 1_000_000, 200_000, 500_000, 0.0019947087839501726, 0.5009973543919738],
  ])(
    'of %d in %d with %d marked and %d drawn is as elsewhere',
    (x, total, marked, sampled, term, atMost) => {
      expect(Math.exp(lnTerm({ total, marked, sampled }, x)) / term).toBeCloseTo(1, 12);
      expect(Math.exp(lnAtMost({ total, marked, sampled }, x)) / atMost).toBeCloseTo(1, 12);
    },
  );
});

describe('a binomial tail', () => {
  it('is the quotient of whole numbers that it stands for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 31 }),
        fc.integer({ min: -1, max: 121 }),
        (trials, p, x) => {
          let ways = 0n;
          for (let y = Math.max(0, x); y <= trials; y++) {
            ways +=
              choose(trials, y) * BigInt(p) ** BigInt(y) * BigInt(32 - p) ** BigInt(trials - y);
          }
          expectClose(lnBinomialAtLeast(trials, p / 32, x), lnRatio(ways, 32n ** BigInt(trials)));
        },
      ),
    );
  });
});
