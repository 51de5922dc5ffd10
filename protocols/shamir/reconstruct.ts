/** @file A secret from shares that are taken to be right. */

import { SecretBytes } from '../crypto/secret.ts';
import { checkElement, SHARING_FIELD } from './field-element.ts';
import { weightsAtZero } from './lagrange.ts';
import { PointSetCache } from './point-set-cache.ts';
import { checkShareCount, pointsOf, type Share } from './share.ts';
import { limbsOf, weightedSum } from './weighted-sum.ts';

/**
 * The secret of the first `threshold` shares. The others are checked for form alone: use
 * `reconstructChecked` where a share may be wrong.
 * @throws ProtocolError `too-few-shares`, `invalid-threshold`, `invalid-point`, `duplicate-point`,
 * `invalid-length`, `non-canonical`
 */
export function reconstructSecret(shares: readonly Share[], threshold: number): SecretBytes {
  checkShareCount(shares, threshold);
  for (const { point, value } of shares) checkElement(`the share of point ${point}`, value);
  return valueAtZero(shares.slice(0, threshold));
}

/** The value at 0 of the polynomial through all shares, whose form is right. */
export function valueAtZero(shares: readonly Share[]): SecretBytes {
  const weights = weightLimbs.of(pointsOf(shares));
  return new SecretBytes(
    weightedSum(
      weights,
      shares.map(({ value }) => value),
    ),
  );
}

/** In a complete graph the same clients answer for everybody. */
const weightLimbs = new PointSetCache((points) => limbsOf(weightsAtZero(SHARING_FIELD, points)));
