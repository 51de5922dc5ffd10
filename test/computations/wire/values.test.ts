import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lambda, literal, reference } from '../../../computations/building-blocks.ts';
import {
  atClients,
  FedloomError,
  federated,
  int32,
  isAssignable,
  type MaterializedValue,
  parseType,
  sequence,
  string,
  struct,
  structOf,
  TensorValue,
  type Type,
  toMaterialized,
} from '../../../computations/types/index.ts';
import {
  blockToValueMessage,
  type DecodeValueOptions,
  decodeBlock,
  encodeBlock,
  encodeValueMessage,
  fromValueMessage,
  joinPieces,
  markReceived,
  toArrayMessage,
  toTypeMessage,
  toValueMessage,
  ValueSchema,
} from '../../../computations/wire/index.ts';
import {
  dataType,
  placedDataType,
  plainDataOf,
  staticTensorType,
  structOfTypes,
  tensorValueOf,
} from '../../arbitraries/types.ts';

type Init = MessageInitShape<typeof ValueSchema>;

const int = (value: number): TensorValue => new TensorValue('int32', [], Int32Array.of(value));

function crossed(value: MaterializedValue, type: Type): { value: MaterializedValue; type: Type } {
  const bytes = toBinary(ValueSchema, toValueMessage(value, type));
  const received = fromValueMessage(fromBinary(ValueSchema, bytes));
  if (received.kind !== 'data') throw new TypeError('data became a block');
  return received;
}

function codeOf(init: Init, options?: DecodeValueOptions): string {
  try {
    fromValueMessage(create(ValueSchema, init), options);
  } catch (error) {
    if (error instanceof FedloomError) return error.code;
    throw error;
  }
  return 'read';
}

