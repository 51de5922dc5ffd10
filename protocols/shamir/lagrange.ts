/**
 * @file Coefficients of interpolation over a set of points. Points are public, and so is all that is
 * computed from them here. They are distinct, not 0, and below 2^32 and the field's modulus.
 */

import type { PrimeField } from './prime-field.ts';

/**
 * The λ_i with f(0) = Σ λ_i f(x_i) for every polynomial f of a degree below the number of points:
 * λ_i = Π_{j≠i} (0 - x_j) / (x_i - x_j).
 */
export function weightsAtZero(field: PrimeField, points: readonly number[]): bigint[] {
  const product = differenceProduct(field, 0, points);
  const denominators = points.map(
    (point, i) => (BigInt(-point) * differencesFromOthers(field, points, i)) % field.modulus,
  );
  return field.invertAll(denominators).map((inverse) => field.reduce(product * inverse));
}

/** The v_i = 1 / Π_{j≠i} (x_i - x_j) of the barycentric form. */
export function barycentricWeights(field: PrimeField, points: readonly number[]): bigint[] {
  return field.invertAll(points.map((_, i) => differencesFromOthers(field, points, i)));
}

/** Π (point - x_j) over all `points` but the one numbered `except`. */
export function differenceProduct(
  field: PrimeField,
  point: number,
  points: readonly number[],
  except?: number,
): bigint {
  let product = 1n;
  // Multiplies as many factors as a double holds exactly before it takes a step on big integers.
  let pending = 1;
  points.forEach((other, j) => {
    if (j === except) return;
    const next = pending * (point - other);
    if (Number.isSafeInteger(next)) {
      pending = next;
    } else {
      product = (product * BigInt(pending)) % field.modulus;
      pending = point - other;
    }
  });
  return field.reduce(product * BigInt(pending));
}

function differencesFromOthers(field: PrimeField, points: readonly number[], i: number): bigint {
  return differenceProduct(field, points[i]!, points, i);
}
