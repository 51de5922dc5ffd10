/**
 * @file Plain TypeScript data for each type: what a caller may pass for a parameter, and what a
 * result looks like. Only types live here; `runtime/` converts.
 */

import type { DType, ScalarOfDType } from './dtypes.ts';
import type {
  FederatedType,
  FunctionType,
  IsOpen,
  SequenceType,
  Shape,
  StructMembers,
  StructType,
  TensorType,
  Type,
} from './types.ts';
import type { TensorValue } from './values.ts';

export type NestedArray<T> = T | readonly NestedArray<T>[];

/** A tensor of a library, recognised by its shape and its synchronous read-out (tfjs has both). */
export interface TensorLike {
  readonly dtype: string;
  readonly shape: readonly number[];
  dataSync(): ArrayLike<number> | ArrayLike<string>;
}

type ScalarArgument<D extends DType> = D extends 'int64' ? bigint | number : ScalarOfDType<D>;
type TypedArray =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** What a caller may pass where a value of type `T` is expected. */
export type ArgumentOf<T extends Type> = Type extends T
  ? unknown
  : T extends TensorType<infer D, infer S>
    ? TensorArgument<D, S>
    : T extends StructType<infer M>
      ? StructArgument<M>
      : T extends SequenceType<infer E>
        ? Iterable<ArgumentOf<E>> | AsyncIterable<ArgumentOf<E>>
        : T extends FederatedType<infer M, infer P, infer E>
          ? P extends 'clients'
            ? E extends true
              ? ArgumentOf<M>
              : readonly ArgumentOf<M>[]
            : ArgumentOf<M>
          : T extends FunctionType
            ? (...args: never[]) => unknown
            : never;

type TensorArgument<D extends DType, S extends Shape | null> = S extends readonly []
  ? ScalarArgument<D> | TensorValue<D> | TensorLike
  : NestedArray<ScalarArgument<D>> | TypedArray | TensorValue<D> | TensorLike;

type StructArgument<M extends StructMembers> = [IsOpen<M>] extends [false]
  ? {
      readonly [K in keyof M]: M[K] extends Type ? ArgumentOf<M[K]> : never;
    }
  : object;

/** What a result of type `T` looks like: numbers, strings, arrays, objects and `TensorValue`s. */
export type ResultOf<T extends Type> = Type extends T
  ? unknown
  : T extends TensorType<infer D, infer S>
    ? S extends readonly []
      ? ScalarOfDType<D>
      : TensorValue<D>
    : T extends StructType<infer M>
      ? [IsOpen<M>] extends [false]
        ? { -readonly [K in keyof M]: M[K] extends Type ? ResultOf<M[K]> : never }
        : object
      : T extends SequenceType<infer E>
        ? ResultOf<E>[]
        : T extends FederatedType<infer M, infer P, infer E>
          ? P extends 'clients'
            ? E extends true
              ? ResultOf<M>
              : ResultOf<M>[]
            : ResultOf<M>
          : unknown;
