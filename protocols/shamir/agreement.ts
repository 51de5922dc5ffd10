/**
 * @file Whether shares lie on one polynomial of a degree below the threshold, without computing it:
 * the test with the dual code of Cascudo and David ("SCRAPE", 2017), made deterministic.
 */

import { sha256 } from '#crypto';
import { bigIntFromBytes, utf8 } from '../crypto/bytes.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { isElement, SHARING_FIELD } from './field-element.ts';
import { barycentricWeights } from './lagrange.ts';
import { PointSetCache } from './point-set-cache.ts';
import { checkShareCount, pointsOf, type Share } from './share.ts';
import { limbsOf, weightedSum } from './weighted-sum.ts';

/**
 * Whether all shares belong to one sharing with this threshold. Where they do and yet the secret is
 * not the one expected, whoever split it is to blame and not those who hold the shares.
 * @throws ProtocolError `too-few-shares`, `invalid-threshold`, `invalid-point`, `duplicate-point`
 */
export function sharesAgree(shares: readonly Share[], threshold: number): boolean {
  checkShareCount(shares, threshold);
  return shares.every(({ value }) => isElement(value)) && areOnOnePolynomial(shares, threshold);
}

/**
 * Σ v_i q(x_i) f(x_i) = 0 for every q of degree shares - threshold - 1, with the barycentric weights
 * v_i, exactly where f has a degree below the threshold. One q is tried, (X - r)^degree: the sum is a
 * polynomial in r, of that degree, all of whose coefficients vanish only for such f. As r is a hash of
 * the shares, whoever makes wrong ones pass has to try 2^255 / degree of them.
 * @param shares of the right form and number
 */
export function areOnOnePolynomial(shares: readonly Share[], threshold: number): boolean {
  const degree = shares.length - threshold - 1;
  if (degree < 0) return true;
  const root = challengeOf(shares, threshold);
  const weights = dualWeights
    .of(pointsOf(shares))
    .map((weight, i) =>
      SHARING_FIELD.reduce(weight * SHARING_FIELD.power(BigInt(shares[i]!.point) - root, degree)),
    );
  const syndrome = weightedSum(
    limbsOf(weights),
    shares.map(({ value }) => value),
  );
  return syndrome.every((byte) => byte === 0);
}

function challengeOf(shares: readonly Share[], threshold: number): bigint {
  const transcript = new ByteWriter().bytes(LABEL).uint32(threshold).uint32(shares.length);
  for (const { point, value } of shares) transcript.uint32(point).raw(value);
  const bytes = transcript.finish();
  const digest = sha256(bytes);
  bytes.fill(0);
  return bigIntFromBytes(digest);
}

const dualWeights = new PointSetCache((points) => barycentricWeights(SHARING_FIELD, points));
const LABEL = utf8('fedloom share agreement v1');
