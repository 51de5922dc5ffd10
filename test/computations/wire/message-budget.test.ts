/** @file What messages become in memory, known before they are read. */

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Array as ArrayMessage,
  ArraySchema,
} from '../../../computations/wire/gen/federated_language/proto/array_pb.ts';
import {
  DisposeRequestSchema,
  Value_FederatedSchema,
  Value_SequenceSchema,
  Value_Struct_ElementSchema,
  Value_StructSchema,
  ValueSchema,
} from '../../../computations/wire/gen/tensorflow_federated/proto/v0/executor_pb.ts';
import { partsOfMessage } from '../../../computations/wire/index.ts';
import { decodeRequest, decodeResponse } from '../../../executors/remote/messages/message-codec.ts';

const MIB = 2 ** 20;
const limits = { maxBytes: 256 * MIB };

/** `count` fields of a number, each an empty message. */
function empties(field: number, count: number): Uint8Array {
  const bytes = new Uint8Array(2 * count);
  for (let i = 0; i < bytes.length; i += 2) bytes[i] = field * 8 + 2;
  return bytes;
}

/** A field of bytes or a message. */
function wrap(field: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([
    new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(content.length).finish(),
    content,
  ]);
}

describe('a few bytes that would take gigabytes are refused', () => {
  const many = 9 * MIB;

  test('as a request', () => {
    expect(() => decodeRequest('dispose', empties(1, many), limits)).toThrow(
      /transport.resource_exhausted/,
    );
  });

  test('as a response', () => {
    const { struct } = ValueSchema.field;
    const { element } = Value_StructSchema.field;
    const value = wrap(1, wrap(struct.number, empties(element.number, many)));
    expect(() => decodeResponse('compute', value, limits)).toThrow(/transport.resource_exhausted/);
  });

  test('wherever they stand', () => {
    const { sequence, federated, array } = ValueSchema.field;
    const values = [
      wrap(sequence.number, empties(Value_SequenceSchema.field.element.number, 101)),
      wrap(federated.number, empties(Value_FederatedSchema.field.value.number, 101)),
      wrap(array.number, wrap(ArraySchema.field.int64List.number, wrap(1, new Uint8Array(401)))),
      wrap(array.number, wrap(ArraySchema.field.stringList.number, empties(1, 101))),
    ];
    for (const value of values) {
      expect(partsOfMessage(ValueSchema, value, 100)).toBe(Number.POSITIVE_INFINITY);
    }
  });
});

test('what is large by its content is not', () => {
  const content = create(ArraySchema, { content: new Uint8Array(64 * MIB) });
  const value = create(ValueSchema, { value: { case: 'array', value: content } });
  expect(partsOfMessage(ValueSchema, toBinary(ValueSchema, value))).toBe(1);
});

test('a message has a part for each message in it, and for each text', () => {
  const list = (value: bigint[]): ArrayMessage =>
    create(ArraySchema, {
      shape: { dim: [3n] },
      kind: { case: 'int64List', value: { value } },
    } as never);
  const request = create(DisposeRequestSchema, {
    executor: { id: 'e' },
    valueRef: [{ id: '1' }, { id: '2' }],
  });
  expect(partsOfMessage(DisposeRequestSchema, toBinary(DisposeRequestSchema, request))).toBe(3);
  // The shape, its dimension, the list, and three numbers of a byte each.
  expect(partsOfMessage(ArraySchema, toBinary(ArraySchema, list([1n, 2n, 3n])))).toBe(
    1 + 1 / 4 + 1 + 3 / 4,
  );
});

test('any bytes are counted to their end, or as far as they are a message', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const parts = partsOfMessage(ValueSchema, bytes);
      expect(parts === Number.POSITIVE_INFINITY || parts <= bytes.length).toBe(true);
    }),
  );
});

test('a message that says to be longer than the one around it is counted as it is read', () => {
  const { element } = Value_StructSchema.field;
  const long = Buffer.concat([
    Uint8Array.of(ValueSchema.field.struct.number * 8 + 2, 2),
    Uint8Array.of(element.number * 8 + 2, 100),
    empties(Value_Struct_ElementSchema.field.value.number, 50),
  ]);
  const read = fromBinary(ValueSchema, long);
  expect(read.value.case).toBe('struct');
  expect(partsOfMessage(ValueSchema, long)).toBe(52);
  // And one that has no end is the decoder's business.
  expect(partsOfMessage(ValueSchema, wrap(3, Uint8Array.of(10, 100)))).toBe(2);
});
