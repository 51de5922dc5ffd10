/**
 * @file What a client brings to a round of its own: its identity, the roster it trusts, the least
 * that it asks of a round, and the record of what it did. None of it comes from the server.
 */

import type { SecretBytes } from '../../crypto/secret.ts';
import { ProtocolError } from '../../errors.ts';
import type { ModularVector, SumVector } from '../../masking/parameters.ts';
import type { IdentityRoster } from '../../roster/identity-roster.ts';
import type { SessionLedger } from '../../session-ledger.ts';
import type { ThreatModel } from '../parameters/index.ts';

export interface SecAggClientConfig {
  /** Its name in the roster. Needed in the active model. */
  readonly name?: string;
  /** The Ed25519 seed of that name. Needed in the active model. */
  readonly signingKey?: SecretBytes;
  readonly roster?: IdentityRoster;
  readonly policy?: Partial<SecAggPolicy>;
  /**
   * What this client is ready to sum, in the order of the round: kind, length and bound must be these
   * (of a sum the modulus may differ, of a modular sum it is the bound). Without it the bounds are the
   * server's word, which learns from a refusal that a value was outside of them.
   * @default whatever the server announces
   */
  readonly vectors?: readonly ExpectedVector[];
  /** @default one for each round, that ends with it: enough where no state is saved and no round counted */
  readonly ledger?: SessionLedger;
}

export type ExpectedVector =
  | Pick<SumVector, 'kind' | 'length' | 'maximum'>
  | Pick<ModularVector, 'kind' | 'length' | 'modulus'>;

/** What a client asks of a round before it takes part. */
export interface SecAggPolicy {
  /** @default only `active` */
  readonly models: readonly ThreatModel[];
  /**
   * In a sum of fewer clients its value is not to be hidden. With 1 a sum may be its value.
   * @default 3
   */
  readonly minimumClients: number;
  /** What an attack succeeds with: 2^-securityBits. @default 40 */
  readonly securityBits: number;
  /** Of the roster, clients that work with the server. @default 0.05 */
  readonly corruptRate: number;
  /**
   * In how many rounds it takes part at all. Each hides a value among those of its sum only: two
   * sums of the same values, of which one leaves this client out, show its own. A client that limits
   * its rounds needs a ledger that outlives them.
   * @default no limit
   */
  readonly mostRounds: number;
}

export const DEFAULT_POLICY: SecAggPolicy = {
  models: ['active'],
  minimumClients: 3,
  securityBits: 40,
  corruptRate: 0.05,
  mostRounds: Number.POSITIVE_INFINITY,
};

/** Uses up one of the rounds of a client, as long as there are any. */
export function takeRound(ledger: SessionLedger, name: string, mostRounds: number): boolean {
  if (mostRounds === Number.POSITIVE_INFINITY) return true;
  for (let round = 1; round <= mostRounds; round += 1) {
    if (ledger.claim(`round ${round} of "${name}"`)) return true;
  }
  return false;
}

/** @throws ProtocolError `invalid-argument` for a policy that checks nothing. */
export function policyOf({ policy, ledger }: SecAggClientConfig): SecAggPolicy {
  const complete = { ...DEFAULT_POLICY, ...policy };
  const { minimumClients, securityBits, corruptRate, mostRounds } = complete;
  if (!Number.isSafeInteger(minimumClients) || minimumClients < 1) {
    throw new ProtocolError(
      'invalid-argument',
      `minimumClients is 1 or more, got ${minimumClients}`,
    );
  }
  if (!(securityBits >= 1 && securityBits <= 256)) {
    throw new ProtocolError('invalid-argument', `securityBits is 1 to 256, got ${securityBits}`);
  }
  if (!(corruptRate >= 0 && corruptRate < 1)) {
    throw new ProtocolError('invalid-argument', `corruptRate is 0 to below 1, got ${corruptRate}`);
  }
  if (mostRounds !== Number.POSITIVE_INFINITY) {
    if (!Number.isSafeInteger(mostRounds) || mostRounds < 1) {
      throw new ProtocolError('invalid-argument', `mostRounds is 1 or more, got ${mostRounds}`);
    }
    if (ledger === undefined) {
      throw new ProtocolError(
        'invalid-argument',
        'a client that limits its rounds needs a ledger that outlives them',
      );
    }
  }
  return complete;
}
