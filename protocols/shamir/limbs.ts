/**
 * @file Arithmetic on secrets in F_p, p = 2^255 - 19: fifteen limbs of 17 bits in doubles, least
 * significant first, 15 * 17 = 255. No branch and no index depends on a secret, and what held one can
 * be overwritten; neither is so for big integers.
 *
 * A double is exact below 2^53. A limb times a point is below 2^50, and the sum of 15 products of
 * limbs is below 2^38, so that `MOST_TERMS` of those can be added up before any carry is taken.
 */

import { ELEMENT_LENGTH } from './field-element.ts';

export const LIMBS = 15;

/** The columns of a product: column k has the weight 2^(17 k). */
export const COLUMNS = 2 * LIMBS - 1;

/** How many products may be added up in one set of columns. */
export const MOST_TERMS = 2 ** 15;

/** Writes the limbs of an element of 32 bytes to `limbs[offset ... offset + 14]`. */
export function readLimbs(element: Uint8Array, limbs: Float64Array, offset = 0): void {
  for (let i = 0; i < LIMBS; i += 1) {
    const bit = LIMB_BITS * i;
    const last = ELEMENT_LENGTH - 1 - (bit >> 3);
    const window = element[last]! | (element[last - 1]! << 8) | (element[last - 2]! << 16);
    limbs[offset + i] = (window >> (bit & 7)) & LIMB_MASK;
  }
}

/**
 * One step of Horner's rule: `sum = sum * point + coefficients[offset ... offset + 14]`. Limbs of
 * the sum stay at most 2^17.
 * @param point in [0, 2^32)
 */
export function multiplyAdd(
  sum: Float64Array,
  point: number,
  coefficients: Float64Array,
  offset: number,
): void {
  let carry = 0;
  for (let i = 0; i < LIMBS; i += 1) {
    const value = sum[i]! * point + coefficients[offset + i]! + carry;
    carry = Math.floor(value / LIMB);
    sum[i] = value - carry * LIMB;
  }
  // The carry is below 2^33 and goes to limb 0 times 19, so at most 1 is left after three limbs.
  carry *= 19;
  for (let i = 0; i < 3; i += 1) {
    const value = sum[i]! + carry;
    carry = Math.floor(value / LIMB);
    sum[i] = value - carry * LIMB;
  }
  sum[3] = sum[3]! + carry;
}

/** Adds the product of two elements, each given by the place of its limbs, to `columns`. */
export function addProduct(
  columns: Float64Array,
  left: Float64Array,
  leftOffset: number,
  right: Float64Array,
  rightOffset: number,
): void {
  for (let i = 0; i < LIMBS; i += 1) {
    const limb = left[leftOffset + i]!;
    for (let j = 0; j < LIMBS; j += 1) {
      columns[i + j] = columns[i + j]! + limb * right[rightOffset + j]!;
    }
  }
}

/** The element of a sum of at most `MOST_TERMS` products; uses `columns` up. */
export function elementOfColumns(columns: Float64Array): Uint8Array {
  const limbs = new Float64Array(LIMBS);
  const high = propagate(columns);
  // 2^(17 * 15) is 19 in the field, and what is above the last column has the weight 19^2 in part.
  for (let i = 0; i < LIMBS; i += 1)
    limbs[i] = columns[i]! + 19 * (columns[LIMBS + i] ?? high % LIMB);
  limbs[0] = limbs[0]! + 19 * 19 * Math.floor(high / LIMB);
  columns.fill(0);
  const element = elementOfLimbs(limbs);
  limbs.fill(0);
  return element;
}

/** The one encoding of what limbs below 2^52 stand for; leaves them reduced. */
export function elementOfLimbs(limbs: Float64Array): Uint8Array {
  const carry = propagate(limbs);
  limbs[0] = limbs[0]! + 19 * carry;
  subtractPrimeOnce(limbs);
  const element = new Uint8Array(ELEMENT_LENGTH);
  for (let i = 0; i < ELEMENT_LENGTH; i += 1) {
    const limb = Math.floor((8 * i) / LIMB_BITS);
    const next = limb + 1 < LIMBS ? limbs[limb + 1]! : 0;
    const window = (limbs[limb]! + next * LIMB) / 2 ** (8 * i - LIMB_BITS * limb);
    element[ELEMENT_LENGTH - 1 - i] = Math.floor(window) % 256;
  }
  return element;
}

/** Takes p from a number in [p, 2 p), by computing with a carry instead of asking. */
function subtractPrimeOnce(limbs: Float64Array): void {
  let carry = 19;
  for (let i = 0; i < LIMBS; i += 1) carry = Math.floor((limbs[i]! + carry) / LIMB);
  // v >= p exactly where v + 19 reaches 2^255; then v - p is v + 19 less 2^255, which is dropped.
  limbs[0] = limbs[0]! + 19 * carry;
  propagate(limbs);
}

/** Brings all limbs below 2^17 and returns what the last one carries. */
function propagate(limbs: Float64Array): number {
  let carry = 0;
  for (let i = 0; i < limbs.length; i += 1) {
    const value = limbs[i]! + carry;
    carry = Math.floor(value / LIMB);
    limbs[i] = value - carry * LIMB;
  }
  return carry;
}

const LIMB_BITS = 17;
const LIMB = 2 ** LIMB_BITS;
const LIMB_MASK = LIMB - 1;
