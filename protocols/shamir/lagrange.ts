/**
 * @file Coefficients of interpolation over a set of points. Points are public, and so is all that is
 * computed from them here. They are distinct, not 0, and below 2^32 and the field's modulus.
 */

import type { PrimeField } from './prime-field.ts';

/**
 * The λ_i with f(0) = Σ λ_i f(x_i) for every polynomial f of a degree below the number of points:
 * λ_i = Π_{j≠i} x_j / (x_j - x_i).
 */
export function weightsAtZero(field: PrimeField, points: readonly number[]): bigint[] {
  const product = productOf(field, points);
  const denominators = points.map(
    (point, i) => (BigInt(point) * differencesFrom(field, points, i)) % field.modulus,
  );
  return field.invertAll(denominators).map((inverse) => field.reduce(product * inverse));
}

/**
 * The v_i = 1 / Π_{j≠i} (x_j - x_i). They span the dual code: Σ v_i q(x_i) f(x_i) = 0 for all f and q
 * whose degrees add up to less than the number of points less one.
 */
export function dualWeights(field: PrimeField, points: readonly number[]): bigint[] {
  return field.invertAll(points.map((_, i) => differencesFrom(field, points, i)));
}

/** Π_{j≠i} (x_j - x_i), not 0. */
function differencesFrom(field: PrimeField, points: readonly number[], i: number): bigint {
  const point = points[i]!;
  return productOf(
    field,
    points.map((other, j) => (j === i ? 1 : other - point)),
  );
}

/** Multiplies as many factors as a double holds exactly before it takes a step on big integers. */
function productOf(field: PrimeField, factors: readonly number[]): bigint {
  let product = 1n;
  let pending = 1;
  for (const factor of factors) {
    const next = pending * factor;
    if (Number.isSafeInteger(next)) {
      pending = next;
    } else {
      product = (product * BigInt(pending)) % field.modulus;
      pending = factor;
    }
  }
  return field.reduce(product * BigInt(pending));
}
