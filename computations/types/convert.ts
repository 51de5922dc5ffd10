/**
 * @file Plain TypeScript data to values and back, guided by a type. This is the boundary at which
 * data is checked: past it, a value has the dtype, shape and structure that its type says.
 */

import { compactNotation } from './compact.ts';
import { allocate, type DType, integerRange, isIntegerDType } from './dtypes.ts';
import { FederatedTypeError, ValueError } from './errors.ts';
import {
  describeData,
  dtypeOfLibrary,
  flatten,
  isTensorLike,
  shapeOf,
  typedArrayDType,
} from './raw-data.ts';
import type { StructType, TensorType, Type } from './types.ts';
import { type MaterializedValue, TensorValue } from './values.ts';

/**
 * Checks plain data against a type and converts it.
 * @param what names the data in messages, e.g. `argument 'x'`.
 * @throws ValueError naming the place inside the data that does not fit.
 * @throws FederatedTypeError `type.wrong_kind` if values of this kind of type cannot be data.
 */
export function toMaterialized(data: unknown, type: Type, what: string): MaterializedValue {
  switch (type.kind) {
    case 'tensor':
      return toTensor(data, type, what);
    case 'struct':
      return { kind: 'struct', elements: structElements(data, type, what) };
    case 'sequence':
      return { kind: 'sequence', elements: toSequence(data, type.element, what) };
    case 'federated': {
      const many = type.placement === 'clients' && !type.allEqual;
      if (!many) return { kind: 'federated', members: [toMaterialized(data, type.member, what)] };
      if (!Array.isArray(data)) {
        throw new ValueError(
          'value.wrong_structure',
          `${what} has type ${compactNotation(type)}, so it is an array with one entry a client; got ${describeData(data)}.`,
        );
      }
      return {
        kind: 'federated',
        members: data.map((member, client) =>
          toMaterialized(member, type.member, `${what}, client ${client}`),
        ),
      };
    }
    case 'function':
    case 'placement':
    case 'abstract':
      throw new FederatedTypeError(
        'type.wrong_kind',
        `${what} has type ${compactNotation(type)}, and a value of that kind cannot be passed as data.`,
      );
  }
}

/** Turns a value into plain TypeScript data: see `ResultOf`. Sequences are read to their end. */
export async function toPlain(value: MaterializedValue, type: Type): Promise<unknown> {
  switch (type.kind) {
    case 'tensor': {
      const tensor = expectKind(value, 'tensor', type);
      return tensor.shape.length === 0 ? tensor.scalar() : tensor;
    }
    case 'struct': {
      const { elements } = expectKind(value, 'struct', type);
      const plain: unknown[] = [];
      for (const [index, element] of type.elements.entries()) {
        const member = elements[index];
        if (member === undefined) throw mismatch(value, type);
        plain.push(await toPlain(member, element.type));
      }
      if (type.elements.every((element) => element.name === null)) return plain;
      return Object.fromEntries(
        type.elements.map((element, index) => [element.name ?? String(index), plain[index]]),
      );
    }
    case 'sequence': {
      const plain: unknown[] = [];
      for await (const element of expectKind(value, 'sequence', type).elements) {
        plain.push(await toPlain(element, type.element));
      }
      return plain;
    }
    case 'federated': {
      const { members } = expectKind(value, 'federated', type);
      const [first] = members;
      if (type.allEqual) {
        if (first === undefined) throw mismatch(value, type);
        return toPlain(first, type.member);
      }
      // Tensors convert without waiting; only structs and sequences may have to.
      if (type.member.kind === 'tensor') {
        return members.map((member) => {
          const tensor = expectKind(member, 'tensor', type.member);
          return tensor.shape.length === 0 ? tensor.scalar() : tensor;
        });
      }
      return Promise.all(members.map((member) => toPlain(member, type.member)));
    }
    default:
      throw mismatch(value, type);
  }
}

