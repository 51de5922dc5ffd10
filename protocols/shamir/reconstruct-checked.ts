/**
 * @file A secret from shares some of which may be wrong, where it can be told by looking at it: by the
 * public key that belongs to it, or by a commitment.
 */

import { SecretBytes } from '../crypto/secret.ts';
import { areOnOnePolynomial } from './agreement.ts';
import { decodePolynomial } from './decoding.ts';
import { elementFromBigInt, elementToBigInt, isElement, SHARING_FIELD } from './field-element.ts';
import { valueAtZero } from './reconstruct.ts';
import { checkShareCount, pointsOf, type Share } from './share.ts';
import { secretsOfSubsets } from './share-subsets.ts';

export interface CheckedSecret {
  /** `isSecret` holds of it. */
  readonly secret: SecretBytes;
  /** The points whose share is wrong, in the order of the shares. */
  readonly wrong: readonly number[];
  /**
   * Whether `wrong` names all of them. Where it is false, so many shares are wrong that others than
   * those who sent them could be blamed; then only shares that are no elements are named.
   */
  readonly attributed: boolean;
}

/**
 * The secret for which `isSecret` holds, of the first `threshold` shares, or else by decoding, which
 * gets over ⌊(shares - threshold) / 2⌋ wrong ones, or else of any `threshold` shares where those are
 * few enough to try. Nothing where none of this finds it.
 *
 * A share that is no element counts as wrong. Shares are named as wrong only if that is certain,
 * assuming that the secret and the points are right and at most ⌊(shares - threshold + 1) / 2⌋ shares
 * are not. Whoever split the secret can give out wrong shares too: name their holders only where the
 * shares are authenticated.
 *
 * Runs in a time quadratic in the number of shares, and `isSecret` up to 1,026 times.
 * @param isSecret must not keep its argument, which is erased where it does not hold.
 * @throws ProtocolError `too-few-shares`, `invalid-threshold`, `invalid-point`, `duplicate-point`
 */
export function reconstructChecked(
  shares: readonly Share[],
  threshold: number,
  isSecret: (candidate: SecretBytes) => boolean,
): CheckedSecret | undefined {
  checkShareCount(shares, threshold);
  const formed = shares.filter(({ value }) => isElement(value));
  if (formed.length < threshold) return undefined;

  for (const candidate of candidates(formed, threshold)) {
    if (isSecret(candidate.secret)) {
      const wrongFormed = candidate.wrong ?? wrongGiven(candidate.secret, formed, threshold);
      const wrong = new Set(wrongFormed);
      return {
        secret: candidate.secret,
        wrong: pointsOf(shares.filter((share) => wrong.has(share) || !isElement(share.value))),
        attributed: wrongFormed !== undefined,
      };
    }
    candidate.secret.erase();
  }
  return undefined;
}

interface Candidate {
  readonly secret: SecretBytes;
  /** The wrong shares, where they were found along with it. */
  readonly wrong?: readonly Share[];
}

/** What the secret may be, each found at a higher price than the one before. */
function* candidates(shares: readonly Share[], threshold: number): Generator<Candidate> {
  yield { secret: valueAtZero(shares.slice(0, threshold)) };
  // Then all other subsets would give the same.
  if (areOnOnePolynomial(shares, threshold)) return;
  const decoded = decodePolynomial(SHARING_FIELD, {
    points: pointsOf(shares),
    values: shares.map(({ value }) => elementToBigInt(value)),
    terms: threshold,
  });
  if (decoded !== undefined) {
    yield {
      secret: secretOf(decoded.polynomial[0] ?? 0n),
      wrong: decoded.wrong.map((i) => shares[i]!),
    };
  }
  for (const value of secretsOfSubsets(shares, threshold)) yield { secret: secretOf(value) };
}

/**
 * The shares that are not on the polynomial; nothing where too many are wrong to tell.
 *
 * The secret s is a share of point 0 that is known to be right. Without it, (f - s) / X has one
 * coefficient less than f, so that half a share more can be wrong.
 */
function wrongGiven(
  secret: SecretBytes,
  shares: readonly Share[],
  threshold: number,
): readonly Share[] | undefined {
  if (areOnOnePolynomial(shares, threshold)) return [];
  const field = SHARING_FIELD;
  const known = elementToBigInt(secret.reveal());
  const differences = shares.map(({ value }) => field.reduce(elementToBigInt(value) - known));
  if (threshold === 1) return shares.filter((_, i) => differences[i] !== 0n);
  const points = pointsOf(shares);
  const inverses = field.invertAll(points.map(BigInt));
  const values = differences.map((difference, i) => (difference * inverses[i]!) % field.modulus);
  const decoded = decodePolynomial(field, { points, values, terms: threshold - 1 });
  return decoded?.wrong.map((i) => shares[i]!);
}

function secretOf(value: bigint): SecretBytes {
  return new SecretBytes(elementFromBigInt(value));
}
