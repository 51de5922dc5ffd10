/** @file Which member types an aggregation takes, as the TypeScript compiler sees them. */

import type {
  FloatDType,
  IntegerDType,
  NumericDType,
  StructType,
  TensorType,
} from '../computations/types/index.ts';

/** Numbers, or structs of them: what can be summed. */
export type NumericMember = TensorType<NumericDType> | StructType<MembersOf<NumericMember>>;
/** Floats, or structs of them: what has a mean. */
export type FloatMember = TensorType<FloatDType> | StructType<MembersOf<FloatMember>>;
/** Integers, or structs of them: what a secure sum takes. */
export type IntegerMember = TensorType<IntegerDType> | StructType<MembersOf<IntegerMember>>;

type MembersOf<T extends TensorType | StructType> = { readonly [name: string]: T } | readonly T[];
