import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  abstract,
  atClients,
  atServer,
  bool,
  compactNotation,
  FederatedTypeError,
  federated,
  float32,
  formattedNotation,
  func,
  int32,
  int64,
  isIdentical,
  parseType,
  placementType,
  sequence,
  string,
  struct,
  structOf,
  type Type,
  tensorOfShape,
  uint8,
} from '../../../computations/types/index.ts';
import { anyType } from '../../arbitraries/types.ts';

// The first block is what TensorFlow Federated prints for the same types.
const NOTATIONS: readonly (readonly [string, Type])[] = [
  ['float32[10]', float32(10)],
  ['int32[?,3]', int32(null, 3)],
  [
    '<a=int32,float32>',
    structOf([
      { name: 'a', type: int32() },
      { name: null, type: float32() },
    ]),
  ],
  ['<x=float32,y=int32>*', sequence(struct({ x: float32(), y: int32() }))],
  ['(<int32,int32> -> int32)', func(struct([int32(), int32()]), int32())],
  ['( -> int32)', func(null, int32())],
  ['{<int32,<float32>>}@CLIENTS', atClients(struct([int32(), struct([float32()])]))],
  ['int32@CLIENTS', atClients(int32(), { allEqual: true })],
  ['{int32}@SERVER', federated(int32(), 'server', false)],

  ['int32@SERVER', atServer(int32())],
  ['int32[*]', tensorOfShape('int32', null)],
  ['bool', bool()],
  ['uint8[16]', uint8(16)],
  ['int64[0,?]', int64(0, null)],
  ['string', string()],
  ['<>', struct([])],
  ['{int32*}@CLIENTS', atClients(sequence(int32()))],
  ['((int32 -> bool) -> ( -> T))', func(func(int32(), bool()), func(null, abstract('T')))],
  [
    '(placement -> {int32}@AGGREGATOR)',
    func(placementType, federated(int32(), 'aggregator', false)),
  ],
];

describe('compact notation', () => {
  it.each(NOTATIONS)('prints and reads %s', (notation, type) => {
    expect(compactNotation(type)).toBe(notation);
    expect(String(type)).toBe(notation);
    expect(parseType(notation)).toEqual(type);
  });

  it('reads back every type that it prints', () => {
    fc.assert(
      fc.property(anyType, (type) => {
        const read = parseType(compactNotation(type));
        expect(isIdentical(read, type)).toBe(true);
        expect(read).toEqual(type);
      }),
      { numRuns: 500 },
    );
  });

  it('allows white space between tokens, and str for string', () => {
    expect(parseType(' ( < a = int32 [ 2 , ? ] , str > ->\n{ bool * } @ CLIENTS ) ')).toEqual(
      parseType('(<a=int32[2,?],string> -> {bool*}@CLIENTS)'),
    );
  });

  it.each([
    ['', 'a type', 0],
    ['int32]', 'the end', 5],
    ['int32[', "a dimension or '?'", 6],
    ['int32[2', "']'", 7],
    ['int32[-1]', "a dimension or '?'", 6],
    ['int32[*', "']'", 7],
    ['<int32', "'>'", 6],
    ['<int32,>', 'a type', 7],
    ['(int32)', "'->'", 6],
    ['(int32 -> )', 'a type', 10],
    ['{int32}', "'@'", 7],
    ['{int32}@', 'a placement', 8],
    ['int32 int32', 'the end', 6],
    ['3', 'a type', 0],
  ])('refuses %j: expected %s at %i', (notation, expected, position) => {
    expect(() => parseType(notation)).toThrow(FederatedTypeError);
    expect(() => parseType(notation)).toThrow(`Expected ${expected} at position ${position}`);
  });

  it.each(['{int32@SERVER}@CLIENTS', '{( -> int32)}@CLIENTS', 'int32**', '<a=int32,a=int32>'])(
    'refuses %s, which is no type',
    (notation) => {
      expect(() => parseType(notation)).toThrow(expect.objectContaining({ code: 'type.invalid' }));
    },
  );

  it('refuses sizes that no number holds exactly', () => {
    expect(() => parseType('int32[99999999999999999999]')).toThrow(FederatedTypeError);
  });

  it('bounds the nesting of a hostile notation', () => {
    for (const opening of ['<', '(', '{', '<a=', '( -> ']) {
      expect(() => parseType(opening.repeat(100_000))).toThrow(/at most 200 levels/);
    }
  });

  it('never fails on any text but with a type error', () => {
    const soup = fc.array(
      fc.constantFrom(
        '<',
        '>',
        '(',
        ')',
        '->',
        '{',
        '}',
        '@',
        'CLIENTS',
        'int32',
        '[',
        ']',
        '*',
        '?',
        ',',
        '=',
        'a',
        '3',
        ' ',
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(soup, (tokens) => {
        try {
          const type = parseType(tokens.join(''));
          expect(parseType(compactNotation(type))).toEqual(type);
        } catch (error) {
          expect(error).toBeInstanceOf(FederatedTypeError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatted notation', () => {
  it('puts the elements of structs on lines of their own', () => {
    const type = func(
      atClients(struct({ a: int32(), b: struct([bool(), float32(2)]) })),
      sequence(struct([])),
    );
    expect(formattedNotation(type)).toBe(
      '({<\n  a=int32,\n  b=<\n    bool,\n    float32[2]\n  >\n>}@CLIENTS -> <>*)',
    );
  });

  it('differs from the compact notation by white space only', () => {
    fc.assert(
      fc.property(anyType, (type) => {
        expect(formattedNotation(type).replaceAll(/\n\s*/g, '')).toBe(compactNotation(type));
      }),
    );
  });
});
