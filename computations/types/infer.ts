/** @file The type of plain data for which none is stated. */

import { ValueError } from './errors.ts';
import {
  describeData,
  dtypeOfLibrary,
  flatten,
  isPlainObject,
  isTensorLike,
  shapeOf,
  typedArrayDType,
} from './raw-data.ts';
import {
  bool,
  float32,
  int32,
  int64,
  string,
  structOf,
  type Type,
  tensor as tensorType,
} from './types.ts';
import { TensorValue } from './values.ts';

/** The type that a literal has when none is stated: an integer is an int32 if it fits, else an int64. */
export function inferType(data: unknown, what: string): Type {
  if (data instanceof TensorValue) return tensorType(data.dtype, data.shape);
  switch (typeof data) {
    case 'boolean':
      return bool();
    case 'string':
      return string();
    case 'bigint':
      return int64();
    case 'number':
      return !Number.isInteger(data) ? float32() : fitsInt32(data) ? int32() : int64();
  }
  if (isTensorLike(data)) return tensorType(dtypeOfLibrary(data.dtype, what), data.shape);
  const typed = typedArrayDType(data);
  if (typed !== null) return tensorType(typed, [(data as ArrayLike<unknown>).length]);
  if (Array.isArray(data)) return inferArrayType(data, what);
  if (isPlainObject(data)) {
    return structOf(
      Object.entries(data).map(([name, member]) => ({
        name,
        type: inferType(member, `${what}.${name}`),
      })),
    );
  }
  throw new ValueError(
    'value.wrong_type',
    `${what} has no type of its own: ${describeData(data)}. State the types of the parameters.`,
  );
}

function inferArrayType(data: readonly unknown[], what: string): Type {
  const shape = shapeOf(data);
  const types = flatten(data, shape, what).map((element) => inferType(element, what));
  const dtypes = new Set(types.map((type) => (type.kind === 'tensor' ? type.dtype : null)));
  const [first] = dtypes;
  if (first === null || first === undefined) {
    throw new ValueError(
      'value.wrong_type',
      `${what} is an array without a type of its own. State the types of the parameters.`,
    );
  }
  const mixed =
    dtypes.size === 1
      ? first
      : dtypes.has('float32')
        ? 'float32'
        : dtypes.has('int64')
          ? 'int64'
          : first;
  return tensorType(mixed, shape);
}

function fitsInt32(value: number): boolean {
  return (value | 0) === value;
}
