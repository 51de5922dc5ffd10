/** @file Signing keys and rosters, made once for all simulations of a process. */

import {
  createIdentityRoster,
  ed25519PublicKey,
  hkdfSha256,
  type IdentityRoster,
  type SecretBytes,
  utf8,
} from '../../../../protocols/index.ts';
import type { Chooser } from './chooser.ts';
import type { Plan } from './plan.ts';

export interface Identities {
  readonly roster: IdentityRoster;
  /** Places of the cohort in the roster, ascending. */
  readonly places: readonly number[];
  /** By the number in the cohort. */
  readonly names: readonly string[];
  readonly signingKeys: readonly SecretBytes[];
}

export function identitiesOf({ clients, roster }: Plan, chooser: Chooser): Identities {
  return identitiesAt(chooser.sample([...Array(roster).keys()], clients), roster);
}

/** @param places of the cohort in a roster of that size, ascending */
export function identitiesAt(places: readonly number[], roster: number): Identities {
  return {
    roster: rosterOf(roster),
    places,
    names: places.map(nameOf),
    signingKeys: places.map(signingKeyOf),
  };
}

function rosterOf(size: number): IdentityRoster {
  let roster = rosters.get(size);
  if (roster === undefined) {
    const members = Array.from({ length: size }, (_, place) => ({
      client: nameOf(place),
      publicKey: ed25519PublicKey(signingKeyOf(place)),
    }));
    roster = createIdentityRoster(members);
    rosters.set(size, roster);
  }
  return roster;
}

function signingKeyOf(place: number): SecretBytes {
  let key = signingKeys.get(place);
  if (key === undefined) {
    key = hkdfSha256(utf8('simulated identities'), { info: utf8(`${place}`), length: 32 });
    signingKeys.set(place, key);
  }
  return key;
}

function nameOf(place: number): string {
  return `client-${place}`;
}

const rosters = new Map<number, IdentityRoster>();
const signingKeys = new Map<number, SecretBytes>();
