/** @file The guard of a client: its policy, its log, and the executor that keeps to them. */

export type { AuditEntry, AuditSink } from './audit.ts';
export { type GuardedLeafOptions, guardedLeaf } from './guarded-leaf.ts';
export { GuardingExecutor, type GuardOptions } from './guarding-executor.ts';
export { guardPolicy, parseGuardPolicy } from './policy/check-policy.ts';
export type { GuardedPaillierOptions } from './policy/paillier-terms.ts';
export {
  DEFAULT_GUARD_POLICY,
  GUARD_PROTOCOLS,
  type GuardLimits,
  type GuardPolicy,
  type GuardPolicyOptions,
  type GuardProtocol,
  type ProtocolRules,
} from './policy/policy.ts';
export { PLAYED_ROLES, type PlayedRole, type RoleLeafOptions, roleLeaf } from './role-leaf.ts';
