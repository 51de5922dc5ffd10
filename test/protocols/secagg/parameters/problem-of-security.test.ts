import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type GivenParameters,
  problemOfSecurity,
  secAggParameters,
  type WantedSecurity,
} from '../../../../protocols/index.ts';

const wanted: WantedSecurity = { securityBits: 40, corruptRate: 0.05 };
const sparse: GivenParameters = {
  clients: 1000,
  roster: 1000,
  model: 'active',
  graph: 'sparse',
  neighbours: 77,
  threshold: 52,
};
const complete: GivenParameters = {
  clients: 10,
  roster: 10,
  model: 'active',
  graph: 'complete',
  neighbours: 9,
  threshold: 6,
};

const messageOf = (given: GivenParameters, changed: Partial<WantedSecurity> = {}) =>
  problemOfSecurity(given, { ...wanted, ...changed })?.message;

describe('what a client says of the parameters that it is given', () => {
  it('is nothing where they are secure', () => {
    expect(problemOfSecurity(sparse, wanted)).toBeUndefined();
    expect(problemOfSecurity(complete, wanted)).toBeUndefined();
    expect(messageOf({ ...sparse, threshold: 60 })).toBeUndefined();
  });

  it('names a threshold that would do', () => {
    expect(problemOfSecurity({ ...complete, threshold: 5 }, wanted)).toEqual({
      code: 'insecure-parameters',
      message:
        'a threshold of 5 of 10 shares lets the server alone put together the secrets that hide a client: take a threshold of at least 6',
    });
    expect(messageOf({ ...sparse, threshold: 45 })).toMatch(/take a threshold of at least 52$/);
  });

  it('names neighbours that would do where no threshold does', () => {
    expect(messageOf({ ...sparse, neighbours: 40, threshold: 27 })).toMatch(
      /take at least 77 neighbours, with a threshold of at least 52$/,
    );
  });

  it('names the complete graph where no number of neighbours does', () => {
    const dense = { ...sparse, clients: 60, roster: 60, neighbours: 20, threshold: 15 };
    expect(messageOf(dense, { corruptRate: 0.3, dropoutRate: 0.3 })).toMatch(
      /take the complete graph, with a threshold of at least 40$/,
    );
  });

  it('says that nothing does', () => {
    expect(messageOf(sparse, { corruptRate: 0.4, dropoutRate: 0.4 })).toMatch(
      /no sparse graph of 1000 clients hides a client among 2 honest ones with 400 corrupt, 400 lost: lower/,
    );
    expect(messageOf(complete, { corruptRate: 0.95 })).toBe(
      'a cohort of 10 with 9 corrupt leaves fewer than 2 honest clients to hide among: lower the corrupt rate or take a larger cohort',
    );
    expect(
      messageOf({ ...complete, threshold: 7 }, { corruptRate: 0.5, dropoutRate: 0.3 }),
    ).toMatch(/a threshold of 8 would be secure but not with 3 lost, so lower the dropout rate$/);
  });

  it('depends on the roster: the server picks the cohort', () => {
    expect(messageOf({ ...sparse, roster: 10_000 })).toMatch(/500 of 1000 clients corrupt/);
    expect(messageOf({ ...complete, roster: 60 })).toMatch(/3 of 10 clients corrupt.*at least 7$/);
  });

  it('depends on how many are there to choose among', () => {
    expect(messageOf({ ...sparse, clients: 900 })).toBeUndefined();
    expect(messageOf({ ...sparse, clients: 600 })).toMatch(
      /50 of 600 clients corrupt put together the secrets/,
    );
  });

  it('depends on the honest clients that are to be in a sum', () => {
    const { leastHonestInSum } = secAggParameters({ clients: 1000 });
    expect(messageOf(sparse, { leastHonestInSum })).toBeUndefined();
    expect(messageOf(sparse, { leastHonestInSum: 700 })).toMatch(
      /a sum of fewer than 700 honest clients.*: take (a threshold of )?at least \d+/,
    );
    expect(messageOf(complete, { leastHonestInSum: 7 })).toMatch(
      /a sum of fewer than 7 honest clients: take a threshold of at least 7$/,
    );
  });

  it('is right in graphs of the other models', () => {
    const ring = { ...sparse, model: 'semi-honest', neighbours: 30, threshold: 17 } as const;
    const rates = { dropoutRate: 0.05 };
    expect(messageOf(ring, rates)).toBeUndefined();
    expect(messageOf({ ...ring, threshold: 16 }, rates)).toMatch(/at least 17$/);
    expect(messageOf({ ...ring, model: 'semi-malicious' }, rates)).toMatch(
      /take at least 52 neighbours, with a threshold of at least 37$/,
    );
    const torn = { ...ring, neighbours: 16, threshold: 16 };
    expect(messageOf(torn, rates)).toMatch(/a sum of fewer.*at least 30 neighbours/);
    expect(messageOf({ ...complete, model: 'semi-honest', threshold: 2 })).toBeUndefined();
  });

  it.each([
    [{ clients: 0 }, '0 is no number of clients'],
    [{ clients: Number.NaN }, 'NaN is no number of clients'],
    [{ clients: 2 ** 40 }, 'is no number of clients'],
    [{ roster: 9 }, 'a roster of 9 does not have the 10 clients'],
    [{ roster: 10.5 }, 'a roster of 10.5'],
    [{ neighbours: 8 }, 'neighbours from 9 to 9, not 8'],
    [{ neighbours: 10 }, 'neighbours from 9 to 9, not 10'],
    [{ graph: 'sparse', neighbours: 0 }, 'neighbours from 1 to 9, not 0'],
    [{ graph: 'sparse', neighbours: Number.NaN }, 'neighbours from 1 to 9'],
    [
      { graph: 'sparse', model: 'semi-honest', neighbours: 5 },
      'an even number of neighbours from 2',
    ],
    [{ threshold: 1 }, 'a threshold of 1 of 10 shares'],
    [{ threshold: 0 }, 'a threshold of 0 of 10 shares'],
    [{ threshold: -3 }, 'a threshold of -3 of 10 shares'],
    [{ threshold: 11 }, 'a threshold of 11 of 10 shares'],
    [{ threshold: 6.5 }, 'a threshold of 6.5 of 10 shares'],
  ] satisfies [Partial<GivenParameters>, string][])('refuses nonsense: %o', (changed, message) => {
    expect(messageOf({ ...complete, ...changed })).toContain(message);
  });

  it('refuses words that it does not know', () => {
    const other: object = { ...complete, model: 'passive' };
    expect(messageOf(other as GivenParameters)).toBe('there is no model "passive"');
    const star: object = { ...complete, graph: 'star' };
    expect(messageOf(star as GivenParameters)).toBe('there is no graph "star"');
  });

  it.each([
    { securityBits: 0 },
    { securityBits: Number.NaN },
    { corruptRate: 1 },
    { corruptRate: -1 },
    { dropoutRate: Number.NaN },
    { leastHonestInSum: 0 },
    { leastHonestInSum: 1.5 },
  ])('throws where the client wants nonsense: %o', (changed) => {
    expect(() => messageOf(complete, changed)).toThrow(/\[invalid-argument\]/);
  });

  it('is an answer, whatever a server gives', () => {
    const number = fc.oneof(fc.double(), fc.integer(), fc.nat(400));
    fc.assert(
      fc.property(
        fc.record({
          clients: fc.oneof(fc.nat(400), number),
          roster: fc.oneof(fc.nat(1000), number),
          model: fc.constantFrom('active', 'semi-honest', 'semi-malicious'),
          graph: fc.constantFrom('complete', 'sparse'),
          neighbours: number,
          threshold: number,
        }),
        (given) => {
          const problem = problemOfSecurity(given, wanted);
          if (problem !== undefined) expect(problem.message.length).toBeGreaterThan(10);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('is the same the second time, and after many other questions', () => {
    const first = problemOfSecurity({ ...sparse, threshold: 45 }, wanted);
    expect(problemOfSecurity({ ...sparse, threshold: 45 }, wanted)).toBe(first);
    for (let clients = 300; clients < 700; clients++) {
      problemOfSecurity({ ...complete, clients, roster: clients, neighbours: clients - 1 }, wanted);
    }
    expect(problemOfSecurity({ ...sparse, threshold: 45 }, wanted)).toEqual(first);
    expect(problemOfSecurity(sparse, wanted)).toBeUndefined();
  });
});
