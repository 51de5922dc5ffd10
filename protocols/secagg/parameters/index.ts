/** @file The parameters of secure aggregation: computed, explained, and checked by clients. */

export type { ParameterFindings } from './findings.ts';
export type { ThreatModel } from './guarantees.ts';
export {
  type GivenParameters,
  problemOfSecurity,
  type SecurityProblem,
  type WantedSecurity,
} from './problem-of-security.ts';
export type { ParameterRequest } from './request.ts';
export { secAggParameters } from './secagg-parameters.ts';
