import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import {
  FederatedTypeError,
  FedloomError,
  parseType,
  TensorValue,
} from '../../../computations/types/index.ts';
import { ArraySchema } from '../../../computations/wire/gen/federated_language/proto/array_pb.ts';
import {
  ComputationSchema,
  TypeSchema,
} from '../../../computations/wire/gen/federated_language/proto/computation_pb.ts';
import { DataType } from '../../../computations/wire/gen/federated_language/proto/data_type_pb.ts';
import {
  decodeBlock,
  decodeTensor,
  decodeType,
  encodeBlock,
  KERNEL_GRAPH_URL,
  toArrayMessage,
  toTypeMessage,
} from '../../../computations/wire/index.ts';

type ComputationInit = MessageInitShape<typeof ComputationSchema>;
type Variant = NonNullable<ComputationInit['computation']>;

const computation = (type: string | null, variant: Variant): ComputationInit => ({
  ...(type === null ? {} : { type: toTypeMessage(parseType(type)) }),
  computation: variant,
});
const reference = (name: string, type: string): ComputationInit =>
  computation(type, { case: 'reference', value: { name } });
const literal = (type: string, value: TensorValue): ComputationInit =>
  computation(type, { case: 'literal', value: { value: toArrayMessage(value, 'list') } });
const one = new TensorValue('int32', [], new Int32Array([1]));

const decode = (init: ComputationInit): BuildingBlock =>
  decodeBlock(toBinary(ComputationSchema, create(ComputationSchema, init)));
const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof FedloomError) return error.code;
    throw error;
  }
  return 'none';
};

