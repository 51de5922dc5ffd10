/** @file What plain data looks like: nested arrays, typed arrays, tensors of a library, objects. */

import type { DType } from './dtypes.ts';
import { ValueError } from './errors.ts';
import type { TensorLike } from './plain.ts';
import { TensorValue } from './values.ts';

export function isPlainObject(data: unknown): data is { readonly [key: string]: unknown } {
  if (typeof data !== 'object' || data === null) return false;
  const prototype: unknown = Object.getPrototypeOf(data);
  return prototype === Object.prototype || prototype === null;
}

export function isTensorLike(data: unknown): data is TensorLike {
  return (
    typeof data === 'object' &&
    data !== null &&
    'dataSync' in data &&
    typeof data.dataSync === 'function' &&
    'shape' in data &&
    Array.isArray(data.shape)
  );
}

export function typedArrayDType(data: unknown): DType | null {
  if (data instanceof Float32Array || data instanceof Float64Array) return 'float32';
  if (data instanceof Int32Array || data instanceof Int16Array || data instanceof Int8Array)
    return 'int32';
  if (data instanceof Uint16Array) return 'int32';
  if (data instanceof Uint32Array) return 'int64';
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return 'int64';
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return 'uint8';
  return null;
}

export function dtypeOfLibrary(dtype: string, what: string): DType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool' || dtype === 'string')
    return dtype;
  throw new ValueError(
    'value.wrong_type',
    `${what} is a tensor of dtype ${dtype}, which has no counterpart here.`,
  );
}

export function shapeOf(data: readonly unknown[]): number[] {
  const shape: number[] = [];
  let level: unknown = data;
  while (Array.isArray(level) || typedArrayDType(level) !== null) {
    const list = level as ArrayLike<unknown>;
    shape.push(list.length);
    level = list[0];
  }
  return shape;
}

export function flatten(
  data: readonly unknown[],
  shape: readonly number[],
  what: string,
): unknown[] {
  let level: unknown[] = [...data];
  for (const [axis, size] of shape.slice(1).entries()) {
    const next: unknown[] = [];
    for (const item of level) {
      if (
        !(Array.isArray(item) || typedArrayDType(item) !== null) ||
        (item as ArrayLike<unknown>).length !== size
      ) {
        throw new ValueError(
          'value.wrong_shape',
          `${what} is a ragged array: on axis ${axis + 1} every entry must be an array of ${size}; got ${describeData(item)}.`,
        );
      }
      for (const element of item as Iterable<unknown>) next.push(element);
    }
    level = next;
  }
  return level;
}

/** A short description of data that names its kind but never prints its content at length. */
export function describeData(data: unknown): string {
  if (data === null) return 'null';
  if (Array.isArray(data)) return `an array of ${data.length}`;
  if (ArrayBuffer.isView(data)) return data.constructor.name;
  if (typeof data === 'object')
    return data instanceof TensorValue
      ? `a tensor of ${data.dtype}`
      : `an object (${Object.keys(data).slice(0, 5).join(', ')})`;
  if (typeof data === 'string') return `a string of ${data.length} characters`;
  return typeof data === 'function' ? 'a function' : `${typeof data} ${String(data)}`;
}
