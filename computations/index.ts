/** @file The language: types, values, computations. */

export type { BuildingBlock } from './building-blocks.ts';
export type {
  AnyComputation,
  Computation,
  Operand,
  PolymorphicComputation,
  Value,
  ValueLike,
} from './computation.ts';
export {
  type Context,
  currentContext,
  type InvokeOptions,
  setDefaultContext,
  withContext,
} from './contexts/context.ts';
export { type ComputationOptions, federatedComputation } from './federated-computation.ts';
export { printBlock, printIndented } from './notation.ts';
export {
  type TensorComputationOptions,
  tensorComputation,
  type UntypedTensor,
} from './tensor-computation.ts';
export {
  type Backend,
  type BackendName,
  type BackendOptions,
  type KernelGraph,
  loadBackend,
  printGraph,
  type RandomKey,
  random,
} from './tensors/index.ts';
export { type TypecheckOptions, typecheckBlock } from './typecheck.ts';
export * from './types/index.ts';
export { typeOf } from './value.ts';