/** The elements of a struct's data in the order of its type, each converted. */
function structElements(data: unknown, type: StructType, what: string): MaterializedValue[] {
  const isArray = Array.isArray(data);
  if (typeof data !== 'object' || data === null || ArrayBuffer.isView(data)) {
    throw new ValueError(
      'value.wrong_structure',
      `${what} must be a struct ${compactNotation(type)}; got ${describeData(data)}.`,
    );
  }
  const record = data as { readonly [key: string]: unknown };
  const given = Object.keys(record);
  if (given.length !== type.elements.length) {
    throw new ValueError(
      'value.wrong_structure',
      `${what} must have the ${type.elements.length} elements of ${compactNotation(type)}; got ${given.length}${isArray ? '' : ` (${given.join(', ')})`}.`,
    );
  }
  return type.elements.map((element, index) => {
    const key = isArray ? String(index) : (element.name ?? String(index));
    if (!Object.hasOwn(record, key)) {
      throw new ValueError(
        'value.wrong_structure',
        `${what} lacks the element '${key}' of ${compactNotation(type)}; it has ${given.join(', ') || 'none'}.`,
      );
    }
    return toMaterialized(
      record[key],
      element.type,
      isArray ? `${what}[${key}]` : `${what}.${key}`,
    );
  });
}

function toSequence(
  data: unknown,
  element: Type,
  what: string,
): Iterable<MaterializedValue> | AsyncIterable<MaterializedValue> {
  if (typeof data === 'object' && data !== null) {
    // Arrays are checked at once; lazy iterables as they are consumed.
    if (Array.isArray(data))
      return data.map((item, i) => toMaterialized(item, element, `${what}, element ${i}`));
    if (Symbol.asyncIterator in data)
      return convertAsync(data as AsyncIterable<unknown>, element, what);
    if (Symbol.iterator in data) return convertLazily(data as Iterable<unknown>, element, what);
  }
  throw new ValueError(
    'value.wrong_structure',
    `${what} must be an iterable or an async iterable of ${compactNotation(element)}; got ${describeData(data)}.`,
  );
}

function convertLazily(
  data: Iterable<unknown>,
  element: Type,
  what: string,
): Iterable<MaterializedValue> {
  return {
    *[Symbol.iterator]() {
      let index = 0;
      for (const item of data) yield toMaterialized(item, element, `${what}, element ${index++}`);
    },
  };
}

function convertAsync(
  data: AsyncIterable<unknown>,
  element: Type,
  what: string,
): AsyncIterable<MaterializedValue> {
  return {
    // No generator: one that waits for an element cannot be told to stop.
    [Symbol.asyncIterator]() {
      const items = data[Symbol.asyncIterator]();
      let index = 0;
      const stop = async (): Promise<IteratorReturnResult<undefined>> => {
        await items.return?.();
        return { done: true, value: undefined };
      };
      return {
        async next() {
          const { done, value } = await items.next();
          if (done) return { done, value: undefined };
          try {
            const converted = toMaterialized(value, element, `${what}, element ${index++}`);
            return { done: false, value: converted };
          } catch (error) {
            await stop();
            throw error;
          }
        },
        return: stop,
      };
    },
  };
}

function toTensor(data: unknown, type: TensorType, what: string): TensorValue {
  if (data instanceof TensorValue) return checkTensor(data, type, what);
  if (isTensorLike(data)) {
    const dtype = dtypeOfLibrary(data.dtype, what);
    return checkTensor(fill(dtype, [...data.shape], data.dataSync(), what), type, what);
  }
  const typed = typedArrayDType(data);
  if (typed !== null) {
    const elements = data as ArrayLike<number | bigint>;
    requireShape([elements.length], type, what);
    return fill(type.dtype, [elements.length], elements, what);
  }
  if (!Array.isArray(data)) {
    requireShape([], type, what);
    const storage = allocate(type.dtype, 1);
    store(storage, 0, data, type.dtype, what);
    return new TensorValue(type.dtype, [], storage);
  }
  const shape = completeShape(shapeOf(data), type);
  requireShape(shape, type, what);
  return fill(type.dtype, shape, flatten(data, shape, what), what);
}

function fill(
  dtype: DType,
  shape: readonly number[],
  elements: ArrayLike<unknown>,
  what: string,
): TensorValue {
  const storage = allocate(dtype, elements.length);
  if (isSameStorage(storage, elements, dtype)) {
    return new TensorValue(dtype, shape, elements.slice());
  }
  for (let i = 0; i < elements.length; i++) store(storage, i, elements[i], dtype, what);
  return new TensorValue(dtype, shape, storage);
}

/** Writes one element after checking that the dtype can hold it; only a float may be rounded. */
function store(
  storage: TensorValue['data'],
  index: number,
  value: unknown,
  dtype: DType,
  what: string,
): void {
  if (isIntegerDType(dtype)) {
    storeInteger(storage as Int32Array | BigInt64Array, index, value, dtype, what);
    return;
  }
  const expected = dtype === 'bool' ? 'boolean' : dtype === 'string' ? 'string' : 'number';
  // Libraries hand out booleans as 0 and 1.
  const isBit = dtype === 'bool' && (value === 0 || value === 1);
  if (typeof value !== expected && !isBit) throw wrongElement(value, dtype, what);
  if (
    dtype === 'float32' &&
    Number.isFinite(value) &&
    !Number.isFinite(Math.fround(value as number))
  ) {
    throw new ValueError(
      'value.out_of_range',
      `${what} must be float32; ${value} is larger than any finite one.`,
    );
  }
  const writable = storage as unknown[];
  writable[index] = dtype === 'bool' ? Number(value) : value;
}

