/** @file Refusals by policy: each names its rule, to the server in an error and to the owner in the log. */

import { PolicyError, type PolicyErrorCode } from '../../computations/types/index.ts';
import type { AuditLog } from './audit.ts';

/** A rule of the guard itself, which no policy lifts. */
export const PRIVATE_VALUES = 'privateValues';

export interface Refusal {
  readonly code: PolicyErrorCode;
  /** As the policy names it. */
  readonly rule: string;
  /** For the server; names nothing that it does not know. */
  readonly message: string;
  /** For the owner, in addition. */
  readonly detail?: string;
}

/** Records a refusal and makes the error for it. */
export function refused(audit: AuditLog, { code, rule, message, detail }: Refusal): PolicyError {
  audit.record({ kind: 'refused', rule, code, detail: detail ?? message });
  return audit.told(
    new PolicyError(
      code,
      `${message.replace(/\.$/, '')} (rule "${rule}" of this client's policy).`,
      { rule },
    ),
  );
}
