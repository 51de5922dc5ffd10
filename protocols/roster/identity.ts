/**
 * @file Who a client is: its name, and the Ed25519 key pair (RFC 8032) with which it signs. The public
 * half goes into the roster that everyone holds, the secret half never leaves the client.
 */

import { ed25519PublicKey, equalBytes, generateEd25519KeyPair } from '#crypto';
import type { Ed25519KeyPair, Rng } from '../crypto/interface.ts';
import { ProtocolError } from '../errors.ts';
import { createIdentityRoster, type IdentityRoster } from './identity-roster.ts';

export interface Identity extends Ed25519KeyPair {
  /** The name in the roster. */
  readonly client: string;
}

export interface GeneratedIdentities {
  /** In the order of the names. */
  readonly roster: IdentityRoster;
  /** In the order of the names; each belongs to its client alone. */
  readonly identities: readonly Identity[];
}

/**
 * Fresh identities and the roster of them all, for a simulation or a roster for development: who runs
 * this knows every key. In earnest each client makes its own and tells its public key only.
 * @throws ProtocolError `invalid-argument` for a name that is none, or there twice.
 */
export function generateIdentities(
  names: readonly string[],
  { rng }: { readonly rng?: Rng } = {},
): GeneratedIdentities {
  const identities = names.map((client): Identity => ({ client, ...generateEd25519KeyPair(rng) }));
  return { roster: createIdentityRoster(identities), identities };
}

/**
 * Makes sure that an identity is the one that a roster has under its name.
 * @throws ProtocolError `invalid-argument`
 */
export function requireMember(roster: IdentityRoster, { client, secretKey }: Identity): void {
  const position = roster.positions.get(client);
  if (position === undefined) {
    throw new ProtocolError(
      'invalid-argument',
      `"${client}" is none of the ${roster.members.length} members of the roster`,
    );
  }
  const { publicKey } = roster.members[position]!;
  if (!equalBytes(publicKey, ed25519PublicKey(secretKey))) {
    throw new ProtocolError(
      'invalid-argument',
      `the roster has another public key for "${client}" than the one of this identity`,
    );
  }
}
