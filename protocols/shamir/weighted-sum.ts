/** @file Σ w_i y_i of public weights and secret shares, on limbs. */

import { elementFromBigInt } from './field-element.ts';
import { addProduct, COLUMNS, elementOfColumns, LIMBS, readLimbs } from './limbs.ts';

/** @returns 15 limbs of each element, one element after another. */
export function limbsOf(elements: readonly bigint[]): Float64Array {
  const limbs = new Float64Array(elements.length * LIMBS);
  elements.forEach((element, i) => {
    readLimbs(elementFromBigInt(element), limbs, i * LIMBS);
  });
  return limbs;
}

/**
 * @param weights as `limbsOf` gives them
 * @param values at most `MOST_TERMS` elements of 32 bytes, one for each weight
 * @returns an element of 32 bytes
 */
export function weightedSum(weights: Float64Array, values: readonly Uint8Array[]): Uint8Array {
  const columns = new Float64Array(COLUMNS);
  const limbs = new Float64Array(LIMBS);
  values.forEach((value, i) => {
    readLimbs(value, limbs);
    addProduct(columns, weights, i * LIMBS, limbs, 0);
  });
  limbs.fill(0);
  return elementOfColumns(columns);
}
