import { describe, expect, it } from 'vitest';
import { parameterNames, readParameters } from '../../computations/parameter-names.ts';

const source = (text: string) => ({ toString: () => text });

describe('parameter names', () => {
  it.each<[string, readonly (string | null)[]]>([
    ['(x, y) => x', ['x', 'y']],
    ['x => x + (y, z)', ['x']],
    ['async x => x', ['x']],
    ['async (x, y) => x', ['x', 'y']],
    ['function (x) {}', ['x']],
    ['function name(x, y) {}', ['x', 'y']],
    ['function* name(x) {}', ['x']],
    ['async function name(x) {}', ['x']],
    ['method(x, y) { return (a, b); }', ['x', 'y']],
    ['() => (x, y)', []],
    ['( ) => 1', []],
    ['(x = f(1, 2), y = [3, 4], z = ")") => x', ['x', 'y', 'z']],
    ['({ a, b }, [c, d], e) => e', [null, null, 'e']],
    ['(x, /* the model, as sent */ y, // and, (more)\n z) => x', ['x', 'y', 'z']],
    ['($x, _y) => 1', [null, '_y']],
    ['(x, y,) => 1', ['x', 'y']],
    ['function () { [native code] }', []],
    ['class A { constructor(x) {} }', []],
  ])('of %j are %j', (text, names) => {
    expect(readParameters(source(text)).names).toEqual(names);
    expect(parameterNames(source(text), names.length)).toEqual(names);
  });

  it('are null where there is no parameter', () => {
    expect(parameterNames((x: unknown) => x, 3)).toEqual(['x', null, null]);
  });

  it('tell a rest parameter from a pattern with a rest', () => {
    expect(readParameters(source('(x, ...others) => x')).rest).toBe(true);
    expect(readParameters(source('(...all) => all')).rest).toBe(true);
    expect(readParameters(source('([x, ...others]) => x')).rest).toBe(false);
    expect(readParameters(source('({ x, ...others }) => x')).rest).toBe(false);
    expect(readParameters(source('(x = f(...y)) => x')).rest).toBe(false);
  });
});