describe('values', () => {
  const typed = (types: fc.Arbitrary<Type>) =>
    types.chain((type) =>
      plainDataOf(type).map((data) => ({ type, value: toMaterialized(data, type, 'x') })),
    );

  it('come back from their bytes, with a type that fits theirs', () => {
    const types = fc.oneof(
      { arbitrary: dataType, weight: 3 },
      { arbitrary: placedDataType, weight: 2 },
      { arbitrary: structOfTypes(placedDataType), weight: 1 },
    );
    fc.assert(
      fc.property(typed(types), ({ type, value }) => {
        const back = crossed(value, type);
        expect(back.value).toEqual(value);
        expect(isAssignable(type, back.type)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('keep every bit of a tensor, and none of the memory that it came in', () => {
    fc.assert(
      fc.property(
        staticTensorType.chain((type) => tensorValueOf(type).map((value) => ({ type, value }))),
        ({ type, value }) => {
          const back = crossed(value, type).value as TensorValue;
          expect(back.data).toEqual(value.data);
          expect(back.data).not.toBe(value.data);
        },
      ),
    );
    const odd = new TensorValue(
      'float32',
      [4],
      Float32Array.of(-0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45),
    );
    const { data } = crossed(odd, parseType('float32[4]')).value as TensorValue<'float32'>;
    expect([...data].map((each) => Object.is(each, -0))).toEqual([true, false, false, false]);
    expect([...data]).toEqual([...odd.data]);
  });

  it('are read alike from bytes that are written in pieces', () => {
    const large = new TensorValue(
      'int32',
      [5000],
      Int32Array.from({ length: 5000 }, (_, i) => i),
    );
    const around: fc.Arbitrary<{ type: Type; value: MaterializedValue }> = typed(
      fc.oneof(dataType, placedDataType),
    );
    fc.assert(
      fc.property(around, fc.option(fc.constant('x'), { nil: null }), ({ type, value }, name) => {
        const of = int32(5000);
        const pairs: [MaterializedValue, Type][] = [
          [value, type],
          [
            { kind: 'struct', elements: [large, value] },
            structOf([
              { name, type: of },
              { name: null, type },
            ]),
          ],
          [{ kind: 'sequence', elements: [large, large] }, sequence(of)],
          [{ kind: 'federated', members: [large] }, federated(of, 'clients', true)],
        ];
        for (const pair of pairs) {
          const message = toValueMessage(...pair);
          const pieces = encodeValueMessage(message);
          const bytes = joinPieces(pieces);
          expect(bytes.length).toBe(pieces.length);
          const again = toBinary(ValueSchema, fromBinary(ValueSchema, bytes));
          expect(Buffer.compare(again, toBinary(ValueSchema, message))).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
    const pieces = encodeValueMessage(toValueMessage(large, int32(5000)));
    expect(pieces.pieces.some(({ buffer }) => buffer === large.data.buffer)).toBe(true);
  });

  it('take an unknown size from their data', () => {
    const value = new TensorValue('int32', [2], Int32Array.of(1, 2));
    expect(String(crossed(value, int32(null)).type)).toBe('int32[2]');
  });

  it('keep the names of a type, whatever is placed in it', () => {
    const type = struct({ a: atClients(struct({ b: int32() })), c: sequence(struct([string()])) });
    const value: MaterializedValue = {
      kind: 'struct',
      elements: [
        { kind: 'federated', members: [{ kind: 'struct', elements: [int(1)] }] },
        { kind: 'sequence', elements: [] },
      ],
    };
    expect(String(crossed(value, type).type)).toBe(String(type));
  });

  it('are blocks if they are no data', () => {
    const block = lambda('x', int32(), reference('x', int32()));
    const message = blockToValueMessage(block);
    expect(fromValueMessage(message)).toEqual({ kind: 'block', block });
  });

  it.each<[string, MaterializedValue, Type]>([
    ['a tensor for a struct', int(1), struct([int32()])],
    ['a struct of another length', { kind: 'struct', elements: [] }, struct([int32()])],
    [
      'a sequence that can be read once',
      { kind: 'sequence', elements: new Set([int(1)]) },
      sequence(int32()),
    ],
    ['unplaced data for placed', int(1), atClients(int32())],
    [
      'a struct of another length in a sequence',
      { kind: 'sequence', elements: [{ kind: 'struct', elements: [] }] },
      sequence(struct([int32()])),
    ],
  ])('are refused with %s', (_what, value, type) => {
    expect(() => toValueMessage(value, type)).toThrow(
      expect.objectContaining({ code: 'value.wrong_structure' }),
    );
  });
});

describe('values from outside', () => {
  const array: Init = { value: { case: 'array', value: toArrayMessage(int(1), 'content') } };
  const clients = (allEqual: boolean, ...value: Init[]): Init => {
    const { type } = toTypeMessage(federated(int32(), 'clients', allEqual));
    if (type.case !== 'federated') throw new TypeError('no federated type');
    return { value: { case: 'federated', value: { type: type.value, value } } };
  };
  const elements = (type: Type, ...counts: number[]): Init => ({
    value: {
      case: 'sequence',
      value: {
        elementType: toTypeMessage(type),
        element: counts.map((count) => ({
          flatValue: Array.from({ length: count }, () => toArrayMessage(int(1), 'content')),
        })),
      },
    },
  });

  it.each<[string, Init, string]>([
    ['nothing', {}, 'graph.decode'],
    [
      'a struct element without value',
      { value: { case: 'struct', value: { element: [{}] } } },
      'graph.decode',
    ],
    [
      'a computation in a struct',
      {
        value: {
          case: 'struct',
          value: {
            element: [
              { value: blockToValueMessage(lambda('x', int32(), reference('x', int32()))) },
            ],
          },
        },
      },
      'graph.decode',
    ],
    [
      'two elements of one name',
      {
        value: {
          case: 'struct',
          value: {
            element: [
              { name: 'a', value: array },
              { name: 'a', value: array },
            ],
          },
        },
      },
      'type.invalid',
    ],
    ['an empty computation', { value: { case: 'computation', value: {} } }, 'graph.decode'],
    ['a federated value without type', { value: { case: 'federated', value: {} } }, 'graph.decode'],
    ['two members that are equal', clients(true, array, array), 'graph.decode'],
    ['no member that is equal', clients(true), 'graph.decode'],
    ['a placed member', clients(false, clients(false, array)), 'type.not_assignable'],
    [
      'a sequence without type',
      { value: { case: 'sequence', value: { element: [] } } },
      'graph.decode',
    ],
    ['too few tensors in an element', elements(struct([int32(), int32()]), 2, 1), 'graph.decode'],
    ['too many tensors in an element', elements(struct([int32(), int32()]), 2, 3), 'graph.decode'],
    ['elements of another type', elements(string(), 1), 'type.not_assignable'],
    ['a sequence of functions', elements(parseType('(int32 -> int32)')), 'type.invalid'],
    ['a sequence of placed values', elements(atClients(int32()), 1), 'type.invalid'],
  ])('are refused with %s', (_what, init, code) => {
    expect(codeOf(init)).toBe(code);
  });

  it('cannot stand for far more than their bytes', () => {
    // 100,000 structs in each of 100,000 elements, of two bytes each.
    const hollow = struct(Array.from({ length: 100_000 }, () => struct([])));
    const many = elements(hollow, ...new Array<number>(100_000).fill(0));
    expect(codeOf(many)).toBe('graph.too_large');
    expect(codeOf(elements(int32(), 1, 1, 1), { maxNodes: 3 })).toBe('graph.too_large');
    expect(codeOf(elements(int32(), 1, 1), { maxNodes: 3 })).toBe('read');
    const none = { kind: 'struct', elements: [] } as const;
    const constant = literal(
      { kind: 'sequence', elements: new Array<MaterializedValue>(100_000).fill(none) },
      sequence(hollow),
    );
    expect(() => decodeBlock(encodeBlock(constant))).toThrow(
      expect.objectContaining({ code: 'graph.too_large' }),
    );
  });

  it('cannot be nested without end, whoever parsed them', () => {
    let nested: Init = array;
    for (let level = 0; level < 5000; level++) {
      nested = {
        $typeName: 'tensorflow_federated.v0.Value',
        value: {
          case: 'struct',
          value: {
            $typeName: 'tensorflow_federated.v0.Value.Struct',
            element: [
              {
                $typeName: 'tensorflow_federated.v0.Value.Struct.Element',
                name: '',
                value: nested as never,
              },
            ],
          },
        },
      };
    }
    expect(() => fromValueMessage(nested as never)).toThrow(
      expect.objectContaining({ code: 'graph.too_large' }),
    );
  });
});

describe('a large tensor in memory that was received', () => {
  const lengths = { uint8: 40_001, float32: 10_007, int64: 5_003 } as const;
  const tensorOf = (dtype: keyof typeof lengths): TensorValue => {
    const length = lengths[dtype];
    if (dtype === 'int64') {
      return new TensorValue(
        dtype,
        [length],
        BigInt64Array.from({ length }, (_, i) => BigInt(-i)),
      );
    }
    return dtype === 'uint8'
      ? new TensorValue(
          dtype,
          [length],
          Uint8Array.from({ length }, (_, i) => i),
        )
      : new TensorValue(
          dtype,
          [length],
          Float32Array.from({ length }, (_, i) => i / 3),
        );
  };
  const tensors = Object.keys(lengths).flatMap((dtype) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((shift) => [dtype as keyof typeof lengths, shift] as const),
  );

  it.each(tensors)('of %s is not copied, wherever it begins (%d)', (dtype, shift) => {
    const [before, tensor, after] = [int(7), tensorOf(dtype), int(8)];
    const type = struct([int32(), parseType(`${dtype}[${lengths[dtype]}]`), int32()]);
    const sent = toBinary(
      ValueSchema,
      toValueMessage({ kind: 'struct', elements: [before, tensor, after] }, type),
    );
    const memory = new Uint8Array(shift + sent.length);
    memory.set(sent, shift);
    const message = fromBinary(ValueSchema, markReceived(memory).subarray(shift));
    for (let reading = 0; reading < 2; reading += 1) {
      const received = fromValueMessage(message);
      if (received.kind !== 'data' || received.value.kind !== 'struct') throw new TypeError('none');
      const [first, kept, last] = received.value.elements as TensorValue[];
      expect([first?.scalar(), last?.scalar()]).toEqual([7, 8]);
      expect(kept?.data).toEqual(tensor.data);
      expect(ArrayBuffer.isView(kept?.data) && kept.data.buffer).toBe(memory.buffer);
    }
  });

  it('is copied out of memory that is not said to be received, or holds much else', () => {
    const tensor = tensorOf('float32');
    const type = parseType('float32[10007]');
    const sent = toBinary(ValueSchema, toValueMessage(tensor, type));
    const roomy = new Uint8Array(3 * sent.length);
    roomy.set(sent);
    for (const bytes of [sent, markReceived(roomy).subarray(0, sent.length)]) {
      const received = fromValueMessage(fromBinary(ValueSchema, bytes));
      if (received.kind !== 'data' || received.value.kind !== 'tensor') throw new TypeError('none');
      expect(received.value.data).toEqual(tensor.data);
      expect((received.value.data as Float32Array).buffer).not.toBe(bytes.buffer);
    }
  });
});
