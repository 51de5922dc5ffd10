import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  abstract,
  atClients,
  childTypes,
  compactNotation,
  type Dimension,
  FederatedTypeError,
  federated,
  func,
  int32,
  isAssignable,
  isEquivalent,
  isIdentical,
  isType,
  parseType,
  requireAssignable,
  sequence,
  struct,
  structOf,
  type Type,
  tensor,
  tensorOfShape,
} from '../../../computations/types/index.ts';
import { anyType } from '../../arbitraries/types.ts';

const assignable = (target: string, source: string): boolean =>
  isAssignable(parseType(target), parseType(source));

describe('isAssignable', () => {
  it.each([
    ['int32', 'int32'],
    ['int32[?]', 'int32[3]'],
    ['int32[?,2]', 'int32[?,2]'],
    ['int32[*]', 'int32'],
    ['int32[*]', 'int32[?,2]'],
    ['int32[*]', 'int32[*]'],
    ['<a=int32>', '<int32>'],
    ['<a=int32>', '<a=int32>'],
    ['<>', '<>'],
    ['int32[?]*', 'int32[3]*'],
    ['{int32}@CLIENTS', 'int32@CLIENTS'],
    ['(int32[3] -> int32[?])', '(int32[?] -> int32[3])'],
    ['((int32[?] -> bool) -> bool)', '((int32[3] -> bool) -> bool)'],
    ['placement', 'placement'],
    ['T', 'T'],
  ])('%s <- %s', (target, source) => {
    expect(assignable(target, source)).toBe(true);
  });

  it.each([
    ['int64', 'int32'],
    ['int32[3]', 'int32[?]'],
    ['int32[3]', 'int32[4]'],
    ['int32', 'int32[1]'],
    ['int32[?]', 'int32[*]'],
    ['<int32>', '<a=int32>'],
    ['<a=int32>', '<b=int32>'],
    ['<int32>', '<int32,int32>'],
    ['<int32>', 'int32'],
    ['int32[3]*', 'int32[?]*'],
    ['int32@CLIENTS', '{int32}@CLIENTS'],
    ['int32@SERVER', 'int32@CLIENTS'],
    ['int32@SERVER', 'int32'],
    ['(int32 -> int32)', '( -> int32)'],
    ['( -> int32)', '(int32 -> int32)'],
    ['(int32[?] -> int32)', '(int32[3] -> int32)'],
    ['(int32 -> int32[3])', '(int32 -> int32[?])'],
    ['((int32[3] -> bool) -> bool)', '((int32[?] -> bool) -> bool)'],
    ['T', 'U'],
    ['T', 'int32'],
    ['placement', 'T'],
  ])('not %s <- %s', (target, source) => {
    expect(assignable(target, source)).toBe(false);
  });

  it('is reflexive', () => {
    fc.assert(
      fc.property(anyType, (type) => {
        expect(isAssignable(type, parseType(compactNotation(type)))).toBe(true);
        expect(isEquivalent(type, type)).toBe(true);
      }),
    );
  });

  it('takes a narrowed type for the type, and functions of them the other way round', () => {
    fc.assert(
      fc.property(withNarrower, ([wide, narrow]) => {
        expect(isAssignable(wide, narrow)).toBe(true);
        expect(isAssignable(func(narrow, int32()), func(wide, int32()))).toBe(true);
        expect(isAssignable(func(wide, int32()), func(narrow, int32()))).toBe(
          isAssignable(narrow, wide),
        );
        expect(isEquivalent(wide, narrow)).toBe(isAssignable(narrow, wide));
      }),
      { numRuns: 500 },
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(
        withNarrower.chain(([wide, middle]) =>
          narrowed(middle).map((narrow) => [wide, middle, narrow] as const),
        ),
        ([wide, middle, narrow]) => {
          expect(isAssignable(middle, narrow)).toBe(true);
          expect(isAssignable(wide, narrow)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('calls types identical if their notation is the same, and only then', () => {
    fc.assert(
      fc.property(fc.oneof(fc.tuple(anyType, anyType), withNarrower), ([a, b]) => {
        expect(isIdentical(a, b)).toBe(compactNotation(a) === compactNotation(b));
        expect(isIdentical(a, parseType(compactNotation(a)))).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(isIdentical(parseType('<a=int32>'), struct({ a: int32() }))).toBe(true);
    expect(isIdentical(parseType('<a=int32>'), parseType('<int32>'))).toBe(false);
  });
});

describe('requireAssignable', () => {
  it.each([
    ['int64', 'int32', 'cast int32 to int64'],
    ['int32@SERVER', '{int32}@CLIENTS', 'The value is placed at CLIENTS'],
    ['int32@CLIENTS', '{int32}@CLIENTS', 'an equal value at all clients is expected'],
    ['{int64}@CLIENTS', '{int32}@CLIENTS', 'cast int32 to int64'],
    ['int32', 'int32@SERVER', 'use federatedMap'],
    ['int32@SERVER', 'int32', 'use federatedValue'],
    ['<int32>', '<int32,int32>', 'given:    <int32,int32>'],
  ])('%s <- %s says what to do', (target, source, hint) => {
    const attempt = (): void =>
      requireAssignable(parseType(target), parseType(source), 'argument 1 of f');
    expect(attempt).toThrow(hint);
    expect(attempt).toThrow(/^\[type.not_assignable\] argument 1 of f/);
    expect(attempt).toThrow(
      expect.objectContaining({ code: 'type.not_assignable', expected: target, given: source }),
    );
  });
});

describe('constructors', () => {
  it.each<[string, () => unknown]>([
    ['a negative size', () => int32(-1)],
    ['a broken size', () => int32(1.5)],
    ['a size that is no number', () => tensorOfShape('int32', [Number.NaN])],
    ['a struct with a name that is none', () => struct({ 'a b': int32() })],
    ['a struct of something else', () => struct({ a: 3 as unknown as Type })],
    ['a constructor that was not called', () => struct([int32 as unknown as Type])],
    ['a struct with a name twice', () => structOf([element('a'), element('a')])],
    ['a sequence of sequences', () => sequence(sequence(int32()))],
    ['a sequence of functions', () => sequence(struct([func(null, int32())]))],
    ['a placed value of placed values', () => atClients(atClients(int32()))],
    ['a placed function', () => atClients(func(null, int32()))],
    ['a placement in capitals', () => federated(int32(), 'CLIENTS', true)],
    ['an abstract type named like a dtype', () => abstract('int32')],
    ['an abstract type named like another type', () => abstract('placement')],
    ['an abstract type with a broken label', () => abstract('a-b')],
  ])('refuse %s', (_what, make) => {
    expect(make).toThrow(FederatedTypeError);
    expect(make).toThrow(expect.objectContaining({ code: 'type.invalid' }));
  });

  it('make immutable types that are recognised', () => {
    fc.assert(
      fc.property(anyType, (type) => {
        expect(isType(type)).toBe(true);
        expect(Object.isFrozen(type)).toBe(true);
        expect(childTypes(type).every(isType)).toBe(true);
        expect(isType({ ...type })).toBe(false);
      }),
    );
  });
});

const element = (name: string) => ({ name, type: int32() });

const withNarrower: fc.Arbitrary<readonly [Type, Type]> = anyType.chain((wide) =>
  narrowed(wide).map((narrow) => [wide, narrow] as const),
);

/** A type that is assignable to `type`. */
function narrowed(type: Type): fc.Arbitrary<Type> {
  switch (type.kind) {
    case 'tensor': {
      if (type.shape === null) {
        const sizes = fc.array(fc.option(fc.nat(3)), { maxLength: 3 });
        return fc.option(sizes).map((shape) => tensorOfShape(type.dtype, shape));
      }
      const sizes = type.shape.map(
        (size): fc.Arbitrary<Dimension> =>
          size === null ? fc.option(fc.nat(3)) : fc.constant(size),
      );
      return fc.tuple(...sizes).map((shape) => tensor(type.dtype, shape));
    }
    case 'struct':
      return fc
        .tuple(
          ...type.elements.map((each) =>
            fc.tuple(fc.constantFrom(null, each.name), narrowed(each.type)),
          ),
        )
        .map((elements) => structOf(elements.map(([name, inner]) => ({ name, type: inner }))));
    case 'sequence':
      return narrowed(type.element).map(sequence);
    case 'function':
      return narrowed(type.result).map((result) => func(type.parameter, result));
    case 'federated':
      return fc
        .tuple(narrowed(type.member), fc.boolean())
        .map(([member, allEqual]) => federated(member, type.placement, type.allEqual || allEqual));
    default:
      return fc.constant(type);
  }
}
