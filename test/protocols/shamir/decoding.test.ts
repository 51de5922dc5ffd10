import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decoded, decodePolynomial } from '../../../protocols/shamir/decoding.ts';
import {
  divide,
  evaluate,
  type Polynomial,
  subtractProduct,
  trimmed,
} from '../../../protocols/shamir/polynomials.ts';
import { PrimeField } from '../../../protocols/shamir/prime-field.ts';
import { elements, P, pointSets, upTo } from './support.ts';

/** All tuples of `length` residues. */
function* words(modulus: bigint, length: number): Generator<readonly bigint[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const rest of words(modulus, length - 1)) {
    for (let first = 0n; first < modulus; first += 1n) yield [first, ...rest];
  }
}

interface Codeword {
  readonly polynomial: Polynomial;
  readonly values: readonly bigint[];
}

/** Compares the values with those of every polynomial there is. */
function decodedBySearch(
  values: readonly bigint[],
  codebook: readonly Codeword[],
  terms: number,
): Decoded | undefined {
  const most = Math.floor((values.length - terms) / 2);
  const near = codebook.filter((codeword) => {
    let wrong = 0;
    for (let i = 0; i < values.length; i += 1) if (codeword.values[i] !== values[i]) wrong += 1;
    return wrong <= most;
  });
  expect(near.length).toBeLessThanOrEqual(1);
  const nearest = near[0];
  return (
    nearest && {
      polynomial: nearest.polynomial,
      wrong: [...values.keys()].filter((i) => nearest.values[i] !== values[i]),
    }
  );
}

describe('decoding', () => {
  it.each([
    { modulus: 5n, count: 4, terms: 1 },
    { modulus: 5n, count: 4, terms: 2 },
    { modulus: 5n, count: 4, terms: 4 },
    { modulus: 5n, count: 3, terms: 0 },
    { modulus: 7n, count: 5, terms: 1 },
    { modulus: 7n, count: 5, terms: 2 },
    { modulus: 7n, count: 5, terms: 3 },
  ])(
    'finds what a search over all polynomials finds: $count values modulo $modulus, $terms terms',
    ({ modulus, count, terms }) => {
      const field = new PrimeField(modulus);
      const points = upTo(count);
      const codebook = [...words(modulus, terms)].map((coefficients) => ({
        polynomial: trimmed(coefficients),
        values: points.map((point) => evaluate(field, coefficients, point)),
      }));
      for (const values of words(modulus, count)) {
        expect(decodePolynomial(field, { points, values, terms })).toEqual(
          decodedBySearch(values, codebook, terms),
        );
      }
    },
  );

  it('gets over as many wrong values as can be told apart, wherever they are', () => {
    const field = new PrimeField(P);
    const noise = fc.array(fc.tuple(fc.nat(), fc.bigInt({ min: 1n, max: P - 1n })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(
        pointSets(1, 14),
        fc.array(elements, { minLength: 1, maxLength: 14 }),
        noise,
        (points, coefficients, errors) => {
          const polynomial = trimmed(coefficients.slice(0, points.length));
          const terms = Math.min(coefficients.length, points.length);
          const values = points.map((point) => evaluate(field, polynomial, point));
          const most = Math.floor((points.length - terms) / 2);
          const wrong = new Map(
            errors.slice(0, most).map(([at, by]) => [at % points.length, by] as const),
          );
          for (const [i, by] of wrong) values[i] = field.reduce(values[i]! + by);
          expect(decodePolynomial(field, { points, values, terms })).toEqual({
            polynomial,
            wrong: [...wrong.keys()].sort((left, right) => left - right),
          });
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('arithmetic of polynomials', () => {
  const field = new PrimeField(P);
  const polynomials = fc.array(elements, { maxLength: 8 }).map(trimmed);

  it('divides with a remainder of a lower degree', () => {
    fc.assert(
      fc.property(polynomials, polynomials, (dividend, divisor) => {
        fc.pre(divisor.length > 0);
        const { quotient, remainder } = divide(field, dividend, divisor);
        expect(remainder.length).toBeLessThan(divisor.length);
        expect(subtractProduct(field, dividend, quotient, divisor)).toEqual(remainder);
      }),
    );
  });

  it('inverts one element and many, and raises to powers', () => {
    fc.assert(
      fc.property(fc.array(elements, { maxLength: 9 }), (values) => {
        const units = values.filter((value) => value !== 0n);
        const inverses = field.invertAll(units);
        units.forEach((unit, i) => {
          expect(field.reduce(unit * inverses[i]!)).toBe(1n);
          expect(field.invert(unit)).toBe(inverses[i]);
        });
      }),
    );
    expect(field.power(3n, 0)).toBe(1n);
    expect(field.power(-3n, 5)).toBe(P - 243n);
    expect(field.power(2n, 255)).toBe(19n);
  });
});
