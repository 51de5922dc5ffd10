/**
 * @file Reed-Solomon decoding by Gao's algorithm ("A new algorithm for decoding Reed-Solomon codes",
 * 2003): the polynomial that values belong to although some of them are wrong.
 */

import { barycentricWeights } from './lagrange.ts';
import {
  degreeOf,
  divide,
  dividedByRoot,
  evaluate,
  type Polynomial,
  subtractProduct,
  trimmed,
  vanishingPolynomial,
} from './polynomials.ts';
import type { PrimeField } from './prime-field.ts';

export interface NoisyValues {
  /** Distinct, in [1, 2^32) and below the modulus. */
  readonly points: readonly number[];
  /** One for each point, in [0, modulus). */
  readonly values: readonly bigint[];
  /** The polynomial has a degree below this whole number. */
  readonly terms: number;
}

export interface Decoded {
  readonly polynomial: Polynomial;
  /** The indices of the values that are not on it, ascending. */
  readonly wrong: readonly number[];
}

/**
 * The one polynomial that all but at most ⌊(values - terms) / 2⌋ values are on; nothing where there is
 * none. Takes a number of steps that is quadratic in the number of values.
 */
export function decodePolynomial(
  field: PrimeField,
  { points, values, terms }: NoisyValues,
): Decoded | undefined {
  // Euclid's algorithm on (g0, g1), stopped half way: then the remainder is the polynomial sought
  // times one that vanishes at the wrong values, and that factor is the cofactor of g1.
  let [previous, remainder] = interpolate(field, points, values);
  let previousCofactor: Polynomial = [];
  let cofactor: Polynomial = [1n];
  while (2 * degreeOf(remainder) >= points.length + terms) {
    const division = divide(field, previous, remainder);
    [previous, remainder] = [remainder, division.remainder];
    [previousCofactor, cofactor] = [
      cofactor,
      subtractProduct(field, previousCofactor, division.quotient, cofactor),
    ];
  }
  const polynomial = divide(field, remainder, cofactor).quotient;
  if (degreeOf(polynomial) >= terms) return undefined;
  // Where there is no such polynomial, this one is just any; so it is looked at, not trusted.
  const wrong = [...values.keys()].filter(
    (i) => evaluate(field, polynomial, points[i]!) !== values[i],
  );
  return 2 * wrong.length <= points.length - terms ? { polynomial, wrong } : undefined;
}

/** g0, which vanishes at all points, and g1 of a lower degree, which takes all values. */
function interpolate(
  field: PrimeField,
  points: readonly number[],
  values: readonly bigint[],
): [Polynomial, Polynomial] {
  const vanishing = vanishingPolynomial(field, points);
  const weights = barycentricWeights(field, points);
  const sums = new Array<bigint>(points.length).fill(0n);
  points.forEach((point, i) => {
    const scale = (values[i]! * weights[i]!) % field.modulus;
    dividedByRoot(field, vanishing, point).forEach((coefficient, k) => {
      sums[k] = sums[k]! + scale * coefficient;
    });
  });
  return [vanishing, trimmed(sums.map((sum) => field.reduce(sum)))];
}