describe('building blocks from outside', () => {
  it.each<[string, ComputationInit, string]>([
    ['no type', computation(null, { case: 'intrinsic', value: { uri: 'f' } }), 'graph.decode'],
    [
      'an empty type',
      { type: {}, computation: { case: 'intrinsic', value: { uri: 'f' } } },
      'graph.decode',
    ],
    ['nothing', computation('int32', { case: undefined }), 'graph.decode'],
    ['XLA', computation('( -> int32)', { case: 'xla', value: {} }), 'graph.decode'],
    ['no graph', computation('( -> int32)', { case: 'tensorflow', value: {} }), 'graph.decode'],
    [
      'a graph of another kind',
      computation('( -> int32)', {
        case: 'tensorflow',
        value: {
          graphDef: {
            typeUrl: 'type.googleapis.com/tensorflow.GraphDef',
            value: new Uint8Array(0),
          },
        },
      }),
      'graph.decode',
    ],
    [
      'a graph of garbage',
      computation('( -> int32)', {
        case: 'tensorflow',
        value: { graphDef: { typeUrl: KERNEL_GRAPH_URL, value: new Uint8Array([255, 1, 2]) } },
      }),
      'graph.decode',
    ],
    [
      'data of an unknown kind',
      computation('int32', {
        case: 'data',
        value: { data: { case: 'content', value: { typeUrl: 'x' } } },
      }),
      'graph.decode',
    ],
    ['data without origin', computation('int32', { case: 'data', value: {} }), 'graph.decode'],
    ['a call without function', computation('int32', { case: 'call', value: {} }), 'graph.decode'],
    [
      'a lambda without result',
      computation('( -> int32)', { case: 'lambda', value: {} }),
      'graph.decode',
    ],
    [
      'a literal without value',
      computation('int32', { case: 'literal', value: {} }),
      'graph.decode',
    ],
    ['an unbound name', reference('x', 'int32'), 'type.unbound_reference'],
    [
      'a name that is bound later',
      computation('int32', {
        case: 'block',
        value: {
          local: [
            { name: 'a', value: reference('b', 'int32') },
            { name: 'b', value: literal('int32', one) },
          ],
          result: reference('a', 'int32'),
        },
      }),
      'type.unbound_reference',
    ],
    [
      'a name out of its scope',
      computation('<(int32 -> int32),int32>', {
        case: 'struct',
        value: {
          element: [
            {
              value: computation('(int32 -> int32)', {
                case: 'lambda',
                value: { parameterName: 'x', result: reference('x', 'int32') },
              }),
            },
            { value: reference('x', 'int32') },
          ],
        },
      }),
      'type.unbound_reference',
    ],
    [
      'a local without name',
      computation('int32', {
        case: 'block',
        value: { local: [{ value: literal('int32', one) }], result: literal('int32', one) },
      }),
      'graph.decode',
    ],
    [
      'a reference of another type',
      computation('(int32 -> bool)', {
        case: 'lambda',
        value: { parameterName: 'x', result: reference('x', 'bool') },
      }),
      'type.not_assignable',
    ],
    [
      'a lambda of another type',
      computation('(int32 -> bool)', {
        case: 'lambda',
        value: { parameterName: 'x', result: reference('x', 'int32') },
      }),
      'type.not_assignable',
    ],
    [
      'a lambda that is no function',
      computation('int32', {
        case: 'lambda',
        value: { parameterName: 'x', result: literal('int32', one) },
      }),
      'type.wrong_kind',
    ],
    [
      'a lambda without the name of its parameter',
      computation('(int32 -> int32)', { case: 'lambda', value: { result: literal('int32', one) } }),
      'type.wrong_kind',
    ],
    [
      'a selection out of range',
      computation('int32', {
        case: 'selection',
        value: {
          index: 1,
          source: computation('<int32>', {
            case: 'struct',
            value: { element: [{ value: literal('int32', one) }] },
          }),
        },
      }),
      'type.wrong_kind',
    ],
    [
      'a negative selection',
      computation('int32', {
        case: 'selection',
        value: {
          index: -1,
          source: computation('<int32>', {
            case: 'struct',
            value: { element: [{ value: literal('int32', one) }] },
          }),
        },
      }),
      'type.wrong_kind',
    ],
    [
      'a selection from a tensor',
      computation('int32', {
        case: 'selection',
        value: { index: 0, source: literal('int32', one) },
      }),
      'type.wrong_kind',
    ],
    [
      'a struct of other names',
      computation('<a=int32>', {
        case: 'struct',
        value: { element: [{ name: 'b', value: literal('int32', one) }] },
      }),
      'type.not_assignable',
    ],
    [
      'a call of a tensor',
      computation('int32', { case: 'call', value: { function: literal('int32', one) } }),
      'type.wrong_kind',
    ],
    [
      'a call with a wrong argument',
      computation('bool', {
        case: 'call',
        value: {
          function: computation('(bool -> bool)', { case: 'intrinsic', value: { uri: 'not' } }),
          argument: literal('int32', one),
        },
      }),
      'type.not_assignable',
    ],
    [
      'a call without argument',
      computation('bool', {
        case: 'call',
        value: {
          function: computation('(bool -> bool)', { case: 'intrinsic', value: { uri: 'not' } }),
        },
      }),
      'type.arity',
    ],
    ['a literal of another type', literal('bool', one), 'value.wrong_type'],
    ['a literal of another shape', literal('int32[2]', one), 'value.wrong_shape'],
    ['a literal that is no tensor by its type', literal('<int32>', one), 'value.wrong_structure'],
    [
      'a placement of another type',
      computation('int32', { case: 'placement', value: { uri: 'clients' } }),
      'type.not_assignable',
    ],
  ])('are refused with %s', (_what, init, code) => {
    expect(codeOf(() => decode(init))).toBe(code);
  });

  it('are judged by the rule for intrinsics', () => {
    const bytes = encodeBlock(
      decode(computation('( -> int32)', { case: 'intrinsic', value: { uri: 'f' } })),
    );
    const seen: string[] = [];
    decodeBlock(bytes, { intrinsicTypeRule: (uri, type) => seen.push(`${uri}: ${type}`) });
    expect(seen).toEqual(['f: ( -> int32)']);
    const refuse = (): never => {
      throw new FederatedTypeError('type.unknown_intrinsic', 'no f here');
    };
    expect(() => decodeBlock(bytes, { intrinsicTypeRule: refuse })).toThrow('no f here');
  });

  it('are refused beyond the limits', () => {
    const bytes = encodeBlock(decode(literal('int32', one)));
    expect(() => decodeBlock(bytes, { maxBytes: bytes.length - 1 })).toThrow(
      expect.objectContaining({ code: 'graph.too_large' }),
    );
    expect(decodeBlock(bytes, { maxBytes: bytes.length, maxDepth: 4 }).kind).toBe('literal');
    expect(() => decodeBlock(bytes, { maxDepth: 2 })).toThrow(
      expect.objectContaining({ code: 'graph.decode' }),
    );
  });

  it('take time in proportion to their size, however many names are in scope', () => {
    const identity = computation('(int32 -> int32)', {
      case: 'lambda',
      value: { parameterName: 'x', result: reference('x', 'int32') },
    });
    const local = Array.from({ length: 30_000 }, (_, i) => ({ name: `f${i}`, value: identity }));
    const node = decode(
      computation('(int32 -> int32)', { case: 'block', value: { local, result: identity } }),
    );
    expect(node.kind).toBe('block');
  });

  it('cannot exhaust the stack', () => {
    const int32Type = Uint8Array.from([0x22, 2, 0x08, 3]);
    // Type.struct.element.value and Computation.call.function, over and over.
    const types = (levels: number): Uint8Array => nest(int32Type, levels, [0x12, 0x0a, 0x12]);
    const calls = (levels: number): Uint8Array => nest(new Uint8Array(0), levels, [0x3a, 0x0a]);
    expect(decodeType(types(160)).kind).toBe('struct');
    expect(codeOf(() => decodeType(types(170)))).toBe('graph.decode');
    expect(codeOf(() => decodeType(types(5000)))).toBe('graph.decode');
    expect(codeOf(() => decodeType(types(5000), { maxDepth: 1e9 }))).toBe('graph.decode');
    expect(codeOf(() => decodeBlock(calls(5000)))).toBe('graph.decode');
    expect(codeOf(() => decodeBlock(calls(5000), { maxDepth: 1e9 }))).toBe('graph.decode');
  });
});

