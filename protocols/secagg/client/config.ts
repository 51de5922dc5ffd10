/**
 * @file What a client brings to a round of its own: its identity, the roster it trusts, the least
 * that it asks of a round, and the record of what it did. None of it comes from the server.
 */

import type { SecretBytes } from '../../crypto/secret.ts';
import { ProtocolError } from '../../errors.ts';
import type { IdentityRoster } from '../../roster/identity-roster.ts';
import type { ThreatModel } from '../parameters/index.ts';

export interface SecAggClientConfig {
  /** Its name in the roster. Needed in the active model. */
  readonly name?: string;
  /** The Ed25519 seed of that name. Needed in the active model. */
  readonly signingKey?: SecretBytes;
  readonly roster?: IdentityRoster;
  readonly policy?: Partial<SecAggPolicy>;
  /** @default one that lives as long as the process */
  readonly ledger?: SessionLedger;
}

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
}

export const DEFAULT_POLICY: SecAggPolicy = {
  models: ['active'],
  minimumClients: 3,
  securityBits: 40,
  corruptRate: 0.05,
};

/**
 * What a client did already, so that no step is done twice, after a restart neither.
 */
export interface SessionLedger {
  /**
   * Notes a step; it must last (on disk, if the client's state does) before this returns.
   * @returns false if the step was noted before.
   */
  claim(step: string): boolean;
}

/** Remembers steps as long as it lives. */
export function memoryLedger(): SessionLedger {
  const claimed = new Set<string>();
  return {
    claim(step) {
      if (claimed.has(step)) return false;
      claimed.add(step);
      return true;
    },
  };
}

/** @throws ProtocolError `invalid-argument` for a policy that checks nothing. */
export function policyOf({ policy }: SecAggClientConfig): SecAggPolicy {
  const complete = { ...DEFAULT_POLICY, ...policy };
  const { minimumClients, securityBits, corruptRate } = complete;
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
  return complete;
}
