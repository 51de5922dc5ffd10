/**
 * @file The bytes of values that hold large tensors, in pieces: the content of a tensor is a piece by
 * itself, and is copied once, when the pieces are joined. The library that writes all other messages
 * copies it again for each message that it stands in.
 */

import { toBinary } from '@bufbuild/protobuf';
import {
  type Array as ArrayMessage,
  ArraySchema,
} from './gen/federated_language/proto/array_pb.ts';
import {
  Value_FederatedSchema,
  Value_Sequence_ElementSchema,
  Value_SequenceSchema,
  Value_Struct_ElementSchema,
  Value_StructSchema,
  type Value as ValueMessage,
  ValueSchema,
} from './gen/tensorflow_federated/proto/v0/executor_pb.ts';

/** Bytes in pieces, in order; they show the memory that they come from. */
export interface Pieces {
  readonly pieces: readonly Uint8Array[];
  readonly length: number;
}

/**
 * A `Value` message as bytes. Fields may stand in another order than in those of `toBinary`, which
 * reads as the same message.
 */
export function encodeValueMessage(message: ValueMessage): Pieces {
  return holdsLargeTensor(message)
    ? encodeValue(message)
    : piecesOf(toBinary(ValueSchema, message));
}

/** A field that holds bytes or a message: its tag, its length and its content. */
export function encodeField(
  { number }: { readonly number: number },
  content: Uint8Array | Pieces,
): Pieces {
  const header = Uint8Array.of(...varint(number * 8 + LENGTH_DELIMITED), ...varint(content.length));
  return piecesOf(header, content);
}

export function piecesOf(...parts: readonly (Uint8Array | Pieces)[]): Pieces {
  return {
    pieces: parts.flatMap((part) => (part instanceof Uint8Array ? [part] : part.pieces)),
    length: parts.reduce((sum, part) => sum + part.length, 0),
  };
}

export function joinPieces({ pieces, length }: Pieces): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function encodeValue(message: ValueMessage): Pieces {
  const { value } = message;
  switch (value.case) {
    case 'array':
      return encodeField(ValueSchema.field.array, encodeArray(value.value));
    case 'struct':
      return encodeField(
        ValueSchema.field.struct,
        piecesOf(
          ...value.value.element.map(({ name, value: inner }) => {
            const { field } = Value_Struct_ElementSchema;
            const parts = [
              ...(name === '' ? [] : [encodeField(field.name, encoder.encode(name))]),
              ...(inner === undefined ? [] : [encodeField(field.value, encodeValue(inner))]),
            ];
            return encodeField(Value_StructSchema.field.element, piecesOf(...parts));
          }),
        ),
      );
    case 'sequence':
      return encodeField(
        ValueSchema.field.sequence,
        piecesOf(
          toBinary(Value_SequenceSchema, { ...value.value, element: [] }),
          ...value.value.element.map(({ flatValue }) => {
            const { field } = Value_Sequence_ElementSchema;
            const arrays = flatValue.map((each) => encodeField(field.flatValue, encodeArray(each)));
            return encodeField(Value_SequenceSchema.field.element, piecesOf(...arrays));
          }),
        ),
      );
    case 'federated': {
      const { field } = Value_FederatedSchema;
      return encodeField(
        ValueSchema.field.federated,
        piecesOf(
          toBinary(Value_FederatedSchema, { ...value.value, value: [] }),
          ...value.value.value.map((member) => encodeField(field.value, encodeValue(member))),
        ),
      );
    }
    default:
      return piecesOf(toBinary(ValueSchema, message));
  }
}

function encodeArray(message: ArrayMessage): Pieces {
  const { content, ...rest } = message;
  if (content === undefined) return piecesOf(toBinary(ArraySchema, message));
  return piecesOf(toBinary(ArraySchema, rest), encodeField(ArraySchema.field.content, content));
}

/** Many small pieces would take longer than the copies. */
function holdsLargeTensor({ value }: ValueMessage): boolean {
  switch (value.case) {
    case 'array':
      return isLarge(value.value);
    case 'struct':
      return value.value.element.some(({ value: inner }) => inner && holdsLargeTensor(inner));
    case 'sequence':
      return value.value.element.some(({ flatValue }) => flatValue.some(isLarge));
    case 'federated':
      return value.value.value.some(holdsLargeTensor);
    default:
      return false;
  }
}

function isLarge({ content }: ArrayMessage): boolean {
  return content !== undefined && content.length >= LARGE_BYTES;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

const LENGTH_DELIMITED = 2;
const LARGE_BYTES = 16 * 1024;
const encoder = new TextEncoder();
