/** @file Deterministic simulation of secure aggregation with dropouts. */

export { type Chooser, createChooser } from './chooser.ts';
export type { Rule, Violation } from './evidence.ts';
export { learnableSums, type MaskedView } from './knowledge.ts';
export { describePlan, type Plan, type PlanChanges, planOf } from './plan.ts';
export {
  replayCommand,
  type SimulationOptions,
  type SimulationResult,
  simulate,
} from './simulate.ts';
export { type ClientSteps, realSteps } from './steps.ts';
