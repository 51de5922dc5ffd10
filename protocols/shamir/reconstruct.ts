/** @file A secret from `threshold` shares that are taken to be right. */

import { SecretBytes } from '../crypto/secret.ts';
import { ProtocolError } from '../errors.ts';
import { checkElement, elementFromBigInt, SHARING_FIELD } from './field-element.ts';
import { weightsAtZero } from './lagrange.ts';
import { addProduct, COLUMNS, elementOfColumns, LIMBS, readLimbs } from './limbs.ts';
import { PointSetCache } from './point-set-cache.ts';
import { checkPoints, checkThreshold } from './points.ts';

export interface Share {
  /** Where the polynomial was evaluated, 1 to 2^32 - 1. */
  readonly point: number;
  /** Its value there, an element of 32 bytes. */
  readonly value: Uint8Array;
}

/**
 * The secret of the first `threshold` shares. The others are checked for form alone: use
 * `reconstructChecked` where a share may be wrong.
 * @throws ProtocolError `too-few-shares`, `invalid-threshold`, `invalid-point`, `duplicate-point`,
 * `invalid-length`, `non-canonical`
 */
export function reconstructSecret(shares: readonly Share[], threshold: number): SecretBytes {
  checkShareCount(shares, threshold);
  for (const { point, value } of shares) checkElement(`the share of point ${point}`, value);
  return secretOf(shares.slice(0, threshold));
}

/** @throws ProtocolError `too-few-shares`, `invalid-threshold`, `invalid-point`, `duplicate-point` */
export function checkShareCount(shares: readonly Share[], threshold: number): void {
  checkThreshold(threshold);
  checkPoints(shares.map(({ point }) => point));
  if (shares.length < threshold) {
    throw new ProtocolError(
      'too-few-shares',
      `${threshold} shares give the secret, got ${shares.length}`,
    );
  }
}

/** The value at 0 of the polynomial through all shares. They are of the right form. */
export function secretOf(shares: readonly Share[]): SecretBytes {
  const weights = weightLimbs.of(shares.map(({ point }) => point));
  return new SecretBytes(weightedSum(weights, shares));
}

/** Σ w_i y_i as an element. @param weights the limbs of each w_i, one after another. */
export function weightedSum(weights: Float64Array, shares: readonly Share[]): Uint8Array {
  const columns = new Float64Array(COLUMNS);
  const value = new Float64Array(LIMBS);
  shares.forEach((share, i) => {
    readLimbs(share.value, value);
    addProduct(columns, weights, i * LIMBS, value, 0);
  });
  value.fill(0);
  return elementOfColumns(columns);
}

export function limbsOf(elements: readonly bigint[]): Float64Array {
  const limbs = new Float64Array(elements.length * LIMBS);
  elements.forEach((element, i) => {
    readLimbs(elementFromBigInt(element), limbs, i * LIMBS);
  });
  return limbs;
}

/** In a complete graph the same clients answer for everybody. */
const weightLimbs = new PointSetCache((points) => limbsOf(weightsAtZero(SHARING_FIELD, points)));
