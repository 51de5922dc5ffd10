/**
 * @file Tensors as `federated_language.Array` messages and back. The elements stand in a list of
 * their dtype (what other implementations read) or as raw content (compact, and quick to copy).
 */

import { create } from '@bufbuild/protobuf';
import { allocate, type DataOfDType, type DType, TensorValue, ValueError } from '../types/index.ts';
import { fromDataType, toDataType } from './dtypes.ts';
import { decodeFault, sizeOf } from './faults.ts';
import {
  Array_BoolListSchema,
  Array_BytesListSchema,
  Array_FloatListSchema,
  Array_Int64ListSchema,
  Array_IntListSchema,
  type Array as ArrayMessage,
  ArraySchema,
} from './gen/federated_language/proto/array_pb.ts';
import { keptContent } from './received-memory.ts';

/** `content` is little-endian bytes; strings stand in a list in either form. */
export type ArrayForm = 'list' | 'content';

/**
 * In `content` form the message shows the memory of the tensor, which is copied when it is encoded.
 * @throws ValueError `value.wrong_type` for a string that is no well-formed Unicode text.
 */
export function toArrayMessage(tensor: TensorValue, form: ArrayForm): ArrayMessage {
  const { dtype, shape, data } = tensor;
  return create(ArraySchema, {
    dtype: toDataType(dtype),
    shape: { dim: shape.map(BigInt) },
    ...(form === 'content' && dtype !== 'string'
      ? { content: toBytes(data as Numbers) }
      : { kind: listOf(dtype, data) }),
  });
}

/**
 * The tensor shows the memory of the message where that was received for this process alone
 * (`markReceived`); otherwise the elements are copied.
 * @throws GraphError `graph.decode` unless the elements are of the dtype, and as many as the shape says.
 */
export function fromArrayMessage(message: ArrayMessage): TensorValue {
  const dtype = fromDataType(message.dtype);
  if (message.shape?.unknownRank) throw decodeFault('an array has an unknown rank');
  const shape = (message.shape?.dim ?? []).map((size) => sizeOf(size, 'a dimension of an array'));
  const data =
    message.content === undefined ? fromList(dtype, message.kind) : fromContent(dtype, message);
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (data.length !== size) {
    throw decodeFault(`an array of shape [${shape.join(', ')}] has ${data.length} elements`);
  }
  return new TensorValue(dtype, shape, data);
}

type Numbers = Exclude<DataOfDType<DType>, readonly string[]>;

function listOf(dtype: DType, data: DataOfDType<DType>): ArrayMessage['kind'] {
  switch (dtype) {
    case 'bool': {
      const value = Array.from(data as Uint8Array, Boolean);
      return { case: 'boolList', value: create(Array_BoolListSchema, { value }) };
    }
    case 'uint8':
    case 'int32': {
      const value = Array.from(data as Int32Array);
      const list = create(Array_IntListSchema, { value });
      return { case: dtype === 'uint8' ? 'uint8List' : 'int32List', value: list };
    }
    case 'int64': {
      const value = Array.from(data as BigInt64Array);
      return { case: 'int64List', value: create(Array_Int64ListSchema, { value }) };
    }
    case 'float32': {
      const value = Array.from(data as Float32Array);
      return { case: 'float32List', value: create(Array_FloatListSchema, { value }) };
    }
    case 'string': {
      const value = (data as readonly string[]).map(toUtf8);
      return { case: 'stringList', value: create(Array_BytesListSchema, { value }) };
    }
  }
}

function fromList(dtype: DType, kind: ArrayMessage['kind']): DataOfDType<DType> {
  if (kind.case === undefined) return allocate(dtype, 0);
  if (kind.case !== LISTS[dtype]) {
    throw decodeFault(`an array of ${dtype} has its elements in ${kind.case}`);
  }
  switch (kind.case) {
    case 'boolList':
      return Uint8Array.from(kind.value.value, Number);
    case 'uint8List':
      if (kind.value.value.some((element) => element < 0 || element > 255)) {
        throw decodeFault('an element of a uint8 array is out of range');
      }
      return Uint8Array.from(kind.value.value);
    case 'int32List':
      return Int32Array.from(kind.value.value);
    case 'int64List':
      return BigInt64Array.from(kind.value.value);
    case 'float32List':
      return Float32Array.from(kind.value.value);
    default:
      return (kind.value.value as readonly Uint8Array[]).map(fromUtf8);
  }
}

function fromContent(dtype: DType, message: ArrayMessage): DataOfDType<DType> {
  const { content = NO_BYTES, kind } = message;
  if (dtype === 'string' || kind.case !== undefined) {
    throw decodeFault(
      dtype === 'string'
        ? 'an array of strings has raw content'
        : 'an array has both raw content and a list',
    );
  }
  const none = allocate(dtype, 0) as Numbers;
  const width = none.BYTES_PER_ELEMENT;
  if (content.length % width !== 0) {
    throw decodeFault(`the content of an array of ${dtype} has ${content.length} bytes`);
  }
  const kept = BIG_ENDIAN ? null : keptContent(content, width);
  // Where it was, other bytes may be now.
  if (kept !== null) message.content = kept;
  const data = kept === null ? copied(dtype, content, width) : viewOf(none, kept);
  if (dtype === 'bool' && (data as Uint8Array).some((element) => element > 1)) {
    throw decodeFault('an element of a bool array is neither 0 nor 1');
  }
  return data;
}

function copied(dtype: DType, content: Uint8Array, width: number): Numbers {
  const data = allocate(dtype, content.length / width) as Numbers;
  bytesOf(data).set(BIG_ENDIAN ? littleEndian(content, width) : content);
  return data;
}

/** The bytes as elements of the same kind as those of `like`. */
function viewOf(like: Numbers, { buffer, byteOffset, byteLength }: Uint8Array): Numbers {
  const View = like.constructor as new (
    memory: ArrayBufferLike,
    offset: number,
    length: number,
  ) => Numbers;
  return new View(buffer, byteOffset, byteLength / like.BYTES_PER_ELEMENT);
}

function toBytes(data: Numbers): Uint8Array {
  const bytes = bytesOf(data);
  return BIG_ENDIAN ? littleEndian(bytes, data.BYTES_PER_ELEMENT) : bytes;
}

function bytesOf(data: Numbers): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A copy of the bytes for a machine that is big-endian: each element turned round. */
function littleEndian(bytes: Uint8Array, width: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  for (let i = 0; i < copy.length; i += width) copy.subarray(i, i + width).reverse();
  return copy;
}

const NO_BYTES = new Uint8Array(0);

const BIG_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 0;

function toUtf8(text: string): Uint8Array {
  const bytes = encoder.encode(text);
  if (decoder.decode(bytes) !== text) {
    throw new ValueError(
      'value.wrong_type',
      'A string with half a surrogate pair is no text, and cannot be sent.',
    );
  }
  return bytes;
}

function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw decodeFault('an element of an array of strings is not UTF-8', cause);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const LISTS: { readonly [D in DType]: NonNullable<ArrayMessage['kind']['case']> } = {
  bool: 'boolList',
  uint8: 'uint8List',
  int32: 'int32List',
  int64: 'int64List',
  float32: 'float32List',
  string: 'stringList',
};
