import { describe, expect, it } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  data,
  intrinsic,
  lambda,
  literal,
  reference,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import { federatedComputation } from '../../computations/federated-computation.ts';
import { typecheckBlock } from '../../computations/typecheck.ts';
import {
  atClients,
  bool,
  FedloomError,
  func,
  int32,
  parseType,
  sequence,
  struct,
  TensorValue,
  type Type,
  toMaterialized,
} from '../../computations/types/index.ts';
import { contentHash, decodeBlock, encodeBlock } from '../../computations/wire/index.ts';
import { federatedSecureSumBitwidth } from '../../intrinsics/index.ts';
import { intrinsicTypeRule } from '../../intrinsics/table.ts';

const codeOf = (node: BuildingBlock): string => {
  try {
    typecheckBlock(node, { intrinsicTypeRule });
  } catch (error) {
    if (error instanceof FedloomError) return error.code;
    throw error;
  }
  return 'none';
};
const one = literal(new TensorValue('int32', [], new Int32Array([1])), int32());
const x = (type: Type): BuildingBlock => reference('x', type);

describe('typecheckBlock', () => {
  it('accepts what the language traces', () => {
    const f = federatedComputation([atClients(struct({ a: int32(2), b: int32() }))], (v) =>
      federatedSecureSumBitwidth(v.a, 16),
    );
    expect(codeOf(f.buildingBlock)).toBe('none');
    const back = decodeBlock(encodeBlock(f.buildingBlock), { intrinsicTypeRule });
    expect(contentHash(back)).toBe(contentHash(f.buildingBlock));
  });

  it('lets an inner name hide an outer one', () => {
    const inner = lambda('x', bool(), x(bool()));
    const node = lambda(
      'x',
      int32(),
      structBlock([
        { name: null, value: inner },
        { name: null, value: x(int32()) },
      ]),
    );
    expect(codeOf(node)).toBe('none');
    const shadowed = block(
      [
        { name: 'x', value: one },
        { name: 'x', value: structBlock([{ name: null, value: x(int32()) }]) },
      ],
      x(struct([int32()])),
    );
    expect(codeOf(shadowed)).toBe('none');
  });

  it.each<[string, BuildingBlock, string]>([
    ['a free name', x(int32()), 'type.unbound_reference'],
    [
      'a name that a sibling binds',
      structBlock([
        { name: null, value: lambda('x', int32(), x(int32())) },
        { name: null, value: x(int32()) },
      ]),
      'type.unbound_reference',
    ],
    [
      'a local that sees itself',
      block([{ name: 'x', value: x(int32()) }], one),
      'type.unbound_reference',
    ],
    ['a name of another type', lambda('x', int32(), x(bool())), 'type.not_assignable'],
    [
      'a stated type that does not follow',
      { ...selection(structBlock([{ name: null, value: one }]), 0), type: bool() },
      'type.not_assignable',
    ],
    [
      'a call that was changed',
      { ...call(intrinsic('f', func(null, int32()))), argument: one },
      'type.unknown_intrinsic',
    ],
    [
      'an argument that was changed',
      {
        ...call(
          lambda('x', bool(), x(bool())),
          literal(new TensorValue('bool', [], new Uint8Array(1)), bool()),
        ),
        argument: one,
      },
      'type.not_assignable',
    ],
    [
      'an intrinsic of another type',
      intrinsic('federated_sum', parseType('({int32}@CLIENTS -> {int32}@CLIENTS)')),
      'type.not_concrete',
    ],
    [
      'an intrinsic that its rule refuses',
      intrinsic('federated_sum', parseType('({bool}@CLIENTS -> bool@SERVER)')),
      'type.sum_incompatible',
    ],
    [
      'a literal of another type',
      literal(new TensorValue('int32', [], new Int32Array(1)), bool()),
      'value.wrong_type',
    ],
    [
      'a literal that lacks elements',
      literal(new TensorValue('int32', [2], new Int32Array(1)), int32(2)),
      'value.wrong_structure',
    ],
    [
      'a literal of a shorter struct',
      literal({ kind: 'struct', elements: [] }, struct([int32()])),
      'value.wrong_structure',
    ],
    [
      'a literal of a sequence of something else',
      literal(toMaterialized([1], sequence(int32()), 'x'), sequence(bool())),
      'value.wrong_type',
    ],
    [
      'a literal that is placed',
      literal(toMaterialized([1], atClients(int32()), 'x'), atClients(int32())),
      'value.wrong_structure',
    ],
  ])('refuses %s', (_what, node, code) => {
    expect(codeOf(node)).toBe(code);
  });

  it('accepts data of any type, and literals of sequences and structs', () => {
    const type = struct({ a: sequence(int32()), b: bool() });
    expect(codeOf(data('d', type))).toBe('none');
    expect(codeOf(literal(toMaterialized({ a: [1, 2], b: true }, type, 'x'), type))).toBe('none');
  });
});
