import { toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  data,
  intrinsic,
  lambda,
  literal,
  placement,
  reference,
  selection,
  structBlock,
} from '../../../computations/building-blocks.ts';
import { printBlock } from '../../../computations/notation.ts';
import {
  atClients,
  federated,
  func,
  int32,
  isIdentical,
  parseType,
  sequence,
  struct,
  TensorValue,
  type Type,
  tensor,
  toMaterialized,
} from '../../../computations/types/index.ts';
import { ComputationSchema } from '../../../computations/wire/gen/federated_language/proto/computation_pb.ts';
import {
  contentHash,
  decodeBlock,
  decodeTensor,
  decodeType,
  encodeBlock,
  encodeTensor,
  encodeType,
  toComputationMessage,
} from '../../../computations/wire/index.ts';
import { anyBlock } from '../../arbitraries/blocks.ts';
import { anyType, staticTensorType, tensorValueOf } from '../../arbitraries/types.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('types', () => {
  it('come back from their bytes', () => {
    fc.assert(
      fc.property(anyType, (type) => {
        const bytes = encodeType(type);
        expect(decodeType(bytes)).toEqual(type);
        expect(hex(encodeType(decodeType(bytes)))).toBe(hex(bytes));
      }),
      { numRuns: 500 },
    );
  });
});

