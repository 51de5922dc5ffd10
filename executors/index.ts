/** @file Executors: the interface, for those who write their own, and what stacks are made of. */

export { CachingExecutor, type CachingOptions } from './caching.ts';
export { CheckingExecutor, type CheckingOptions } from './checking.ts';
export {
  type ComposingChild,
  type ComposingChildren,
  ComposingExecutor,
  type ComposingOptions,
  type TreeAggregation,
} from './composing.ts';
export { DataExecutor, type DataSource } from './data-source.ts';
export type {
  Cardinalities,
  Executor,
  ExecutorFactory,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from './executor.ts';
export { type FederatingChildren, FederatingExecutor } from './federating.ts';
export { type OpaqueKind, type OpaqueOptions, OpaqueValue, opaqueKind } from './opaque.ts';
export {
  isData,
  type Operator,
  type OperatorEnvironment,
  type OperatorPurity,
  type OperatorRecipe,
  type OperatorStruct,
  type OperatorValue,
  operatorStruct,
} from './operator.ts';
export { OperatorExecutor, type OperatorExecutorOptions } from './operators.ts';
export type { PlacedExecutor } from './placed-executor.ts';
export type {
  ClientsStep,
  IntrinsicStep,
  ProgressListener,
  ProgressStep,
  ProtocolStep,
} from './progress.ts';
export { ReferenceResolvingExecutor } from './reference-resolving.ts';
export * from './secure/index.ts';
export { type SecureStack, type SecureStackProvider, toSecureStack } from './secure-stack.ts';
export { SequenceExecutor } from './sequence.ts';
export { SerialExecutor, SerialQueue } from './serial.ts';
export {
  addSizes,
  type DataSize,
  type PlacementSizes,
  type SizeDirection,
  SizeMeter,
  type Sizes,
  SizingExecutor,
} from './sizing.ts';
export { TensorExecutor } from './tensor.ts';
export { participantAttributes, TracingExecutor, type TracingOptions } from './tracing.ts';
export { type BlockTransformation, TransformingExecutor } from './transforming.ts';
