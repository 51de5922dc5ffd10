/** @file The faults of the Paillier roles, and the check they all begin with. */

import { equalBytes } from '#crypto';
import { type Fault, fault, ProtocolError } from '../errors.ts';
import { PaillierError, type PaillierErrorCode } from './errors.ts';
import type { PaillierSession, SumHeader } from './messages.ts';

export type PaillierStage =
  | 'keys'
  | 'encrypt'
  | 'collect-inputs'
  | 'collect-masks'
  | 'aggregate'
  | 'mask'
  | 'decrypt'
  | 'unmask';

export type PaillierFaultCode =
  | PaillierErrorCode
  | 'cohort-too-small'
  | 'wrong-session'
  | 'wrong-key'
  | 'wrong-plan'
  | 'wrong-roster'
  | 'wrong-mask'
  | 'wrong-signature'
  | 'wrong-cohort'
  | 'wrong-decryption'
  | 'session-used'
  | 'unknown-client'
  | 'duplicate-client'
  | 'context-mismatch'
  | 'copied-input'
  | 'too-few-inputs'
  | 'below-client-minimum'
  | 'too-many-inputs'
  | 'not-masked'
  | 'already-masked'
  | 'invalid-length'
  | 'not-an-integer'
  | 'out-of-range';

export type PaillierFault = Fault<PaillierStage, PaillierFaultCode>;

export function problemOfMessage(
  stage: PaillierStage,
  message: SumHeader,
  expected: SumHeader,
  offender?: string,
): PaillierFault | undefined {
  if (!equalBytes(message.session, expected.session) || message.round !== expected.round) {
    return fault(stage, 'wrong-session', 'the message is of another session or round', offender);
  }
  if (!equalBytes(message.key, expected.key)) {
    return fault(stage, 'wrong-key', 'the message was made with another key', offender);
  }
  if (!equalBytes(message.plan, expected.plan)) {
    return fault(stage, 'wrong-plan', 'the message was packed by another plan', offender);
  }
  if (!equalBytes(message.roster, expected.roster)) {
    return fault(
      stage,
      'wrong-roster',
      'the message is for a roster of other identities',
      offender,
    );
  }
  return undefined;
}

/** Runs a step on what a peer sent and turns what it finds wrong there into a fault. */
export function guarded<T extends object>(
  stage: PaillierStage,
  offender: string | undefined,
  step: () => T,
): T | PaillierFault {
  try {
    return step();
  } catch (error) {
    if (error instanceof PaillierError) return fault(stage, error.code, error.message, offender);
    if (error instanceof ProtocolError) {
      const { code } = error;
      if (code === 'invalid-length' || code === 'not-an-integer' || code === 'out-of-range') {
        return fault(stage, code, error.message, offender);
      }
    }
    throw error;
  }
}

/** @throws ProtocolError `invalid-argument` */
export function checkSession({ session, round }: PaillierSession): void {
  if (session.length < 16 || session.length > 64) {
    throw new ProtocolError(
      'invalid-argument',
      `a session is identified by 16 to 64 bytes, got ${session.length}`,
    );
  }
  if (!Number.isInteger(round) || round < 0 || round >= 2 ** 32) {
    throw new ProtocolError('invalid-argument', `a round is from 0 to 2^32 - 1, got ${round}`);
  }
}
