/** @file Processes that go on in rounds: templates, their composition, and a driver that resumes. */

export {
  type Combined,
  chainMeasuredProcesses,
  concatenateMeasuredProcesses,
  type NamedStage,
  type Stage,
  type Stages,
} from './compose.ts';
export { TemplateError, type TemplateErrorCode } from './errors.ts';
export {
  IterativeProcess,
  type IterativeProcessParts,
  type NextResult,
} from './iterative-process.ts';
export {
  type MeasuredOutput,
  MeasuredProcess,
  type MeasuredProcessParts,
} from './measured-process.ts';
export {
  type ProcessRun,
  processRounds,
  type Round,
  type RoundData,
  type RunProcessOptions,
  runProcess,
} from './run-process.ts';
