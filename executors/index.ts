/** @file Executors: the interface, for those who write their own, and what stacks are made of. */

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
export { TensorExecutor } from './tensor.ts';
