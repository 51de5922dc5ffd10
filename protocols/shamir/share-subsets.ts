/** @file The secrets that every `threshold` of some shares give, where there are few such subsets. */

import { elementToBigInt, SHARING_FIELD } from './field-element.ts';
import { differenceProduct, weightsAtZero } from './lagrange.ts';
import { pointsOf, type Share } from './share.ts';

/** Up to this many subsets are tried; for one share more than the threshold, 1,024 shares. */
export const MOST_SUBSETS = 1024;

/**
 * One value for each way to leave out all but `threshold` shares, or none where there are more than
 * `MOST_SUBSETS` ways. A weight λ_i of all shares becomes that of a subset without the points x_j by
 * the factor Π (x_j - x_i) / x_j, so each value takes few steps.
 * @param shares at least `threshold`, of the right form
 */
export function* secretsOfSubsets(shares: readonly Share[], threshold: number): Generator<bigint> {
  const surplus = shares.length - threshold;
  if (subsetCount(shares.length, surplus) > MOST_SUBSETS) return;
  const field = SHARING_FIELD;
  const points = pointsOf(shares);
  const inverses = field.invertAll(points.map(BigInt));
  const weights = weightsAtZero(field, points);
  const terms = shares.map(
    ({ value }, i) => (weights[i]! * elementToBigInt(value)) % field.modulus,
  );

  for (const leftOut of subsets(shares.length, surplus)) {
    const negated = leftOut.map((j) => -points[j]!);
    let sum = 0n;
    terms.forEach((term, i) => {
      // Π (x_j - x_i), which is 0 for the shares left out themselves.
      sum += term * differenceProduct(field, -points[i]!, negated);
    });
    yield leftOut.reduce((value, j) => (value * inverses[j]!) % field.modulus, field.reduce(sum));
  }
}

/** The binomial coefficient, or more than `MOST_SUBSETS` where it is. */
function subsetCount(size: number, chosen: number): number {
  let count = 1;
  const steps = Math.min(chosen, size - chosen);
  for (let i = 1; i <= steps && count <= MOST_SUBSETS; i += 1) {
    count = (count * (size - steps + i)) / i;
  }
  return count;
}

/** All ways to choose `chosen` of the indices below `size`, each ascending, in lexicographic order. */
function* subsets(size: number, chosen: number): Generator<readonly number[]> {
  const indices = Array.from({ length: chosen }, (_, i) => i);
  for (;;) {
    yield [...indices];
    let position = chosen - 1;
    while (position >= 0 && indices[position] === size - chosen + position) position -= 1;
    if (position < 0) return;
    indices[position] = indices[position]! + 1;
    for (let i = position + 1; i < chosen; i += 1) indices[i] = indices[i - 1]! + 1;
  }
}
