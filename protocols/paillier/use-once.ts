/** @file What a party of a Paillier sum does once a session, and never again after a restart. */

import { toHex } from '../crypto/bytes.ts';
import { fault } from '../errors.ts';
import type { SessionLedger } from '../session-ledger.ts';
import type { PaillierFault, PaillierStage } from './faults.ts';
import type { SumHeader } from './messages.ts';

export interface UseOnce {
  /**
   * Where sessions are noted before anything of them is given out. One that lasts (on disk, say)
   * keeps a party that was restarted from serving a session twice.
   */
  readonly ledger: SessionLedger;
}

/** Notes the step; a fault if it was noted before. */
export function ledgerProblem(
  stage: PaillierStage,
  { ledger }: UseOnce,
  { session, round, key }: SumHeader,
): PaillierFault | undefined {
  const step = `paillier/${stage}/${toHex(key)}/${toHex(session)}/${round}`;
  if (ledger.claim(step)) return undefined;
  return fault(stage, 'session-used', 'this party gave out a result of this session already');
}