describe('types from outside', () => {
  type Init = NonNullable<MessageInitShape<typeof TypeSchema>['type']>;
  const tensor = (dims: bigint[], unknownRank = false): Init => ({
    case: 'tensor',
    value: { dtype: DataType.DT_INT32, dims, unknownRank },
  });
  it.each<[string, Init, string]>([
    ['a size below -1', tensor([-2n]), 'graph.decode'],
    ['a size that no number holds', tensor([2n ** 60n]), 'graph.decode'],
    ['sizes and an unknown rank', tensor([2n], true), 'graph.decode'],
    ['no dtype', { case: 'tensor', value: {} }, 'graph.decode'],
    [
      'a dtype that we lack',
      { case: 'tensor', value: { dtype: DataType.DT_HALF } },
      'graph.decode',
    ],
    [
      'a struct element without type',
      { case: 'struct', value: { element: [{ name: 'a' }] } },
      'graph.decode',
    ],
    [
      'a name that is none',
      { case: 'struct', value: { element: [{ name: 'a b', value: { type: tensor([]) } }] } },
      'type.invalid',
    ],
    ['a sequence of nothing', { case: 'sequence', value: {} }, 'graph.decode'],
    [
      'a sequence of sequences',
      {
        case: 'sequence',
        value: {
          element: { type: { case: 'sequence', value: { element: { type: tensor([]) } } } },
        },
      },
      'type.invalid',
    ],
    ['a function without result', { case: 'function', value: {} }, 'graph.decode'],
    [
      'a value at a variable',
      {
        case: 'federated',
        value: {
          placement: { placement: { case: 'label', value: { label: 'p' } } },
          member: { type: tensor([]) },
        },
      },
      'graph.decode',
    ],
    [
      'a value at no place',
      { case: 'federated', value: { member: { type: tensor([]) } } },
      'graph.decode',
    ],
    [
      'a placement that prints like another',
      {
        case: 'federated',
        value: {
          placement: { placement: { case: 'value', value: { uri: 'CLIENTS' } } },
          member: { type: tensor([]) },
        },
      },
      'type.invalid',
    ],
    ['a label that is a dtype', { case: 'abstract', value: { label: 'int32' } }, 'type.invalid'],
    ['a label that is empty', { case: 'abstract', value: {} }, 'type.invalid'],
  ])('are refused with %s', (_what, type, code) => {
    const bytes = toBinary(TypeSchema, create(TypeSchema, { type }));
    expect(codeOf(() => decodeType(bytes))).toBe(code);
  });
});

