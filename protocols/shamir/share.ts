/** @file A share of a secret, and the rules for a list of them. */

import { ProtocolError } from '../errors.ts';
import { checkPoints, checkThreshold } from './points.ts';

export interface Share {
  /** Where the polynomial was evaluated, 1 to 2^32 - 1. */
  readonly point: number;
  /** Its value there, an element of 32 bytes. */
  readonly value: Uint8Array;
}

export function pointsOf(shares: readonly Share[]): number[] {
  return shares.map(({ point }) => point);
}

/** @throws ProtocolError `too-few-shares`, `invalid-threshold`, `invalid-point`, `duplicate-point` */
export function checkShareCount(shares: readonly Share[], threshold: number): void {
  checkThreshold(threshold);
  checkPoints(pointsOf(shares));
  if (shares.length < threshold) {
    throw new ProtocolError(
      'too-few-shares',
      `${threshold} shares give the secret, got ${shares.length}`,
    );
  }
}
