/**
 * @file What the user holds: a computation, callable on data (it runs in the current context) and,
 * inside the body of another computation, on values (it becomes part of that computation).
 */

import type { BuildingBlock } from './building-blocks.ts';
import type {
  ArgumentOf,
  FederatedType,
  FunctionType,
  IsOpen,
  ResultOf,
  StructType,
  Type,
} from './types/index.ts';

declare const valueType: unique symbol;

/**
 * A value inside the body of a computation: not data, but a name for what will be computed.
 * Its type is a literal type, so that TypeScript checks placements and dtypes.
 */
export interface Value<out T extends Type = Type> {
  readonly [valueType]: T;
}

/** What a body receives: a value whose elements, if it is a struct, can be selected by name or index. */
export type Operand<T extends Type> = Value<T> & ElementsOf<T>;

// A struct of unknown members has no elements to offer; expanding it would never end.
type ElementsOf<T extends Type> =
  T extends StructType<infer M>
    ? [IsOpen<M>] extends [false]
      ? { readonly [K in keyof M]: M[K] extends Type ? Operand<M[K]> : never }
      : unknown
    : T extends FederatedType<StructType<infer M>, infer P, infer E>
      ? [IsOpen<M>] extends [false]
        ? {
            readonly [K in keyof M]: M[K] extends Type ? Operand<FederatedType<M[K], P, E>> : never;
          }
        : unknown
      : unknown;

/** A value, or a struct of values written as an object or an array. */
export type ValueLike = Value | { readonly [name: string]: ValueLike } | readonly ValueLike[];

/** The type that a `ValueLike` stands for. */
export type TypeOfValue<V> =
  V extends Value<infer T>
    ? T
    : V extends object
      ? StructType<{ readonly [K in keyof V]: TypeOfMember<V[K]> }>
      : never;

type TypeOfMember<V> =
  V extends Value<infer T> ? T : V extends object ? Type & TypeOfValue<V> : never;

/** A value of type `T`, or a struct of values that stands for it. */
export type OperandArgument<T extends Type> =
  | Value<AcceptedType<T>>
  | (T extends StructType<infer M>
      ? [IsOpen<M>] extends [false]
        ? { readonly [K in keyof M]: M[K] extends Type ? OperandArgument<M[K]> : never }
        : ValueLike
      : never);

// A value that all clients hold alike fits where each may hold its own.
type AcceptedType<T extends Type> =
  T extends FederatedType<infer M, infer P, false> ? FederatedType<M, P> : T;

type OperandArguments<P extends readonly Type[]> = {
  readonly [K in keyof P]: OperandArgument<P[K]>;
};
type DataArguments<P extends readonly Type[]> = { readonly [K in keyof P]: ArgumentOf<P[K]> };

/** What is known of a computation whatever its types. */
export interface AnyComputation {
  /** Name used in notation and messages. */
  readonly name: string;
  readonly type: FunctionType;
  readonly buildingBlock: BuildingBlock;
  /** Compact notation of the building block. */
  toString(): string;
}

/**
 * A computation with parameter types `P` and result type `R`.
 *
 * Called with data it returns a promise of plain data, computed in the current context. Called with
 * values inside the body of another computation it returns a value. Without parameters, where the
 * two cannot be told apart by the arguments, the result serves as either.
 */
export interface Computation<P extends readonly Type[] = readonly Type[], R extends Type = Type>
  extends AnyComputation {
  (...values: P extends readonly [] ? never : OperandArguments<P>): Operand<R>;
  (
    ...data: DataArguments<P>
  ): P extends readonly [] ? Promise<ResultOf<R>> & Operand<R> : Promise<ResultOf<R>>;
  /** Types of the parameters, in order. */
  readonly parameters: P;
  /** Type of the result. */
  readonly resultType: R;
}

/** A computation without stated types; each call takes the types of its arguments. */
export interface PolymorphicComputation {
  (...args: readonly ValueLike[]): Value<Type>;
  (...args: readonly unknown[]): Promise<unknown>;
  readonly name: string;
  /** The computation for the given parameter types; made once for each. */
  withTypes<const P extends readonly Type[]>(...parameters: P): Computation<P, Type>;
}
