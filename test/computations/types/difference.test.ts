/** @file The first difference of two types, and its mark in their notation. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compactNotation,
  explainDifference,
  firstDifference,
  isAssignable,
  parseType,
  type Type,
} from '../../../computations/types/index.ts';
import { partAt, printPath, spanOf, type TypePath } from '../../../computations/types/type-path.ts';
import { anyType } from '../../arbitraries/types.ts';

const explain = (target: string, source: string): string =>
  explainDifference(parseType(target), parseType(source));

describe('firstDifference', () => {
  it('finds one exactly where a type is not assignable', () => {
    fc.assert(
      fc.property(anyType, anyType, (target, source) => {
        expect(firstDifference(target, source) === null).toBe(isAssignable(target, source));
        expect(firstDifference(target, target)).toBeNull();
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['<a=int32,b=<c=bool>>', '<a=int32,b=<c=int32>>', '.b.c', 'dtype'],
    ['<int32,<int32,float32[2]>>', '<int32,<int32,float32[3]>>', '[1][1]', 'shape'],
    ['{<a=int32>*}@CLIENTS', '{<a=int64>*}@CLIENTS', '[*].a', 'dtype'],
    ['(<x=int32> -> bool)', '(<x=int64> -> bool)', 'parameter.x', 'dtype'],
    ['(int32 -> <b=bool>)', '(int32 -> <b=int32>)', 'result.b', 'dtype'],
    ['int32@SERVER', '{int32}@CLIENTS', '', 'placement'],
    ['int32@CLIENTS', '{int32}@CLIENTS', '', 'all_equal'],
    ['<a=int32,b=int32>', '<a=int32,c=int32>', '', 'element_name'],
    ['<a=int32,b=int32>', '<a=int32>', '', 'element_count'],
    ['( -> int32)', '(int32 -> int32)', '', 'arity'],
    ['T', 'U', '', 'label'],
    ['int32', '<int32>', '', 'kind'],
  ])('%s <- %s', (target, source, path, aspect) => {
    const found = firstDifference(parseType(target), parseType(source));
    expect(found?.aspect).toBe(aspect);
    expect(printPath(found?.path ?? [])).toBe(path);
  });
});

describe('spanOf', () => {
  it('gives every part of a type its place in the notation', () => {
    fc.assert(
      fc.property(anyType, (type) => {
        const text = compactNotation(type);
        for (const path of paths(type)) {
          const { start, end } = spanOf(type, path);
          expect(text.slice(start, end)).toBe(compactNotation(partAt(type, path)));
        }
      }),
    );
  });
});

describe('explainDifference', () => {
  it.each([
    [
      '<w=float32[784,10],b=float32[10]>',
      '<w=float32[784,10],b=float32[1]>',
      `
  expected: <w=float32[784,10],b=float32[10]>
                                        ^^^^
  given:    <w=float32[784,10],b=float32[1]>
                                        ^^^ .b: shape [1] instead of shape [10]`,
    ],
    [
      '<w=float32,b=float32,m=float32>',
      '<w=float32,m=float32>',
      `
  expected: <w=float32,b=float32,m=float32>
                       ^
  given:    <w=float32,m=float32>
                       ^ .b: 'm' instead of 'b'
  Missing: b.`,
    ],
    [
      '<a=int32,b=int32>',
      '<a=int32>',
      `
  expected: <a=int32,b=int32>
                     ^
  given:    <a=int32>
                    ^ .b: missing
  Missing: b.`,
    ],
    [
      '<a=int32,b=int32>',
      '<b=int32,a=int32>',
      `
  expected: <a=int32,b=int32>
             ^
  given:    <b=int32,a=int32>
             ^ .a: 'b' instead of 'a'
  The elements of a struct are ordered; put them in the order a, b.`,
    ],
    [
      'int32[3]',
      'int32[?]',
      `
  expected: int32[3]
                 ^^^
  given:    int32[?]
                 ^^^ shape [?] instead of shape [3]
  A size that is not known before the data arrives (?) does not fit a known one. State it in the type of the value, or expect null there.`,
    ],
  ])('%s <- %s', (target, source, lines) => {
    expect(`\n${explain(target, source)}`).toBe(lines);
  });

  it('cuts a long notation to the part that differs', () => {
    const layers = (type: string): string =>
      `<${Array.from({ length: 40 }, (_, i) => `layer${i}=${i === 20 ? type : 'float32[64,64]'}`).join(',')}>`;
    const lines = explain(layers('float32[64,64]'), layers('float32[64,32]')).split('\n');
    for (const line of lines.slice(0, 4)) expect(line.length).toBeLessThan(160);
    for (const [text, marks] of [
      [lines[0], lines[1]],
      [lines[2], lines[3]],
    ]) {
      const start = marks?.indexOf('^') ?? 0;
      const end = (marks?.lastIndexOf('^') ?? 0) + 1;
      expect(text?.slice(start, end)).toMatch(/^\[64,(64|32)\]$/);
      expect(text).toMatch(/^ {2}(expected: |given: {4})….*layer20=.*…$/);
    }
    expect(lines[3]).toContain('.layer20: shape [64,32] instead of shape [64,64]');
  });
});

function paths(type: Type): TypePath[] {
  const below = (step: TypePath[number], part: Type): TypePath[] =>
    paths(part).map((path) => [step, ...path]);
  switch (type.kind) {
    case 'struct':
      return [
        [],
        ...type.elements.flatMap(({ name, type: element }, index) =>
          below({ kind: 'element', index, name }, element),
        ),
      ];
    case 'sequence':
      return [[], ...below({ kind: 'each' }, type.element)];
    case 'federated':
      return [[], ...below({ kind: 'member' }, type.member)];
    case 'function':
      return [
        [],
        ...(type.parameter === null ? [] : below({ kind: 'parameter' }, type.parameter)),
        ...below({ kind: 'result' }, type.result),
      ];
    default:
      return [[]];
  }
}