describe('tensors', () => {
  it.each(['list', 'content'] as const)('come back from their bytes as a %s', (form) => {
    fc.assert(
      fc.property(
        staticTensorType.chain((type) => tensorValueOf(type)),
        (value) => {
          const back = decodeTensor(encodeTensor(value, form));
          expect(back.dtype).toBe(value.dtype);
          expect(back.shape).toEqual(value.shape);
          expect(back.data).toEqual(value.data);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keep the extremes of each dtype', () => {
    const extremes = [
      new TensorValue('bool', [2], new Uint8Array([0, 1])),
      new TensorValue('uint8', [2], new Uint8Array([0, 255])),
      new TensorValue('int32', [2], new Int32Array([-(2 ** 31), 2 ** 31 - 1])),
      new TensorValue('int64', [2], new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n])),
      new TensorValue(
        'float32',
        [5],
        new Float32Array([
          -0,
          1e-45,
          Number.POSITIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
          Number.NaN,
        ]),
      ),
      new TensorValue('string', [3], ['', '\u0000', '\ufeff🙂']),
      new TensorValue('float32', [0, 7], new Float32Array(0)),
      new TensorValue('string', [0], []),
    ];
    for (const value of extremes) {
      for (const form of ['list', 'content'] as const) {
        const { dtype, shape, data: elements } = decodeTensor(encodeTensor(value, form));
        expect({ dtype, shape, elements }).toEqual({
          dtype,
          shape: value.shape,
          elements: value.data,
        });
      }
    }
  });

  it('are not tied to the buffer that they come from', () => {
    const bytes = encodeTensor(new TensorValue('int32', [1], new Int32Array([7])));
    const value = decodeTensor(bytes);
    bytes.fill(0);
    expect(value.data[0]).toBe(7);
  });

  it('refuse text that UTF-8 does not hold', () => {
    const value = new TensorValue('string', [1], ['a\ud800']);
    expect(() => encodeTensor(value)).toThrow(
      expect.objectContaining({ code: 'value.wrong_type' }),
    );
  });
});

describe('building blocks', () => {
  it('come back from their bytes', () => {
    fc.assert(
      fc.property(anyBlock, (node) => {
        const bytes = encodeBlock(node);
        const back = decodeBlock(bytes);
        expect(isIdentical(back.type, node.type)).toBe(true);
        expect(printBlock(back)).toBe(printBlock(splitStructs(node)));
        expect(hex(encodeBlock(back))).toBe(hex(bytes));
        expect(contentHash(back)).toBe(contentHash(node));
      }),
      { numRuns: 300 },
    );
  });

  it('keep every kind', () => {
    const member = struct({ a: int32(), b: tensor('float32', [null, 2]) });
    const placed = atClients(member);
    const x = reference('x', placed);
    const kinds: readonly BuildingBlock[] = [
      lambda('x', placed, x),
      lambda(null, null, data('file:///d', member)),
      lambda('s', member, selection(reference('s', member), 'b')),
      call(intrinsic('federated_value_at_clients', func(null, placed))),
      structBlock([
        { name: 'p', value: placement('clients') },
        {
          name: null,
          value: literal(new TensorValue('bool', [], new Uint8Array([1])), parseType('bool')),
        },
      ]),
      block(
        [{ name: 'y', value: data('d', federated(int32(), 'aggregator', false)) }],
        reference('y', federated(int32(), 'aggregator', false)),
      ),
      lambda('k', parseType('secret_key'), reference('k', parseType('secret_key'))),
    ];
    for (const node of kinds) expect(decodeBlock(encodeBlock(node))).toEqual(node);
  });

  it('keep a constant sequence, of structs too', () => {
    const type = sequence(struct({ a: int32(), b: tensor('string', [2]) }));
    const value = toMaterialized(
      [
        { a: 1, b: ['x', 'y'] },
        { a: 2, b: ['', 'z'] },
      ],
      type,
      'x',
    );
    const node = literal(value, type);
    expect(decodeBlock(encodeBlock(node))).toEqual(node);
  });

  it('refuse a constant that can be read once only', () => {
    const type = sequence(int32());
    const value = toMaterialized(new Set([1, 2]), type, 'x');
    expect(() => encodeBlock(literal(value, type))).toThrow(
      expect.objectContaining({ code: 'value.wrong_structure' }),
    );
  });

  it('have the fields and the bytes of federated_language', () => {
    // (x -> federated_sum(x)) on {int32}@CLIENTS, field by field.
    const type = atClients(int32());
    const sum = intrinsic('federated_sum', func(type, federated(int32(), 'server', true)));
    const node = lambda('x', type, call(sum, reference('x', type)));
    expect(toComputationMessage(node)).toMatchObject({
      type: { type: { case: 'function' } },
      computation: {
        case: 'lambda',
        value: {
          parameterName: 'x',
          result: {
            computation: {
              case: 'call',
              value: {
                function: { computation: { case: 'intrinsic', value: { uri: 'federated_sum' } } },
                argument: { computation: { case: 'reference', value: { name: 'x' } } },
              },
            },
          },
        },
      },
    });
    const int32Bytes = '22020803'; // Type.tensor = 4 { dtype = 1: DT_INT32 (3) }
    const clients = `0a0b12090a07${Buffer.from('clients').toString('hex')}`;
    const server = `0a0a12080a06${Buffer.from('server').toString('hex')}`;
    const atClientsBytes = `3a13${clients}1a04${int32Bytes}`;
    const atServerBytes = `3a14${server}10011a04${int32Bytes}`;
    expect(hex(encodeType(type))).toBe(atClientsBytes);
    expect(hex(encodeType(federated(int32(), 'server', true)))).toBe(atServerBytes);
    expect(hex(toBinary(ComputationSchema, toComputationMessage(reference('x', type))))).toBe(
      `0a15${atClientsBytes}32030a0178`,
    );
  });
});

/** The block with each literal of a struct as a struct of literals, as the wire has it. */
function splitStructs(node: BuildingBlock): BuildingBlock {
  switch (node.kind) {
    case 'literal': {
      const { value, type } = node;
      if (value.kind !== 'struct' || type.kind !== 'struct') return node;
      return structBlock(
        type.elements.map((element, i) => ({
          name: element.name,
          value: splitStructs(literal(value.elements[i] as typeof value, element.type as Type)),
        })),
      );
    }
    case 'selection':
      return selection(splitStructs(node.source), node.index);
    case 'struct':
      return structBlock(
        node.elements.map(({ name, value }) => ({ name, value: splitStructs(value) })),
      );
    case 'call':
      return call(
        splitStructs(node.function),
        node.argument === null ? null : splitStructs(node.argument),
      );
    case 'lambda':
      return { ...node, result: splitStructs(node.result) };
    case 'block':
      return block(
        node.locals.map(({ name, value }) => ({ name, value: splitStructs(value) })),
        splitStructs(node.result),
      );
    default:
      return node;
  }
}
