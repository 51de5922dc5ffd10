/** @file Executors: the interface, for those who write their own, and what stacks are made of. */

export { CachingExecutor, type CachingOptions } from './caching/caching.ts';
export type {
  Cardinalities,
  Executor,
  ExecutorFactory,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from './executor.ts';
export * from './guard/index.ts';
export { DataExecutor, type DataSource } from './leaf/data-source.ts';
export { type OpaqueKind, type OpaqueOptions, OpaqueValue, opaqueKind } from './leaf/opaque.ts';
export {
  isData,
  type Operator,
  type OperatorEnvironment,
  type OperatorPurity,
  type OperatorRecipe,
  type OperatorStruct,
  type OperatorValue,
  operatorStruct,
  type Release,
  type ReleasedVector,
  type ReleasePermit,
  type ReleaseTerms,
} from './leaf/operator.ts';
export { OperatorExecutor, type OperatorExecutorOptions } from './leaf/operators.ts';
export { SequenceExecutor } from './leaf/sequence.ts';
export { TensorExecutor } from './leaf/tensor.ts';
export {
  type ComposingChild,
  type ComposingChildren,
  ComposingExecutor,
  type ComposingOptions,
} from './placed/composing.ts';
export type { TreeAggregation } from './placed/composition.ts';
export { type FederatingChildren, FederatingExecutor } from './placed/federating.ts';
export { type LossOptions, type LostClients, LostMember } from './placed/lost-clients.ts';
export type { PlacedExecutor } from './placed/placed-executor.ts';
export type {
  ClientLostStep,
  ClientsStep,
  DroppedClientsStep,
  IntrinsicStep,
  ProgressListener,
  ProgressStep,
  ProtocolStep,
  SecureSumStep,
} from './progress.ts';
export { ReferenceResolvingExecutor } from './reference-resolving.ts';
export * from './remote/index.ts';
export type { RollCall } from './roll.ts';
export * from './secure/index.ts';
export {
  type SecureStack,
  type SecureStackProvider,
  toSecureStack,
} from './secure/secure-stack.ts';
export { CheckingExecutor, type CheckingOptions } from './watching/checking.ts';
export { SerialExecutor, SerialQueue } from './watching/serial.ts';
export {
  addSizes,
  type DataSize,
  type PlacementSizes,
  type SizeDirection,
  SizeMeter,
  type Sizes,
  SizingExecutor,
} from './watching/sizing.ts';
export { participantAttributes, TracingExecutor, type TracingOptions } from './watching/tracing.ts';
export { type BlockTransformation, TransformingExecutor } from './watching/transforming.ts';
