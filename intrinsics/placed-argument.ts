/** @file How the TypeScript compiler sees the placed argument of a map: a value, or a struct of values placed alike. */

import type { Value, ValueLike } from '../computations/computation.ts';
import type { FederatedType, IsOpen, StructType, Type } from '../computations/types/index.ts';

/** The member type that a computation with parameter types `P` takes: the only one, or a struct of them. */
export type ParameterMember<P extends readonly Type[]> = P extends readonly [infer M extends Type]
  ? M
  : StructType<P>;

/** A value at `P` with member type `M`, or a struct of values at `P` that zips to it. */
export type PlacedAt<M extends Type, P extends 'clients' | 'server'> = Type extends M
  ? ValueLike
  :
      | Value<FederatedType<M, P>>
      | (M extends StructType<infer S>
          ? [IsOpen<S>] extends [false]
            ? { readonly [K in keyof S]: S[K] extends Type ? PlacedAt<S[K], P> : never }
            : ValueLike
          : never);
