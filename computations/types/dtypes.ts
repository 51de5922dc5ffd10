/** @file Element types of tensors, and the typed array each of them is stored in. */

export const DTYPES = ['bool', 'uint8', 'int32', 'int64', 'float32', 'string'] as const;

/** Element type of a tensor. A `uint8` tensor is how bytes (keys, ciphertexts) are carried. */
export type DType = (typeof DTYPES)[number];

export type IntegerDType = 'uint8' | 'int32' | 'int64';
export type FloatDType = 'float32';
export type NumericDType = IntegerDType | FloatDType;

interface TensorStorage {
  readonly bool: Uint8Array;
  readonly uint8: Uint8Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly float32: Float32Array;
  readonly string: readonly string[];
}

interface DTypeScalars {
  readonly bool: boolean;
  readonly uint8: number;
  readonly int32: number;
  readonly int64: bigint;
  readonly float32: number;
  readonly string: string;
}

/** How the elements of a dtype are stored: row-major, one entry per element. */
export type DataOfDType<D extends DType> = TensorStorage[D];

/** The JavaScript value of one element of a dtype. */
export type ScalarOfDType<D extends DType> = DTypeScalars[D];

export function isDType(name: string): name is DType {
  return (DTYPES as readonly string[]).includes(name);
}

export function isIntegerDType(dtype: DType): dtype is IntegerDType {
  return dtype === 'uint8' || dtype === 'int32' || dtype === 'int64';
}

export function isFloatDType(dtype: DType): dtype is FloatDType {
  return dtype === 'float32';
}

export function isNumericDType(dtype: DType): dtype is NumericDType {
  return isIntegerDType(dtype) || isFloatDType(dtype);
}

/** Smallest and largest value of an integer dtype, as bigints. */
export function integerRange(dtype: IntegerDType): { readonly min: bigint; readonly max: bigint } {
  return INTEGER_RANGES[dtype];
}

/** Zero-filled storage for `size` elements. */
export function allocate<D extends DType>(dtype: D, size: number): DataOfDType<D> {
  return ALLOCATORS[dtype](size);
}

const INTEGER_RANGES = {
  uint8: { min: 0n, max: 255n },
  int32: { min: -(2n ** 31n), max: 2n ** 31n - 1n },
  int64: { min: -(2n ** 63n), max: 2n ** 63n - 1n },
} as const;

const ALLOCATORS: { readonly [D in DType]: (size: number) => DataOfDType<D> } = {
  bool: (size) => new Uint8Array(size),
  uint8: (size) => new Uint8Array(size),
  int32: (size) => new Int32Array(size),
  int64: (size) => new BigInt64Array(size),
  float32: (size) => new Float32Array(size),
  string: (size) => new Array<string>(size).fill(''),
};
