/**
 * @file The executor of one who is no client of a sum but plays a role in it: the aggregator, or the key
 * holder, of Paillier sums. It has no data; what it keeps for the protocol is opaque, and does what its
 * own policy says, whatever the server asks for.
 */

import type { Backend } from '../../computations/tensors/index.ts';
import { ValueError } from '../../computations/types/index.ts';
import { memoryLedger, type SessionLedger } from '../../protocols/index.ts';
import type { Operator } from '../leaf/operator.ts';
import type { IdentityProvider } from '../secure/identities.ts';
import { aggregatorOperators } from '../secure/paillier/aggregator-operators.ts';
import { keyHolderOperators } from '../secure/paillier/key-holder-operators.ts';
import { keyOperators } from '../secure/paillier/key-operators.ts';
import type { PaillierPolicy } from '../secure/paillier/policy.ts';
import type { AuditSink } from './audit.ts';
import { guardedLeaf } from './guarded-leaf.ts';
import type { GuardingExecutor } from './guarding-executor.ts';
import { guardPolicy } from './policy/check-policy.ts';
import { type GuardedPaillierOptions, paillierUnder } from './policy/paillier-terms.ts';
import type { GuardPolicyOptions } from './policy/policy.ts';

/** Roles that a process of its own can play. */
export const PLAYED_ROLES = ['aggregator', 'key_holder'] as const;

export type PlayedRole = (typeof PLAYED_ROLES)[number];

export interface RoleLeafOptions {
  readonly role: PlayedRole;
  /** May be shared by many leaves. */
  readonly backend: Backend;
  /** The roster of the clients, the identities of the roles, and one's own key. */
  readonly identities: IdentityProvider;
  /** As that of the clients: the smallest cohort, and the rules of `paillier`, are the role's too. */
  readonly policy: GuardPolicyOptions;
  /** Which sessions had their sum; one that lasts, for a role that restarts. @default in memory */
  readonly ledger?: SessionLedger;
  readonly audit?: AuditSink;
  readonly paillier?: GuardedPaillierOptions;
  /** Random bytes; for tests. @default `crypto.getRandomValues` */
  readonly random?: (n: number) => Uint8Array;
}

/** @throws ValueError `value.out_of_range` for a policy in which nobody plays the role. */
export function roleLeaf(options: RoleLeafOptions): GuardingExecutor {
  const { role, backend, identities, audit, random, ledger = memoryLedger() } = options;
  const policy = guardPolicy(options.policy);
  if (policy.protocols.paillier === undefined) {
    throw new ValueError(
      'value.out_of_range',
      `The policy allows no protocol with the role '${role}': it needs "protocols": { "paillier": {} }.`,
    );
  }
  const terms = paillierUnder(policy, identities, ledger, options.paillier);
  if (role === 'key_holder' && terms.keyHolder !== 'key_holder/0') {
    throw new ValueError(
      'value.out_of_range',
      'The policy lets the server hold the key ("keyHolder"): there is no role of a key holder then.',
    );
  }
  return guardedLeaf({
    backend,
    operators: operatorsOf(role, terms),
    // Values leave by nothing: there are none.
    policy: { ...policy, protocols: {} },
    ledger,
    ...(audit !== undefined && { audit }),
    ...(random !== undefined && { random }),
  });
}

function operatorsOf(role: PlayedRole, terms: PaillierPolicy): readonly Operator[] {
  const own = role === 'aggregator' ? aggregatorOperators(terms) : keyHolderOperators(terms);
  const keys = keyOperators(terms).filter(({ uri }) => KEYS_OF[role].includes(uri));
  return [...keys, ...own];
}

const KEYS_OF: { readonly [role in PlayedRole]: readonly string[] } = {
  aggregator: ['paillier_prepare', 'channel_key_pair', 'paillier_sign_channel_key'],
  key_holder: ['paillier_key_pair', 'paillier_input_key_pair', 'paillier_sign_channel_key'],
};