describe('tensors from outside', () => {
  type Init = MessageInitShape<typeof ArraySchema>;
  const { DT_INT32, DT_BOOL, DT_UINT8, DT_INT64, DT_STRING, DT_DOUBLE } = DataType;
  it.each<[string, Init]>([
    ['a dtype that we lack', { dtype: DT_DOUBLE, shape: { dim: [] } }],
    ['an unknown rank', { dtype: DT_INT32, shape: { unknownRank: true } }],
    ['a negative size', { dtype: DT_INT32, shape: { dim: [-1n] } }],
    [
      'too few elements',
      { dtype: DT_INT32, shape: { dim: [2n] }, kind: { case: 'int32List', value: { value: [1] } } },
    ],
    ['no elements', { dtype: DT_INT32, shape: { dim: [2n] } }],
    [
      'elements of another dtype',
      {
        dtype: DT_INT32,
        shape: { dim: [1n] },
        kind: { case: 'int64List', value: { value: [1n] } },
      },
    ],
    [
      'elements twice',
      {
        dtype: DT_INT32,
        shape: { dim: [1n] },
        content: new Uint8Array(4),
        kind: { case: 'int32List', value: { value: [1] } },
      },
    ],
    ['part of an element', { dtype: DT_INT64, shape: { dim: [1n] }, content: new Uint8Array(7) }],
    [
      'a shape that is far larger',
      { dtype: DT_INT32, shape: { dim: [2n ** 40n, 2n ** 12n] }, content: new Uint8Array(4) },
    ],
    [
      'a byte above 255',
      {
        dtype: DT_UINT8,
        shape: { dim: [1n] },
        kind: { case: 'uint8List', value: { value: [256] } },
      },
    ],
    ['a bool that is 2', { dtype: DT_BOOL, shape: { dim: [1n] }, content: new Uint8Array([2]) }],
    ['raw strings', { dtype: DT_STRING, shape: { dim: [1n] }, content: new Uint8Array(1) }],
    [
      'strings that are not UTF-8',
      {
        dtype: DT_STRING,
        shape: { dim: [1n] },
        kind: { case: 'stringList', value: { value: [new Uint8Array([0xff])] } },
      },
    ],
  ])('are refused with %s', (_what, init) => {
    const bytes = toBinary(ArraySchema, create(ArraySchema, init));
    expect(codeOf(() => decodeTensor(bytes))).toBe('graph.decode');
  });
});

/** `inner` inside `levels` times the fields of the given tags, outermost first. */
function nest(inner: Uint8Array, levels: number, tags: readonly number[]): Uint8Array {
  const prefixes: number[] = [];
  let length = inner.length;
  for (let level = 0; level < levels; level++) {
    for (const tag of tags.toReversed()) {
      const prefix = [tag, ...varint(length)];
      length += prefix.length;
      prefixes.push(...prefix.reverse());
    }
  }
  return Uint8Array.from([...prefixes.reverse(), ...inner]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}
