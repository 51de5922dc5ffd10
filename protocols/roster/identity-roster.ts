/**
 * @file Who may take part: names and the Ed25519 keys (RFC 8032) with which they sign. A small
 * public-key infrastructure: everyone holds the same roster, got beforehand and not from the server,
 * and what a client signs is checked against it.
 */

import { sha256 } from '#crypto';
import { utf8 } from '../crypto/bytes.ts';
import { ProtocolError } from '../errors.ts';
import { problemOfIdentity } from '../masking/identities.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

export interface RosterMember {
  /** 1 to 256 bytes of UTF-8, unique in the roster. */
  readonly client: string;
  /** Ed25519, 32 bytes, unique in the roster. */
  readonly publicKey: Uint8Array;
}

export interface IdentityRoster {
  /** In an order that all who hold the roster share. */
  readonly members: readonly RosterMember[];
  /** SHA-256 of names and keys in order: what signatures name the roster by. */
  readonly hash: Uint8Array;
  /** Place in `members` by name. */
  readonly positions: ReadonlyMap<string, number>;
}

/** The largest roster: places in it travel as 16 bits. */
export const ROSTER_LIMIT = 65_535;

/** @throws ProtocolError `invalid-argument` for a name or key that is wrong or there twice. */
export function createIdentityRoster(members: readonly RosterMember[]): IdentityRoster {
  if (members.length > ROSTER_LIMIT) {
    throw invalid(`a roster has at most ${ROSTER_LIMIT} members, got ${members.length}`);
  }
  const positions = new Map<string, number>();
  const holders = new Map<string, string>();
  const writer = new ByteWriter().raw(DOMAIN).uint32(members.length);
  for (const [position, { client, publicKey }] of members.entries()) {
    const problem = problemOfIdentity(client);
    if (problem !== undefined) throw invalid(problem.message);
    if (publicKey.length !== 32) {
      throw invalid(`the key of "${client}" has ${publicKey.length} bytes; Ed25519 keys have 32`);
    }
    if (positions.has(client)) throw invalid(`"${client}" is in the roster twice`);
    const key = publicKey.join();
    const holder = holders.get(key);
    if (holder !== undefined) throw invalid(`"${client}" and "${holder}" have the same key`);
    positions.set(client, position);
    holders.set(key, client);
    writer.text(client).raw(publicKey);
  }
  return {
    // Nothing else that came with them, such as a secret key, is to get around with the roster.
    members: members.map(({ client, publicKey }) => ({ client, publicKey })),
    hash: sha256(writer.finish()),
    positions,
  };
}

function invalid(message: string): ProtocolError {
  return new ProtocolError('invalid-argument', message);
}

const DOMAIN = utf8('fedloom identity roster v1');
