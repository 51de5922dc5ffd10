/** @file Identities of a roster for the executor stack, whose clients are numbered and not named. */

import type { IdentityProvider } from '../../executors/index.ts';
import {
  createIdentityRoster,
  type Identity,
  type IdentityRoster,
  requireMember,
  type SecretBytes,
} from '../../protocols/index.ts';

export interface RosterIdentitiesOptions {
  readonly roster: IdentityRoster;
  /**
   * Those who are no clients, by placement: `aggregator`, `key_holder`, and `server`. In a list of their
   * own, since members of the roster can be in a cohort, and count as such.
   * @default nobody
   */
  readonly roles?: IdentityRoster;
  /** Those that are at hand: all in a simulation, one's own at a client or role. @default none */
  readonly identities?: readonly Identity[];
}

/**
 * For `secAgg({ identities })`: client number i of the stack is member number i of the roster; and the
 * one at `aggregator` is the member of the roles who is called so.
 * @throws ProtocolError `invalid-argument` for an identity that is in neither, or another one there, and
 *   for roles that are in the roster, by name or key.
 */
export function rosterIdentities({
  roster,
  roles = createIdentityRoster([]),
  identities = [],
}: RosterIdentitiesOptions): IdentityProvider {
  // Whoever were both could be the aggregator of a sum that it takes part in.
  createIdentityRoster([...roster.members, ...roles.members]);
  const secrets = new Map<string, SecretBytes>();
  for (const identity of identities) {
    const { client: name, secretKey } = identity;
    const isRole = roles.positions.has(name);
    requireMember(isRole ? roles : roster, identity);
    secrets.set(isRole ? `${name}/0` : `clients/${roster.positions.get(name)}`, secretKey);
  }
  // All of it, whoever takes part: how many of them may be corrupt is counted by the whole roster.
  const everyone = createIdentityRoster(
    roster.members.map(({ publicKey }, i) => ({ client: `clients/${i}`, publicKey })),
  );
  const parties = new Map(
    roles.members.map(({ client, publicKey }) => {
      const party = `${client}/0`;
      return [party, { client: party, publicKey }];
    }),
  );
  return {
    roster: () => everyone,
    role: (party) => parties.get(party),
    signer: (party) => secrets.get(party),
  };
}
