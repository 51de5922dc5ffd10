/** @file Checks on a roster: as many as agreed, everybody once, every key once, a client's own as sent. */

import { equalBytes } from '#crypto';
import { toHex } from '../crypto/bytes.ts';
import type { Roster } from './messages.ts';

export type RosterProblemCode =
  | 'wrong-cohort-size'
  | 'duplicate-client'
  | 'duplicate-key'
  | 'invalid-key';

export type OwnRosterProblemCode =
  | RosterProblemCode
  | 'wrong-session'
  | 'own-key-missing'
  | 'own-key-altered';

export interface RosterProblem<Code extends string = RosterProblemCode> {
  readonly code: Code;
  readonly message: string;
  readonly offender?: string;
}

/** What a client was asked to take part in. */
export interface RosterExpectation {
  readonly client: string;
  readonly session: Uint8Array;
  readonly round: number;
  readonly parameters: { readonly clients: number };
}

/** What is wrong with a roster for one client of it, who knows its own key. */
export function problemOfRosterFor(
  { client, session, round, parameters }: RosterExpectation,
  ownKey: Uint8Array,
  roster: Roster,
): RosterProblem<OwnRosterProblemCode> | undefined {
  if (!equalBytes(roster.session, session) || roster.round !== round) {
    return { code: 'wrong-session', message: 'the roster is of another session or round' };
  }
  const problem = problemOfRoster(roster, parameters.clients);
  if (problem !== undefined) return problem;
  const own = roster.entries.find((entry) => entry.client === client);
  if (own === undefined) {
    return {
      code: 'own-key-missing',
      message: `the roster does not list this client, "${client}"`,
    };
  }
  if (!equalBytes(own.publicKey, ownKey)) {
    return {
      code: 'own-key-altered',
      message: `the roster gives "${client}" a key it did not send`,
    };
  }
  return undefined;
}

export function problemOfRoster(roster: Roster, clients: number): RosterProblem | undefined {
  if (roster.entries.length !== clients) {
    return {
      code: 'wrong-cohort-size',
      message: `${clients} clients were agreed on, the roster lists ${roster.entries.length}`,
    };
  }
  const names = new Set<string>();
  const holders = new Map<string, string>();
  for (const { client, publicKey } of roster.entries) {
    if (names.has(client)) {
      return {
        code: 'duplicate-client',
        message: `the roster lists "${client}" twice`,
        offender: client,
      };
    }
    names.add(client);
    if (!isCanonicalKey(publicKey)) {
      return {
        code: 'invalid-key',
        message: `the key of "${client}" is no canonical X25519 key of 32 bytes`,
        offender: client,
      };
    }
    const key = toHex(publicKey);
    const holder = holders.get(key);
    if (holder !== undefined) {
      return {
        code: 'duplicate-key',
        message: `"${holder}" and "${client}" have one key`,
        offender: client,
      };
    }
    holders.set(key, client);
  }
  return undefined;
}

/**
 * RFC 7748 accepts 2^255 - 19 + u and a set top bit for u. Here one key has one encoding, or "no key
 * twice" could be got round.
 */
export function isCanonicalKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false;
  const top = publicKey[31]!;
  if (top > 0x7f) return false;
  if (top < 0x7f || publicKey[0]! < 0xed) return true;
  return publicKey.subarray(1, 31).some((byte) => byte !== 0xff);
}
