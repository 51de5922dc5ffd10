/** @file The summation service: secure sums and means for those who write no computations. */

export {
  generateIdentities,
  type Identity,
  type IdentityRoster,
  memoryLedger,
  type SessionLedger,
} from '../../protocols/index.ts';
export { SummationClient, summationClient } from './client/client.ts';
export type {
  Contribution,
  ContributionRequest,
  IntegerContribution,
  WeightedContribution,
} from './client/contribution.ts';
export type { FailedStep, SummationClientOptions } from './client/options.ts';
export { memorySessionStore, type SessionStore } from './client/session-store.ts';
export type {
  LostParticipant,
  StageEvent,
  StageReport,
  StageTraffic,
  SummationEvents,
  SummationStage,
} from './events.ts';
export type { SecAggWorkflowOptions } from './options.ts';
export type { SummationPeer } from './peer.ts';
export { type RoundSummary, SummationRound } from './round.ts';
export type {
  IntegerTensorTask,
  QuantizationTask,
  SummationTask,
  SumTask,
  TensorShape,
  TensorTask,
  WeightedMeanTask,
} from './task.ts';
export {
  type IntegerSum,
  type RoundOptions,
  SecAggWorkflow,
  type SumOptions,
  secAggWorkflow,
  type WeightedMean,
  type WeightedMeanOptions,
} from './workflow.ts';
