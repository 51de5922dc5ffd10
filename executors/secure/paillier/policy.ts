/**
 * @file What every party of a Paillier sum insists on, whatever the server asks for, and what follows
 * from it and from the set-up of a sum.
 */

import {
  type CohortSetup,
  createPackingPlan,
  type IdentityRoster,
  type PackingPlan,
  type PrivateKeyLike,
  type RosterMember,
  type SecretBytes,
  type SessionLedger,
  type X25519KeyPair,
} from '../../../protocols/index.ts';
import { faultError, requireProtocol } from '../faults.ts';
import type { IdentityProvider } from '../identities.ts';
import type { SecureTerm } from '../protocol.ts';
import { cohortOf, type RoundSetup } from '../round-setup.ts';

/** The part that another thread can be given as data. */
export interface PaillierTerms {
  readonly modulusBits: number;
  readonly allowInsecureModulus: boolean;
  readonly acceptUnprovenKeys: boolean;
  /** Of the cohort, and of those whose inputs are in the sum. */
  readonly minimumClients: number;
  /** Who holds the key: `server/0` or `key_holder/0`. */
  readonly keyHolder: string;
  /** Who adds ciphertexts, or keeps masks where the key holder adds: `aggregator/0` or `server/0`. */
  readonly aggregator: string;
  /** What the key holder decrypts; see `KeyHolderSetup`. */
  readonly decrypts: 'masked' | 'unmasked' | 'masked-inputs';
  /** Whether what clients send the aggregator is sealed for it. */
  readonly sealed: boolean;
}

export interface PaillierPolicy extends PaillierTerms {
  readonly identities: IdentityProvider;
  /** Sessions that the key holder and the aggregator served. */
  readonly ledger: SessionLedger;
  readonly privateKey?: PrivateKeyLike;
  readonly aggregatorKeys?: X25519KeyPair;
}

/** The same plan at every party: it follows from the terms and the size of the cohort. */
export function packingPlan(
  terms: readonly SecureTerm[],
  clients: number,
  modulusBits: number,
): PackingPlan {
  return requireProtocol('plan', () =>
    createPackingPlan({
      clients,
      modulusBits,
      segments: terms.map(({ kind, length, bound }) =>
        kind === 'sum' ? { kind, length, maximum: bound } : { kind, length, modulus: bound },
      ),
    }),
  );
}

/**
 * The cohort as this party sees it, by its own roster.
 * @throws ProtocolAbortError `cohort-too-small` before a plan of any size is made.
 */
export function cohortSetup(
  stage: string,
  setup: RoundSetup,
  { minimumClients, identities, modulusBits }: PaillierPolicy,
): CohortSetup {
  const { session, terms, clients, contextHash } = setup;
  requireCohort(stage, clients, minimumClients);
  const names = cohortOf(setup);
  return {
    session,
    round: 0,
    plan: packingPlan(terms, clients, modulusBits),
    clients: names,
    roster: rosterOf(identities, names),
    minimumClients,
    ...(contextHash !== undefined && { contextHash }),
  };
}

/** @throws ProtocolAbortError `cohort-too-small` */
export function requireCohort(stage: string, clients: number, minimumClients: number): void {
  if (clients >= minimumClients) return;
  throw faultError({
    kind: 'fault',
    stage,
    code: 'cohort-too-small',
    message: `a cohort of ${clients} is below this party's minimum of ${minimumClients}`,
  });
}

/** @throws ProtocolAbortError `invalid-argument` where identities make no roster. */
export function rosterOf(identities: IdentityProvider, names: readonly string[]): IdentityRoster {
  return requireProtocol('identities', () => identities.roster(names));
}

/**
 * The identity by which a party is known to this one.
 * @throws ProtocolAbortError `unknown-identity`
 */
export function identityOf(identities: IdentityProvider, name: string): RosterMember {
  const member = identities.role === undefined ? memberOf(identities, name) : identities.role(name);
  if (member !== undefined) return member;
  throw unknownIdentity(`this party knows no "${name}"`);
}

/**
 * The key with which a party signs.
 * @throws ProtocolAbortError `unknown-identity` if it is of another party, and not here.
 */
export function signingKeyOf(identities: IdentityProvider, name: string): SecretBytes {
  const signingKey = identities.signer(name);
  if (signingKey !== undefined) return signingKey;
  throw unknownIdentity(`this party does not have the key with which "${name}" signs`);
}

function memberOf(identities: IdentityProvider, name: string): RosterMember | undefined {
  const { positions, members } = rosterOf(identities, [name]);
  return members[positions.get(name) ?? -1];
}

function unknownIdentity(message: string): Error {
  return faultError({ kind: 'fault', stage: 'identities', code: 'unknown-identity', message });
}