function storeInteger(
  storage: Int32Array | BigInt64Array,
  index: number,
  value: unknown,
  dtype: 'uint8' | 'int32' | 'int64',
  what: string,
): void {
  if (dtype === 'int32' && typeof value === 'number' && (value | 0) === value) {
    (storage as Int32Array)[index] = value;
    return;
  }
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw wrongElement(value, dtype, what);
  if (typeof value === 'number' && !Number.isInteger(value)) {
    throw new ValueError(
      'value.not_an_integer',
      `${what} must be ${dtype}, an integer; got ${value}. Round it first if that is meant.`,
    );
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new ValueError(
      'value.out_of_range',
      `${what} is ${value}, which a JavaScript number does not hold exactly; pass a bigint.`,
    );
  }
  const integer = BigInt(value);
  const { min, max } = integerRange(dtype);
  if (integer < min || integer > max) {
    throw new ValueError(
      'value.out_of_range',
      `${what} must be ${dtype}, from ${min} to ${max}; got ${integer}.`,
    );
  }
  if (dtype === 'int64') (storage as BigInt64Array)[index] = integer;
  else (storage as Int32Array)[index] = Number(integer);
}

function checkTensor(tensor: TensorValue, type: TensorType, what: string): TensorValue {
  if (tensor.dtype !== type.dtype) {
    throw new ValueError(
      'value.wrong_type',
      `${what} must have dtype ${type.dtype} (${compactNotation(type)}); got a tensor of ${tensor.dtype}.`,
    );
  }
  requireShape(tensor.shape, type, what);
  const size = tensor.shape.reduce((product, n) => product * n, 1);
  if (
    tensor.data.length !== size ||
    tensor.data.constructor !== allocate(type.dtype, 0).constructor
  ) {
    throw new ValueError(
      'value.wrong_structure',
      `${what} must hold ${size} elements as ${allocate(type.dtype, 0).constructor.name}; got ${tensor.data.length} as ${tensor.data.constructor.name}.`,
    );
  }
  return tensor;
}

function requireShape(shape: readonly number[], type: TensorType, what: string): void {
  const expected = type.shape;
  if (expected === null) return;
  const fits =
    expected.length === shape.length &&
    expected.every((size, axis) => size === null || size === shape[axis]);
  if (!fits) {
    throw new ValueError(
      'value.wrong_shape',
      `${what} must have type ${compactNotation(type)}; got ${shape.length === 0 ? 'a scalar' : `shape [${shape.join(', ')}]`}.`,
    );
  }
}

// The sizes inside an empty array cannot be seen; those of the type stand for them.
function completeShape(shape: readonly number[], type: TensorType): readonly number[] {
  if (type.shape === null || shape.at(-1) !== 0) return shape;
  return [...shape, ...type.shape.slice(shape.length).map((size) => size ?? 0)];
}

/** True if elements can be copied as they are. A bool is not: it is stored as a byte of 0 or 1. */
function isSameStorage<D extends DType>(
  storage: TensorValue<D>['data'],
  elements: ArrayLike<unknown>,
  dtype: D,
): elements is TensorValue<D>['data'] {
  return (
    dtype !== 'bool' && ArrayBuffer.isView(elements) && elements.constructor === storage.constructor
  );
}

function wrongElement(value: unknown, dtype: DType, what: string): ValueError {
  return new ValueError(
    'value.wrong_type',
    `${what} must be ${dtype}; got ${describeData(value)}.`,
  );
}

function expectKind<K extends MaterializedValue['kind']>(
  value: MaterializedValue,
  kind: K,
  type: Type,
): Extract<MaterializedValue, { readonly kind: K }> {
  if (value.kind !== kind) throw mismatch(value, type);
  return value as Extract<MaterializedValue, { readonly kind: K }>;
}

function mismatch(value: MaterializedValue, type: Type): ValueError {
  return new ValueError(
    'value.wrong_structure',
    `An executor returned a ${value.kind} value where ${compactNotation(type)} was expected.`,
  );
}
