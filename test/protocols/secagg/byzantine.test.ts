/**
 * @file A server that lies in every way there is to cohorts of three to five clients, in the active
 * model over a complete graph (Bonawitz et al. 2017): it never gets a sum of fewer honest clients than
 * the threshold less the corrupt ones, whatever thresholds are secure and whoever is corrupt.
 */

import { describe, expect, test } from 'vitest';
import { AnswerBook, type ByzantineCase } from './simulator/byzantine/answers.ts';
import {
  breachOf,
  campaign,
  describeCase,
  getsAllSums,
  representatives,
  securedCases,
} from './simulator/byzantine/cases.ts';
import { optionsOf } from './simulator/byzantine/lies.ts';
import { isWithin, membersOf, setOf, sizeOf, subsetsOf } from './simulator/byzantine/sets.ts';

const named = (cases: readonly ByzantineCase[]): [string, ByzantineCase][] =>
  cases.map((given) => [describeCase(given), given]);

// Of five clients one case for each number of corrupt ones; all of them are in the slow suite.
const cases = [...securedCases(3), ...securedCases(4), ...representatives(5)];

describe('no lie gives a sum of too few, and the truth gives one of all', () => {
  test.each(named(cases))('%s', (_, given) => {
    const found = campaign(given);
    expect(breachOf(found)).toBeUndefined();
    const everyone = setOf(Array(given.clients).keys()) & ~given.corrupt;
    expect([...found.findings.sums]).toContain(everyone);
    expect(getsAllSums(found)).toBe(true);
  });
});

test.each(named(securedCases(3)))('%s: no lie was left out', (_, given) => {
  const all = campaign(given, { every: true }).findings;
  const some = campaign(given).findings;
  expect(some.lies).toBeLessThan(all.lies);
  expect([...some.together].sort()).toEqual([...all.together].sort());
});

test('shares are given for enough true signatures of survivors, and for nothing else', () => {
  const given = { clients: 4, threshold: 3, corrupt: 0b1000 };
  const book = new AnswerBook(given);
  const everyone = 0b1111;
  let refused = 0;
  for (const [client, { confirmed }] of optionsOf(book)) {
    const own = 1 << client;
    for (const told of confirmed) {
      const dealt = told.present & book.honest & ~own;
      for (const signers of subsetsOf(everyone)) {
        const enough = sizeOf(signers | own) >= given.threshold;
        const right = enough && isWithin(signers & ~own, told.alive);
        const answer = book.unmaskSigned(client, told, dealt, signers);
        expect(answer.kind).toBe(right ? 'given' : 'refused');
        if (!right) continue;
        for (const other of membersOf(signers & ~own)) {
          for (const alive of subsetsOf(everyone)) {
            const keys = told.keys;
            if (alive === told.alive) continue;
            const statements = membersOf(signers).map((signer) =>
              book.signature(signer, keys, signer === other ? alive : told.alive),
            );
            expect(book.unmask(client, told, dealt, { from: signers, statements })).toEqual({
              kind: 'refused',
              code: 'bad-signature',
            });
            refused += 1;
          }
        }
      }
    }
  }
  expect(refused).toBeGreaterThan(100);
});

test('a signature under other keys is none', () => {
  const book = new AnswerBook({ clients: 4, threshold: 3, corrupt: 0 });
  const told = { keys: 0b0111, present: 0b0111, alive: 0b0111 };
  const statements = [1, 2].map((signer) => book.signature(signer, 0b1111, told.alive));
  expect(book.unmask(0, told, 0b0110, { from: 0b0110, statements })).toEqual({
    kind: 'refused',
    code: 'bad-signature',
  });
});

describe('the attack works', () => {
  test.each([
    [
      'three clients, one corrupt, none reckoned with',
      { clients: 3, threshold: 2, corrupt: 0b100 },
    ],
    ['four clients, two corrupt, one reckoned with', { clients: 4, threshold: 3, corrupt: 0b1001 }],
  ])('with 2t = n + C, %s: an input is had', (_, { clients, threshold, corrupt }) => {
    const corruptBound = sizeOf(corrupt) - 1;
    const found = campaign({ clients, threshold, corrupt, corruptBound });
    expect(2 * threshold).toBe(clients + sizeOf(corrupt));
    expect(breachOf(found)).toBeDefined();
    const singles = [...found.findings.sums].filter((sum) => sizeOf(sum) === 1);
    expect(singles.length).toBeGreaterThan(0);
    expect(getsAllSums(found)).toBe(true);
    for (const sum of singles) {
      const [client] = membersOf(sum);
      const lie = found.findings.examples.get(sum)!;
      expect(found.attacker.unmask(lie, sum)).toEqual(found.book.inputs[client!]);
    }
  });

  test('on clients that skip the consistency check: two hide each other where three should', () => {
    const given = { clients: 5, threshold: 3, corrupt: 0 };
    const everyone = 0b11111;
    const found = campaign(given, {
      unchecked: true,
      among: ({ keys, present, alive }) =>
        (keys & present) === everyone && (alive === 0 || sizeOf(alive) === 3),
    });
    expect(breachOf(found)).toBeDefined();
    expect([...found.findings.sums].map(sizeOf)).toContain(2);
    expect(getsAllSums(found)).toBe(true);
  });
});
