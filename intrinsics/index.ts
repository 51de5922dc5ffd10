/** @file The operators of the federated language. */

export {
  federatedAggregate,
  federatedMax,
  federatedMean,
  federatedMin,
  federatedSum,
  type MeanOptions,
} from './aggregate.ts';
export {
  federatedBroadcast,
  federatedData,
  federatedEval,
  federatedValue,
  federatedZip,
  type UserPlacement,
} from './communicate.ts';
export { type CompileLevel, type CompileOptions, compileForExecution } from './compile.ts';
export type { AggregationKind, BroadcastKind, IntrinsicDefinition, Purity } from './definition.ts';
export * from './disclosure/index.ts';
export * from './forms/index.ts';
export { federatedMap } from './map.ts';
export type { FloatMember, IntegerMember, NumericMember } from './members.ts';
export {
  type Bound,
  federatedSecureModularSum,
  federatedSecureSum,
  federatedSecureSumBitwidth,
  MAX_BITWIDTH,
} from './secure.ts';
export { federatedSecureSelect, federatedSelect } from './select.ts';
export { sequenceMap, sequenceReduce, sequenceSum } from './sequences.ts';
export { INTRINSICS, intrinsicTypeRule } from './table.ts';
