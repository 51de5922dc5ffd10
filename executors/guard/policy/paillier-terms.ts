/** @file What a policy says about Paillier sums, as their parties insist on it: clients and roles alike. */

import { DEFAULT_MODULUS_BITS, type SessionLedger } from '../../../protocols/index.ts';
import type { IdentityProvider } from '../../secure/identities.ts';
import type { PaillierPolicy } from '../../secure/paillier/policy.ts';
import type { GuardPolicy } from './policy.ts';

export interface GuardedPaillierOptions {
  /** @default that of the policy */
  readonly modulusBits?: number;
  /** Who holds the key. @default that of the policy */
  readonly keyHolder?: 'server' | 'key_holder';
  /** For tests: a key that is quick to make, and to break. @default false */
  readonly allowInsecureModulus?: boolean;
}

/** An aggregator always stands between clients and whoever decrypts. */
export function paillierUnder(
  { protocols, smallestCohort }: GuardPolicy,
  identities: IdentityProvider,
  ledger: SessionLedger,
  own: GuardedPaillierOptions = {},
): PaillierPolicy {
  const rules = protocols.paillier ?? {};
  const keyHolder = own.keyHolder ?? rules.keyHolder ?? 'key_holder';
  return {
    modulusBits: own.modulusBits ?? rules.modulusBits ?? DEFAULT_MODULUS_BITS,
    allowInsecureModulus: own.allowInsecureModulus ?? false,
    acceptUnprovenKeys: false,
    minimumClients: rules.smallestCohort ?? smallestCohort,
    keyHolder: `${keyHolder}/0`,
    aggregator: 'aggregator/0',
    decrypts: keyHolder === 'server' ? 'unmasked' : 'masked-inputs',
    sealed: true,
    identities,
    ledger,
  };
}
