/**
 * @file Lies to six clients, and every single combination of what four and five can be told, so that
 * nobody has to believe that the lies left out of the quick suite come to the same as others.
 */

import { describe, expect, test } from 'vitest';
import type { ByzantineCase } from '../../protocols/secagg/simulator/byzantine/answers.ts';
import {
  breachOf,
  campaign,
  describeCase,
  getsAllSums,
  representatives,
  securedCases,
} from '../../protocols/secagg/simulator/byzantine/cases.ts';
import { sizeOf } from '../../protocols/secagg/simulator/byzantine/sets.ts';

const named = (cases: readonly ByzantineCase[]): [string, ByzantineCase][] =>
  cases.map((given) => [describeCase(given), given]);

test.each(named([...securedCases(5), ...representatives(6)]))(
  '%s: no lie gives a sum of too few',
  (_, given) => {
    const found = campaign(given);
    expect(breachOf(found)).toBeUndefined();
    expect(getsAllSums(found)).toBe(true);
  },
);

describe('every combination of what clients can be told gives no more', () => {
  const few = representatives(5).filter(
    ({ threshold, corrupt }) => threshold + sizeOf(corrupt) > 4,
  );
  test.each(named([...representatives(4), ...few]))('%s', (_, given) => {
    const all = campaign(given, { every: true });
    expect(breachOf(all)).toBeUndefined();
    const some = campaign(given).findings;
    expect([...all.findings.together].sort()).toEqual([...some.together].sort());
  });
});

test('with 2t = n + C an input of five clients is had', () => {
  const found = campaign({ clients: 5, threshold: 3, corrupt: 0b10000, corruptBound: 0 });
  expect([...found.findings.sums].map(sizeOf)).toContain(1);
  expect(getsAllSums(found)).toBe(true);
});
