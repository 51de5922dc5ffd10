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
  /** Those that are at hand: all in a simulation, one's own at a client. @default none */
  readonly identities?: readonly Identity[];
}

/**
 * For `secAgg({ identities })`: client number i of the stack is member number i of the roster.
 * @throws ProtocolError `invalid-argument` for an identity that is not in the roster.
 */
export function rosterIdentities({
  roster,
  identities = [],
}: RosterIdentitiesOptions): IdentityProvider {
  const secrets = new Map<number, SecretBytes>();
  for (const identity of identities) {
    requireMember(roster, identity);
    secrets.set(roster.positions.get(identity.client)!, identity.secretKey);
  }
  // All of it, whoever takes part: how many of them may be corrupt is counted by the whole roster.
  const everyone = createIdentityRoster(
    roster.members.map(({ publicKey }, i) => ({ client: `clients/${i}`, publicKey })),
  );
  return {
    roster: () => everyone,
    signer(client) {
      const [, number] = client.match(/^clients\/(\d+)$/) ?? [];
      return number === undefined ? undefined : secrets.get(Number(number));
    },
  };
}
