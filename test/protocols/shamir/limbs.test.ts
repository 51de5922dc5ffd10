import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addProduct,
  COLUMNS,
  elementOfColumns,
  elementOfLimbs,
  LIMBS,
  MOST_TERMS,
  multiplyAdd,
  readLimbs,
} from '../../../protocols/shamir/limbs.ts';
import { element, elements, P } from './support.ts';

function limbsOf(...values: readonly bigint[]): Float64Array {
  const limbs = new Float64Array(values.length * LIMBS);
  values.forEach((value, i) => {
    readLimbs(element(value), limbs, i * LIMBS);
  });
  return limbs;
}

describe('arithmetic on limbs', () => {
  it('writes what it reads', () => {
    fc.assert(
      fc.property(elements, (value) => {
        expect(elementOfLimbs(limbsOf(value))).toEqual(element(value));
      }),
    );
  });

  it('reduces every number of 255 bits that is not an element', () => {
    for (let value = P; value < 1n << 255n; value += 1n) {
      const limbs = Float64Array.from({ length: LIMBS }, (_, i) =>
        Number((value >> BigInt(17 * i)) & 131_071n),
      );
      expect(elementOfLimbs(limbs)).toEqual(element(value - P));
    }
  });

  it('multiplies by a point and adds, as often as one likes', () => {
    const point = fc.oneof(
      fc.constantFrom(0, 1, 2 ** 32 - 1),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    );
    fc.assert(
      fc.property(fc.array(elements, { minLength: 1, maxLength: 40 }), point, (values, x) => {
        const sum = new Float64Array(LIMBS);
        const coefficients = limbsOf(...values);
        let expected = 0n;
        values.forEach((value, i) => {
          multiplyAdd(sum, x, coefficients, i * LIMBS);
          expected = (expected * BigInt(x) + value) % P;
          // The bound that the next step counts on.
          expect(Math.max(...sum)).toBeLessThanOrEqual(2 ** 17);
        });
        expect(elementOfLimbs(sum)).toEqual(element(expected));
      }),
    );
  });

  it('sums products', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(elements, elements), { maxLength: 20 }), (pairs) => {
        const columns = new Float64Array(COLUMNS);
        for (const [left, right] of pairs) {
          addProduct(columns, limbsOf(0n, left), LIMBS, limbsOf(right), 0);
        }
        const expected = pairs.reduce((sum, [left, right]) => sum + left * right, 0n);
        expect(elementOfColumns(columns)).toEqual(element(expected));
        expect(columns).toEqual(new Float64Array(COLUMNS));
      }),
    );
  });

  it('sums as many of the largest products as it says, exactly', () => {
    // No element has limbs this large throughout: an upper bound of what elements can do.
    const largest = new Float64Array(LIMBS).fill(131_071);
    const columns = new Float64Array(COLUMNS);
    for (let term = 0; term < MOST_TERMS; term += 1) addProduct(columns, largest, 0, largest, 0);
    expect(Math.max(...columns)).toBeLessThan(2 ** 53);
    const value = (1n << 255n) - 1n;
    expect(elementOfColumns(columns)).toEqual(element(BigInt(MOST_TERMS) * value * value));
  });
});
