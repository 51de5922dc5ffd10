/** @file The X25519 secrets (RFC 7748) that a client shares with each other client of a roster. */

import { x25519SharedSecret } from '#crypto';
import type { SecretBytes } from '../crypto/secret.ts';
import { ProtocolError } from '../errors.ts';
import type { Roster } from './messages.ts';

export interface Pair {
  readonly peer: string;
  readonly secret: SecretBytes;
}

export interface PairProblem {
  readonly code: 'low-order-key';
  readonly message: string;
  readonly offender: string;
}

/** In the order of the roster. With a problem, the secrets made so far are erased. */
export function agreeWithPeers(
  client: string,
  secretKey: SecretBytes,
  roster: Roster,
): Pair[] | PairProblem {
  const pairs: Pair[] = [];
  for (const { client: peer, publicKey } of roster.entries) {
    if (peer === client) continue;
    try {
      pairs.push({ peer, secret: x25519SharedSecret(secretKey, publicKey) });
    } catch (error) {
      erasePairs(pairs);
      if (!(error instanceof ProtocolError) || error.code !== 'low-order-key') throw error;
      const message = `the key of "${peer}" makes no secret`;
      return { code: 'low-order-key', message, offender: peer };
    }
  }
  return pairs;
}

export function erasePairs(pairs: readonly Pair[]): void {
  for (const { secret } of pairs) secret.erase();
}
