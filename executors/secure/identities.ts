/**
 * @file Where the participants of a protocol have their identities from: a roster that everyone
 * holds, and for each client the key with which it signs.
 */

import { ed25519PublicKey, hkdfSha256, randomBytes } from '#crypto';
import { toHex, utf8 } from '../../protocols/crypto/bytes.ts';
import type { SecretBytes } from '../../protocols/crypto/secret.ts';
import {
  createIdentityRoster,
  type IdentityRoster,
  type RosterMember,
} from '../../protocols/roster/identity-roster.ts';

export interface IdentityProvider {
  /**
   * The roster that this party holds, never from the server: everyone who may take part.
   * @param clients who the server says takes part. Only a simulation, whose roster that is, looks at
   *   it: from a server it would be the server's choice of who counts.
   */
  roster(clients: readonly string[]): IdentityRoster;
  /**
   * By which key a party is known that is no client, such as `aggregator/0`; from this party's own
   * list as well. Such parties do not belong into the roster, whose members may be in a sum.
   * @default as if it were a client
   */
  role?(party: string): RosterMember | undefined;
  /** The Ed25519 seed of a party, where it is at hand: at that party, or in a simulation. */
  signer(client: string): SecretBytes | undefined;
}

/**
 * Identities for a simulation, where one process plays everyone: keys are derived from a seed, and
 * the roster is whoever takes part. They protect nothing outside of it.
 * @param seed 32 bytes; another thread that plays the same clients needs the same.
 */
export function simulatedIdentities(seed: Uint8Array = randomBytes(32)): SimulatedIdentities {
  // A thread makes operators for each of its clients: they share the keys, or each derives all.
  const name = toHex(seed);
  const known = recent.get(name);
  if (known !== undefined) return known;
  const made = new SimulatedIdentities(seed);
  recent.set(name, made);
  if (recent.size > MOST_RECENT) recent.delete(recent.keys().next().value as string);
  return made;
}

const recent = new Map<string, SimulatedIdentities>();
const MOST_RECENT = 8;

export class SimulatedIdentities implements IdentityProvider {
  readonly seed: Uint8Array;
  readonly #signers = new Map<string, { secretKey: SecretBytes; publicKey: Uint8Array }>();
  #latest: { readonly clients: readonly string[]; readonly roster: IdentityRoster } | undefined;

  constructor(seed: Uint8Array) {
    this.seed = seed;
  }

  roster(clients: readonly string[]): IdentityRoster {
    const latest = this.#latest;
    if (
      latest?.clients.length === clients.length &&
      clients.every((client, i) => client === latest.clients[i])
    ) {
      return latest.roster;
    }
    const members = clients.map((client) => ({
      client,
      publicKey: this.#signer(client).publicKey,
    }));
    const roster = createIdentityRoster(members);
    this.#latest = { clients: [...clients], roster };
    return roster;
  }

  signer(client: string): SecretBytes {
    return this.#signer(client).secretKey;
  }

  #signer(client: string): { secretKey: SecretBytes; publicKey: Uint8Array } {
    let pair = this.#signers.get(client);
    if (pair === undefined) {
      const info = utf8(`fedloom simulated identity v1 ${client}`);
      const secretKey = hkdfSha256(this.seed, { info, length: 32 });
      pair = { secretKey, publicKey: ed25519PublicKey(secretKey) };
      this.#signers.set(client, pair);
    }
    return pair;
  }
}
