import { describe, expect, it } from 'vitest';
import {
  compactNotation,
  FederatedTypeError,
  parseType,
  requireConcreteInstance,
} from '../../../computations/types/index.ts';

const check = (concrete: string, generic: string): Record<string, string> =>
  Object.fromEntries(
    [...requireConcreteInstance(parseType(concrete), parseType(generic), 'The intrinsic f')].map(
      ([label, type]) => [label, compactNotation(type)],
    ),
  );

const AGGREGATE = '(<{T}@CLIENTS,U,(<U,T> -> U),(<U,U> -> U),(U -> R)> -> R@SERVER)';

describe('requireConcreteInstance', () => {
  it.each([
    ['({int32}@CLIENTS -> int32@SERVER)', '({T}@CLIENTS -> T@SERVER)', { T: 'int32' }],
    ['(<{<a=int32>}@CLIENTS> -> bool)', '(<{T}@CLIENTS> -> bool)', { T: '<a=int32>' }],
    ['( -> float32)', '( -> T)', { T: 'float32' }],
    ['(int32* -> int32*)', '(T* -> T*)', { T: 'int32' }],
    [
      '(<(int32 -> float32),{int32}@CLIENTS> -> {float32}@CLIENTS)',
      '(<(T -> U),{T}@CLIENTS> -> {U}@CLIENTS)',
      { T: 'int32', U: 'float32' },
    ],
    ['(placement -> int32)', '(placement -> T)', { T: 'int32' }],
  ])('binds the variables of %s', (concrete, generic, bindings) => {
    expect(check(concrete, generic)).toEqual(bindings);
  });

  it('lets a use be wider than the definition', () => {
    const concrete =
      '(<{int32[3]}@CLIENTS,int32[0],(<int32[?],int32[3]> -> int32[?]),(<int32[?],int32[?]> -> int32[?]),(int32[?] -> bool)> -> bool@SERVER)';
    // U is defined by zero (int32[0]) and by the result of accumulate (in a parameter: odd nesting).
    expect(() => check(concrete, AGGREGATE)).toThrow(
      /U stands for both int32\[0\] and int32\[\?\]/,
    );
    expect(check('(int32[3] -> int32[?])', '(T -> T)')).toEqual({ T: 'int32[3]' });
    expect(() => check('(int32[?] -> int32[3])', '(T -> T)')).toThrow(
      /T stands for int32\[\?\], which is not assignable to int32\[3\]/,
    );
  });

  it.each([
    ['({int32}@CLIENTS -> int32@SERVER)', '(T@CLIENTS -> T@SERVER)', 'all_equal'],
    ['({int32}@SERVER -> int32@SERVER)', '({T}@CLIENTS -> T@SERVER)', 'placement'],
    ['(<int32,int32> -> int32)', '(<T> -> T)', 'length'],
    ['(<a=int32> -> int32)', '(<b=T> -> T)', 'element names'],
    ['(<int32> -> int32)', '(<a=T> -> T)', 'element names'],
    ['(int32 -> int32)', '( -> T)', 'parameter'],
    ['( -> int32)', '(T -> T)', 'parameter'],
    ['int32*', '(T -> T)', 'kind'],
    ['(int32 -> int32)', 'T*', 'kind'],
    ['(int32 -> int64)', '(T -> int32)', 'type'],
    ['(int32[3] -> int32[3])', '(int32[?] -> T)', 'type'],
  ])('refuses %s for %s by its %s', (concrete, generic, aspect) => {
    expect(() => check(concrete, generic)).toThrow(`in its ${aspect}`);
  });

  it('refuses two uses of a variable that no parameter defines', () => {
    expect(check('int32', 'T')).toEqual({ T: 'int32' });
    expect(() => check('<int32,int32>', '<T,T>')).toThrow(/T is used twice/);
  });

  it('refuses a concrete type with a variable in it, and takes an opaque type as concrete', () => {
    expect(() => check('(T -> T)', '(T -> T)')).toThrow(/type variable is left/);
    expect(check('(mask_state -> int32)', '(T -> int32)')).toEqual({ T: 'mask_state' });
    expect(check('(mask_state -> int32)', '(mask_state -> T)')).toEqual({ T: 'int32' });
    expect(() => check('(other_state -> int32)', '(mask_state -> T)')).toThrow(/type/);
  });

  it('shows both types and the owner', () => {
    try {
      check('({int32}@CLIENTS -> float32@SERVER)', '({T}@CLIENTS -> T@SERVER)');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(FederatedTypeError);
      const typed = error as FederatedTypeError;
      expect(typed.code).toBe('type.not_concrete');
      expect(typed.expected).toBe('({T}@CLIENTS -> T@SERVER)');
      expect(typed.given).toBe('({int32}@CLIENTS -> float32@SERVER)');
      expect(typed.message).toContain('The intrinsic f');
      expect(typed.message).toContain('T stands for int32');
    }
  });
});
