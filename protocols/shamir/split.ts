/** @file Sharing a secret so that any `threshold` shares give it and fewer say nothing (Shamir 1979). */

import { drawBytes } from '../crypto/checks.ts';
import type { Rng } from '../crypto/interface.ts';
import { SecretBytes } from '../crypto/secret.ts';
import { ProtocolError } from '../errors.ts';
import { checkElement, ELEMENT_LENGTH, makeUniform } from './field-element.ts';
import { elementOfLimbs, LIMBS, multiplyAdd, readLimbs } from './limbs.ts';
import { checkPoints, checkThreshold } from './points.ts';

export interface SharingParameters {
  /** How many shares give the secret. */
  readonly threshold: number;
  /** Where the polynomial is evaluated, one share each: distinct, 1 to 2^32 - 1. */
  readonly points: readonly number[];
}

/**
 * The values at `points`, in their order, of a uniform polynomial of degree below `threshold` whose
 * value at 0 is the secret. Each share is an element of 32 bytes.
 * @param secret an element (`randomFieldElement`); the caller still owns it.
 * @throws ProtocolError `invalid-threshold` where it is below 1 or above the number of points,
 * `invalid-point`, `duplicate-point`, and for the secret `invalid-length`, `non-canonical`
 */
export function splitSecret(
  secret: SecretBytes,
  { threshold, points }: SharingParameters,
  rng: Rng,
): SecretBytes[] {
  checkThreshold(threshold);
  checkPoints(points);
  if (threshold > points.length) {
    throw new ProtocolError(
      'invalid-threshold',
      `${points.length} shares never reach the threshold of ${threshold}`,
    );
  }
  checkElement('a secret to share', secret.reveal());
  const coefficients = drawPolynomial(secret, threshold, rng);
  const value = new Float64Array(LIMBS);
  const shares = points.map((point) => {
    value.fill(0);
    for (let degree = threshold - 1; degree >= 0; degree -= 1) {
      multiplyAdd(value, point, coefficients, degree * LIMBS);
    }
    return new SecretBytes(elementOfLimbs(value));
  });
  value.fill(0);
  coefficients.fill(0);
  return shares;
}

/** Limbs of the coefficients, the secret first; the highest may be 0, or shares would say it is not. */
function drawPolynomial(secret: SecretBytes, threshold: number, rng: Rng): Float64Array {
  const coefficients = new Float64Array(threshold * LIMBS);
  readLimbs(secret.reveal(), coefficients);
  const drawn = drawBytes(rng, (threshold - 1) * ELEMENT_LENGTH);
  for (let degree = 1; degree < threshold; degree += 1) {
    const element = drawn.subarray((degree - 1) * ELEMENT_LENGTH, degree * ELEMENT_LENGTH);
    makeUniform(element, rng);
    readLimbs(element, coefficients, degree * LIMBS);
  }
  drawn.fill(0);
  return coefficients;
}
