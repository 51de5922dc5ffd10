import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ParameterRequest,
  ProtocolError,
  problemOfSecurity,
  secAggParameters,
} from '../../../../protocols/index.ts';
import { chosenGraph } from '../../../../protocols/secagg/parameters/chosen-graph.ts';

/** The parameters, or the code of the refusal. */
function attempt(request: ParameterRequest) {
  try {
    return secAggParameters(request);
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

const refusalOf = (request: ParameterRequest): string => {
  try {
    return `none: ${secAggParameters(request)}`;
  } catch (error) {
    return String(error);
  }
};

const requests = fc.record(
  {
    clients: fc.oneof(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 41, max: 2000 })),
    corruptRate: fc.double({ min: 0, max: 0.35, noNaN: true }),
    dropoutRate: fc.double({ min: 0, max: 0.35, noNaN: true }),
    securityBits: fc.integer({ min: 1, max: 80 }),
    correctnessBits: fc.integer({ min: 1, max: 40 }),
    model: fc.constantFrom('active', 'semi-honest', 'semi-malicious'),
    graph: fc.constantFrom('auto', 'complete', 'sparse'),
    leastHonestInSum: fc.integer({ min: 1, max: 30 }),
  },
  { requiredKeys: ['clients'] },
);

describe('the parameters that are found', () => {
  it('reach what was asked for', () => {
    fc.assert(
      fc.property(requests, (request) => {
        const found = attempt(request);
        if (typeof found === 'string') return;
        const { clients, neighbours, threshold } = found;
        expect(found.reachedSecurityBits).toBeGreaterThanOrEqual(found.securityBits);
        expect(found.reachedCorrectnessBits).toBeGreaterThanOrEqual(found.correctnessBits);
        expect(found.leastHonestInSum).toBeGreaterThanOrEqual(request.leastHonestInSum ?? 2);
        expect(found.leastSurvivors).toBeLessThanOrEqual(
          clients - Math.floor(found.dropoutRate * clients),
        );
        expect(threshold).toBeGreaterThanOrEqual(2);
        expect(threshold).toBeLessThanOrEqual(neighbours + 1);
        expect(neighbours).toBeLessThan(clients);
        expect(found.inDegreeLimit).toBeGreaterThanOrEqual(neighbours);
        expect(found.inDegreeLimit).toBeLessThan(clients);
        if (found.graph === 'complete') expect(neighbours).toBe(clients - 1);
      }),
      { numRuns: 300 },
    );
  });

  it('state the sum of both ways to attack them', () => {
    const found = secAggParameters({ clients: 1000 });
    const { neighbours, threshold, leastHonestInSum } = found;
    const lost = { candidates: 900, lost: 100 };
    const guarantees = chosenGraph({ model: 'active', clients: 1000, corrupt: 50, ...lost });
    const ways = [
      Math.exp(guarantees.lnExposure(neighbours, threshold)),
      Math.exp(guarantees.lnSplit(neighbours, threshold, leastHonestInSum)),
    ] as const;
    expect(Math.min(...ways)).toBeGreaterThan(0);
    expect(found.reachedSecurityBits).toBeCloseTo(-Math.log2(ways[0] + ways[1]), 10);
  });

  it('pass the check of a client, with all who may be left to choose among', () => {
    fc.assert(
      fc.property(requests, fc.double({ min: 0, max: 1, noNaN: true }), (request, place) => {
        const found = attempt(request);
        if (typeof found === 'string') return;
        expect(problemOfSecurity(found, found)).toBeUndefined();
        if (found.model !== 'active' || found.graph === 'complete') return;
        const missing = Math.round(place * (found.clients - found.leastSurvivors));
        const clients = found.clients - missing;
        expect(problemOfSecurity({ ...found, clients }, found)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('are the least: one share less is insecure', () => {
    fc.assert(
      fc.property(requests, (request) => {
        const found = attempt({ ...request, dropoutRate: 0, leastHonestInSum: 2 });
        if (typeof found === 'string' || found.threshold === 2) return;
        // In a complete graph of an honest server a majority is more than has to be.
        if (found.graph === 'complete' && found.model !== 'active') return;
        const { message } =
          problemOfSecurity(
            { ...found, threshold: found.threshold - 1 },
            { ...found, leastHonestInSum: 2 },
          ) ?? {};
        expect(message).toMatch(new RegExp(`take a threshold of at least ${found.threshold}$`));
      }),
      { numRuns: 300 },
    );
  });

  it('take no fewer neighbours the more is asked for', () => {
    const more = fc.record({
      corruptRate: fc.double({ min: 0, max: 0.1, noNaN: true }),
      dropoutRate: fc.double({ min: 0, max: 0.1, noNaN: true }),
      securityBits: fc.nat(20),
      correctnessBits: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 3000 }), more, (clients, by) => {
        const base = { clients, graph: 'sparse', leastHonestInSum: 2 } as const;
        const least = {
          corruptRate: 0.05,
          dropoutRate: 0.05,
          securityBits: 30,
          correctnessBits: 15,
        };
        const { neighbours } = secAggParameters({ ...base, ...least });
        for (const name of [
          'corruptRate',
          'dropoutRate',
          'securityBits',
          'correctnessBits',
        ] as const) {
          const found = attempt({ ...base, ...least, [name]: least[name] + by[name] });
          if (typeof found === 'string') expect(found).toBe('infeasible-parameters');
          else expect(found.neighbours).toBeGreaterThanOrEqual(neighbours);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('leave room for lost clients in small cohorts', () => {
    const small = [2, 3, 4, 5, 8, 10, 20, 50].map((clients) => {
      const { graph, threshold, leastHonestInSum } = secAggParameters({ clients });
      return [clients, graph, threshold, leastHonestInSum];
    });
    expect(small).toEqual([
      [2, 'complete', 2, 2],
      [3, 'complete', 2, 2],
      [4, 'complete', 3, 3],
      [5, 'complete', 3, 3],
      [8, 'complete', 5, 5],
      [10, 'complete', 6, 6],
      [20, 'complete', 11, 10],
      [50, 'complete', 27, 25],
    ]);
  });

  it('grow with the logarithm of the cohort', () => {
    const large = [200, 500, 1000, 10_000, 100_000].map((clients) => {
      const { neighbours, threshold, leastHonestInSum } = secAggParameters({ clients });
      return [clients, neighbours, threshold, leastHonestInSum];
    });
    expect(large).toEqual([
      [200, 40, 26, 89],
      [500, 64, 43, 250],
      [1000, 77, 52, 511],
      [10_000, 97, 65, 5130],
      [100_000, 109, 73, 51_598],
    ]);
  });

  it('hide a client among half of 10,000 with 3% of them, as Bell et al. announce', () => {
    // "each client talks to 3% of clients", choosing and chosen, with 5% corrupt and 5% lost
    const { neighbours, leastHonestInSum } = secAggParameters({
      clients: 10_000,
      corruptRate: 0.05,
      dropoutRate: 0.05,
    });
    expect(2 * neighbours).toBeLessThanOrEqual(300);
    expect(leastHonestInSum).toBeGreaterThanOrEqual(5000);
  });

  it('count with all corrupt clients of the roster in the cohort', () => {
    const found = secAggParameters({ clients: 100, roster: 1000 });
    expect(found).toMatchObject({ corrupt: 50, threshold: 76, leastHonestInSum: 26 });
    expect(secAggParameters({ clients: 100 })).toMatchObject({ corrupt: 5, threshold: 53 });
  });

  it('do not lose a client to the rounding of a rate', () => {
    expect(0.29 * 100).toBeLessThan(29);
    const found = secAggParameters({ clients: 100, corruptRate: 0.29, dropoutRate: 0.29 });
    expect(found).toMatchObject({ graph: 'complete', corrupt: 29, threshold: 65 });
    expect(refusalOf({ clients: 100, dropoutRate: 0.29, threshold: 72 })).toMatch(/29 of 100/);
  });

  it('are the given ones where these do', () => {
    expect(secAggParameters({ clients: 100, neighbours: 30, threshold: 20 })).toMatchObject({
      graph: 'sparse',
      neighbours: 30,
      threshold: 20,
    });
    expect(secAggParameters({ clients: 100, neighbours: 99 }).graph).toBe('complete');
    expect(secAggParameters({ clients: 100, threshold: 60 }).threshold).toBe(60);
    const sparse = secAggParameters({ clients: 1000, graph: 'sparse', threshold: 60 });
    expect(sparse).toMatchObject({ threshold: 60, neighbours: 87 });
  });

  it('hide nothing of one client where nothing is to be hidden', () => {
    expect(secAggParameters({ clients: 1, leastHonestInSum: 1 })).toMatchObject({
      neighbours: 0,
      threshold: 1,
    });
  });
});

describe('parameters that miss the security are refused, with what would reach it', () => {
  it.each([
    [
      { clients: 100, graph: 'complete', threshold: 52 },
      'a threshold of 52 of 100 shares lets a server with 5 of 100 clients corrupt put together the secrets that hide a client: take a threshold of at least 53',
    ],
    [
      { clients: 1000, neighbours: 77, threshold: 51 },
      'a threshold of 51 of 78 shares lets a server with 50 of 1000 clients corrupt put together the secrets that hide a client, with a probability of up to 2^-36.0 where 2^-41.0 is allowed: take a threshold of at least 52',
    ],
    [
      { clients: 1000, neighbours: 40, threshold: 25 },
      'a threshold of 25 of 41 shares lets a server with 50 of 1000 clients corrupt put together the secrets that hide a client, with a probability of up to 2^-2.6 where 2^-41.0 is allowed: take at least 77 neighbours, with a threshold of at least 52',
    ],
    [
      { clients: 5, threshold: 2 },
      'a threshold of 2 of 5 shares lets the server alone put together the secrets that hide a client: take a threshold of at least 3',
    ],
    [
      { clients: 1000, neighbours: 4, model: 'semi-honest', corruptRate: 0.05 },
      'a threshold of 5 of 5 shares lets a server with 50 of 1000 clients corrupt have a sum of fewer than 2 honest clients: take at least 36 neighbours, with a threshold of at least 19',
    ],
    [
      {
        clients: 60,
        graph: 'sparse',
        neighbours: 30,
        threshold: 22,
        corruptRate: 0.4,
        dropoutRate: 0.1,
      },
      'take at least',
    ],
  ] satisfies [ParameterRequest, string][])('%o', (request, message) => {
    expect(refusalOf(request)).toContain('[insecure-parameters]');
    expect(refusalOf(request)).toContain(message);
  });
});

describe('what nothing can reach is refused, with what stands in its way', () => {
  it.each([
    [
      { clients: 1 },
      'a cohort of 1 with 0 corrupt leaves fewer than 2 honest clients to hide among: lower the corrupt rate or take a larger cohort',
    ],
    [
      { clients: 100, roster: 5000 },
      'a cohort of 100 with 100 corrupt leaves fewer than 2 honest clients to hide among: lower the corrupt rate or take a larger cohort',
    ],
    [
      { clients: 1000, corruptRate: 0.4, dropoutRate: 0.33 },
      'no graph of 1000 clients hides a client among 150 honest ones with 400 corrupt, 330 lost: lower the corrupt rate, the dropout rate or the bits, or take a larger cohort',
    ],
    [
      { clients: 60, graph: 'sparse', corruptRate: 0.3, dropoutRate: 0.3 },
      'no sparse graph of 60 clients hides a client among 11 honest ones with 18 corrupt, 18 lost: take the complete graph, with a threshold of at least 40',
    ],
    [
      { clients: 100, graph: 'sparse', threshold: 10 },
      'no sparse graph of 100 clients hides a client among 24 honest ones with 5 corrupt, 10 lost and a threshold of 10: take at least 25 neighbours, with a threshold of at least 16',
    ],
    [
      { clients: 100, graph: 'complete', threshold: 95 },
      'with 10 of 100 clients lost, fewer than 95 of 100 shares of a secret are left: take a threshold of 53',
    ],
    [
      { clients: 100, neighbours: 20 },
      'with 10 of 100 clients lost, fewer than 14 of 21 shares of a secret are left, with a probability of up to 2^-8.1 where 2^-20.0 is allowed: take at least 25 neighbours, with a threshold of at least 16',
    ],
  ] satisfies [ParameterRequest, string][])('%o', (request, message) => {
    expect(refusalOf(request)).toBe(`ProtocolError: [infeasible-parameters] ${message}`);
  });
});

describe('a request that makes no sense is refused', () => {
  it.each([
    [{ clients: 0 }, 'clients is a whole number from 1 to 1000000, got 0'],
    [{ clients: -5 }, 'clients'],
    [{ clients: 2.5 }, 'clients'],
    [{ clients: Number.NaN }, 'clients'],
    [{ clients: 1_000_001 }, 'clients'],
    [{ clients: Number.POSITIVE_INFINITY }, 'clients'],
    [{ clients: 10, roster: 9 }, 'roster is a whole number from 10'],
    [{ clients: 10, corruptRate: 1 }, 'corruptRate is a share from 0 to below 1, got 1'],
    [{ clients: 10, corruptRate: -0.1 }, 'corruptRate'],
    [{ clients: 10, dropoutRate: Number.NaN }, 'dropoutRate'],
    [{ clients: 10, securityBits: 0 }, 'securityBits is from 1 to 256, got 0'],
    [{ clients: 10, correctnessBits: 257 }, 'correctnessBits'],
    [{ clients: 10, neighbours: 10 }, 'neighbours is a whole number from 0 to 9, got 10'],
    [{ clients: 10, neighbours: 1.5 }, 'neighbours'],
    [{ clients: 10, threshold: 11 }, 'threshold is a whole number from 1 to 10, got 11'],
    [
      { clients: 10, neighbours: 4, threshold: 6 },
      'threshold is a whole number from 1 to 5, got 6',
    ],
    [{ clients: 10, leastHonestInSum: 0 }, 'leastHonestInSum'],
    [{ clients: 10, graph: 'complete', neighbours: 4 }, 'everyone has 9 neighbours, not 4'],
    [{ clients: 100, neighbours: 90 }, 'has neighbours from 1 to 89, got 90'],
    [{ clients: 100, neighbours: 0 }, 'has neighbours from 1 to 89, got 0'],
    [
      { clients: 100, neighbours: 7, model: 'semi-honest' },
      'has an even number of neighbours from 2 to 98',
    ],
  ] satisfies [ParameterRequest, string][])('%o', (request, message) => {
    expect(refusalOf(request)).toContain('[invalid-argument]');
    expect(refusalOf(request)).toContain(message);
  });

  it('also where a caller without types asks for other words', () => {
    const request: object = { clients: 10, model: 'passive' };
    expect(refusalOf(request as ParameterRequest)).toContain(
      'model is active or semi-honest or semi-malicious, got passive',
    );
    const graph: object = { clients: 10, graph: 'star' };
    expect(refusalOf(graph as ParameterRequest)).toContain('graph is auto or complete or sparse');
  });

  it('and never answered with anything but parameters or a refusal', () => {
    const number = fc.oneof(fc.double(), fc.integer(), fc.nat(300), fc.double({ min: 0, max: 1 }));
    fc.assert(
      fc.property(
        fc.record(
          {
            clients: fc.oneof(number, fc.nat(300)),
            roster: number,
            dropoutRate: number,
            corruptRate: number,
            securityBits: number,
            correctnessBits: number,
            model: fc.constantFrom('active', 'semi-honest', 'semi-malicious'),
            graph: fc.constantFrom('auto', 'complete', 'sparse'),
            neighbours: number,
            threshold: number,
            leastHonestInSum: number,
          },
          { requiredKeys: ['clients'] },
        ),
        (request) => {
          const found = attempt(request);
          const codes = ['invalid-argument', 'insecure-parameters', 'infeasible-parameters'];
          if (typeof found === 'string') expect(codes).toContain(found);
          else expect(problemOfSecurity(found, found)).toBeUndefined();
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('parameters explain themselves', () => {
  it('where nothing is left to chance', () => {
    expect(String(secAggParameters({ clients: 20 }))).toBe(
      `secure aggregation of 20 clients
  model        active: the server and the corrupt clients do whatever helps them
  graph        complete: everyone shares with the 19 others
  threshold    11 of the 20 shares of a secret, one's own included
  withstands   the server and 1 corrupt client, and 9 lost clients
  reveals      no sum of fewer than 10 honest clients
  security     certain: nothing is left to chance
  correctness  certain: nothing is left to chance`,
    );
  });

  it('where clients choose', () => {
    expect(String(secAggParameters({ clients: 1000, roster: 1200 }))).toBe(
      `secure aggregation of 1000 clients of 1200
  model        active: the server and the corrupt clients do whatever helps them
  graph        sparse: each client chooses 82 others, and at most 200 choose it
  threshold    56 of the 83 shares of a secret, one's own included
  withstands   the server and 60 corrupt clients, and 100 lost clients
  reveals      no sum of fewer than 510 honest clients
  security     43.9 bits (40 asked for): an attack succeeds with a probability below 2^-43
  correctness  20.6 bits (20 asked for): a round fails with a probability below 2^-20`,
    );
  });

  it('where the server draws a ring', () => {
    const ring = {
      clients: 1000,
      corruptRate: 0,
      dropoutRate: 0.05,
      model: 'semi-honest',
    } as const;
    expect(String(secAggParameters(ring))).toContain(
      'graph        sparse: the server joins each client to',
    );
    expect(String(secAggParameters(ring))).toContain('withstands   the server alone, and 50 lost');
  });
});
