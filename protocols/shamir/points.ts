/** @file The rules for thresholds and points of a sharing. */

import { ProtocolError } from '../errors.ts';
import { MOST_TERMS } from './limbs.ts';

/** @throws ProtocolError `invalid-threshold` unless it is a whole number, at least 1. */
export function checkThreshold(threshold: number): void {
  if (!Number.isInteger(threshold) || threshold < 1) {
    throw new ProtocolError(
      'invalid-threshold',
      `a threshold is a whole number of shares, at least 1; got ${threshold}`,
    );
  }
}

/**
 * @throws ProtocolError `invalid-point` for what is not a whole number from 1 to 2^32 - 1 (the share
 * of 0 is the secret itself), `duplicate-point`, `invalid-argument` for more than 2^15 points.
 */
export function checkPoints(points: readonly number[]): void {
  if (points.length > MOST_TERMS) {
    throw new ProtocolError(
      'invalid-argument',
      `a secret has at most ${MOST_TERMS} shares, got ${points.length}`,
    );
  }
  const seen = new Set<number>();
  for (const point of points) {
    if (!Number.isInteger(point) || point < 1 || point > LARGEST_POINT) {
      throw new ProtocolError(
        'invalid-point',
        `the point of a share is a whole number from 1 to ${LARGEST_POINT}, got ${point}`,
      );
    }
    if (seen.has(point)) {
      throw new ProtocolError('duplicate-point', `two shares have the point ${point}`);
    }
    seen.add(point);
  }
}

const LARGEST_POINT = 2 ** 32 - 1;
