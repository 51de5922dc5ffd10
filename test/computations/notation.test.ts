import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BuildingBlock,
  block,
  call,
  compiled,
  data,
  intrinsic,
  lambda,
  literal,
  placement,
  reference,
  selection,
  structBlock,
} from '../../computations/building-blocks.ts';
import { printBlock, printIndented } from '../../computations/notation.ts';
import {
  atClients,
  atServer,
  bool,
  FederatedTypeError,
  func,
  int32,
  sequence,
  struct,
  type Type,
  toMaterialized,
} from '../../computations/types/index.ts';
import { anyBlock } from '../arbitraries/blocks.ts';

const x = reference('x', int32());
const pair = reference('p', struct({ a: int32(), b: bool() }));
const f = reference('f', func(int32(), int32()));
const g = reference('g', func(null, int32()));
const constant = (plain: unknown, type: Type): BuildingBlock =>
  literal(toMaterialized(plain, type, 'x'), type);
const unnamed = (...values: BuildingBlock[]): BuildingBlock =>
  structBlock(values.map((value) => ({ name: null, value })));
const graph = {
  version: 1,
  kernelSet: 1,
  unknowns: 0,
  parameters: [],
  constants: [],
  nodes: [],
  results: [],
};

describe('the notation of building blocks', () => {
  it.each<[string, BuildingBlock]>([
    ['x', x],
    ['(x -> x)', lambda('x', int32(), x)],
    ['( -> x)', lambda(null, null, x)],
    ['f(x)', call(f, x)],
    ['g()', call(g)],
    [
      '<a=x,x>',
      structBlock([
        { name: 'a', value: x },
        { name: null, value: x },
      ]),
    ],
    ['<>', structBlock([])],
    ['p.a', selection(pair, 'a')],
    ['p.b', selection(pair, 1)],
    ['<x,x>[1]', selection(unnamed(x, x), 1)],
    [
      '(let a=x,b=a in b)',
      block(
        [
          { name: 'a', value: x },
          { name: 'b', value: reference('a', int32()) },
        ],
        reference('b', int32()),
      ),
    ],
    ['comp#double', compiled('double', graph, func(null, struct([])))],
    ['federated_sum', intrinsic('federated_sum', func(atClients(int32()), atServer(int32())))],
    ['data#file:///x', data('file:///x', int32())],
    ['CLIENTS', placement('clients')],
    ['5', constant(5, int32())],
    ['[1, 2]', constant([1, 2], int32(2))],
    ['<1,true>', constant({ a: 1, b: true }, struct({ a: int32(), b: bool() }))],
    ['[…]', constant([1], sequence(int32()))],
  ])('prints %s', (text, node) => {
    expect(printBlock(node)).toBe(text);
  });

  it('spreads over lines', () => {
    const node = lambda(
      'x',
      int32(),
      block([{ name: 'y', value: call(f, x) }], unnamed(x, lambda(null, null, x))),
    );
    expect(printIndented(node)).toBe(
      [
        '(x ->',
        '  (let',
        '    y=f(x)',
        '   in <',
        '    x,',
        '    ( ->',
        '      x',
        '    )',
        '  >)',
        ')',
      ].join('\n'),
    );
  });

  it('is the same over several lines, but for white space', () => {
    const bare = (text: string): string => text.replaceAll(/\s/g, '');
    fc.assert(
      fc.property(anyBlock, (node) => {
        expect(bare(printIndented(node))).toBe(bare(printBlock(node)));
      }),
      { numRuns: 200 },
    );
  });
});

describe('constructors', () => {
  it.each<[string, () => BuildingBlock, string]>([
    ['a selection from a tensor', () => selection(x, 0), 'type.wrong_kind'],
    ['a selection by a name that is not there', () => selection(pair, 'c'), 'type.wrong_kind'],
    ['a selection out of range', () => selection(pair, 2), 'type.wrong_kind'],
    ['a selection before the first', () => selection(pair, -1), 'type.wrong_kind'],
    ['a call of a tensor', () => call(x, x), 'type.wrong_kind'],
    ['a call without its argument', () => call(f), 'type.arity'],
    ['a call with an argument too many', () => call(g, x), 'type.arity'],
    ['a call with an argument of another type', () => call(f, pair), 'type.not_assignable'],
    [
      'a struct with a name twice',
      () =>
        structBlock([
          { name: 'a', value: x },
          { name: 'a', value: x },
        ]),
      'type.invalid',
    ],
  ])('refuse %s', (_what, make, code) => {
    expect(make).toThrow(FederatedTypeError);
    expect(make).toThrow(expect.objectContaining({ code }));
  });
});
