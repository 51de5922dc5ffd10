import { describe, expect, it } from 'vitest';
import { problemOfSecurity, secAggParameters } from '../../../../protocols/index.ts';

/**
 * Neighbours and threshold by the number of clients, for a model, a corrupt and a dropout rate, at
 * 40 bits of security and 20 of correctness: the expected values of google/federated-compute,
 * fcp/secagg/server/graph_parameter_finder_test.cc.
 */
const EXPECTED = [
  [
    'semi-honest',
    0.45,
    0.45,
    {
      100: [92, 46],
      1000: [822, 417],
      10000: [3494, 1771],
      100000: [5508, 2788],
      1000000: [6240, 3156],
    },
  ],
  [
    'semi-honest',
    0.33,
    0.33,
    {
      10: [8, 4],
      100: [68, 34],
      1000: [286, 150],
      10000: [422, 221],
      100000: [480, 251],
      1000000: [518, 270],
    },
  ],
  [
    'semi-malicious',
    0.3,
    0.3,
    {
      100: [92, 62],
      1000: [872, 584],
      10000: [4822, 3230],
      100000: [9388, 6286],
      1000000: [11136, 7454],
    },
  ],
  [
    'semi-honest',
    0.05,
    0.33,
    { 100: [28, 6], 1000: [72, 24], 10000: [86, 29], 100000: [96, 32], 1000000: [102, 34] },
  ],
  [
    'semi-malicious',
    0.05,
    0.33,
    {
      10: [8, 5],
      100: [72, 39],
      1000: [398, 223],
      10000: [746, 420],
      100000: [882, 496],
      1000000: [970, 545],
    },
  ],
  [
    'semi-honest',
    0.33,
    0.05,
    {
      10: [4, 4],
      100: [34, 29],
      1000: [78, 60],
      10000: [92, 70],
      100000: [102, 77],
      1000000: [110, 83],
    },
  ],
  [
    'semi-malicious',
    0.33,
    0.05,
    {
      10: [4, 4],
      100: [42, 37],
      1000: [132, 109],
      10000: [178, 146],
      100000: [196, 160],
      1000000: [212, 173],
    },
  ],
  [
    'semi-honest',
    0.05,
    0.05,
    {
      10: [2, 2],
      100: [12, 6],
      1000: [30, 17],
      10000: [34, 20],
      100000: [36, 21],
      1000000: [38, 22],
    },
  ],
  [
    'semi-malicious',
    0.05,
    0.05,
    {
      10: [2, 2],
      100: [16, 11],
      1000: [52, 37],
      10000: [62, 44],
      100000: [68, 48],
      1000000: [74, 52],
    },
  ],
  [
    'semi-honest',
    0.33,
    0,
    {
      10: [4, 4],
      100: [26, 25],
      1000: [38, 36],
      10000: [42, 40],
      100000: [46, 44],
      1000000: [50, 47],
    },
  ],
  [
    'semi-malicious',
    0.33,
    0,
    {
      10: [4, 4],
      100: [26, 26],
      1000: [38, 37],
      10000: [42, 41],
      100000: [46, 45],
      1000000: [50, 49],
    },
  ],
  [
    'semi-honest',
    0,
    0.33,
    { 100: [26, 2], 1000: [38, 2], 10000: [42, 2], 100000: [46, 2], 1000000: [50, 2] },
  ],
  [
    'semi-malicious',
    0,
    0.33,
    {
      10: [8, 5],
      100: [68, 35],
      1000: [228, 115],
      10000: [326, 164],
      100000: [372, 187],
      1000000: [410, 206],
    },
  ],
  [
    'semi-honest',
    0,
    0,
    { 10: [2, 2], 100: [2, 2], 1000: [2, 2], 10000: [2, 2], 100000: [2, 2], 1000000: [2, 2] },
  ],
  [
    'semi-malicious',
    0,
    0,
    { 10: [2, 2], 100: [2, 2], 1000: [2, 2], 10000: [2, 2], 100000: [2, 2], 1000000: [2, 2] },
  ],
] as const;

const bits = { securityBits: 40, correctnessBits: 20 };

describe('the models in which the server follows the protocol', () => {
  it.each(EXPECTED)(
    '%s with rates %d and %d: as in federated-compute',
    (model, corruptRate, dropoutRate, rows) => {
      const found = Object.keys(rows).map((row) => {
        const clients = Number(row);
        const request = { clients, model, corruptRate, dropoutRate, ...bits };
        const { neighbours, threshold } = secAggParameters({ ...request, graph: 'sparse' });
        return [clients, [neighbours, threshold]];
      });
      expect(Object.fromEntries(found)).toEqual(rows);
    },
  );

  it('take more neighbours than it where its least threshold of 2 is above what survives', () => {
    // It finds that a threshold of 1 would leave rounds to fail once in a million, and then takes 2
    // of 4 neighbours: with 3 of 10 lost, one round in three then has a client with one share left.
    for (const corruptRate of [0, 0.05]) {
      const request = {
        clients: 10,
        model: 'semi-honest',
        corruptRate,
        dropoutRate: 0.33,
      } as const;
      const found = secAggParameters({ ...request, graph: 'sparse' });
      expect([found.neighbours, found.threshold]).toEqual([6, 2]);
      expect(() => secAggParameters({ ...request, neighbours: 4 })).toThrow(
        /\[infeasible-parameters\] with 3 of 10 clients lost, fewer than 2 of 5 shares.*2\^-1\.6/,
      );
    }
  });

  it('choose these graphs by themselves, and the complete one where they find none', () => {
    const rates = { corruptRate: 0.05, dropoutRate: 0.05 };
    const graphs = [10, 100, 1000].map(
      (clients) => secAggParameters({ clients, model: 'semi-honest', ...rates }).graph,
    );
    expect(graphs).toEqual(['complete', 'sparse', 'sparse']);
    const dense = { clients: 1000, corruptRate: 0.33, dropoutRate: 0.33 };
    expect(secAggParameters({ ...dense, model: 'semi-malicious' })).toMatchObject({
      graph: 'complete',
      threshold: 666,
    });
  });

  it('have complete graphs with thresholds above ceil(corrupt) and ceil((clients + corrupt) / 2)', () => {
    const leastSafe = (model: 'semi-honest' | 'semi-malicious') => {
      for (let threshold = 2; ; threshold++) {
        const given = { clients: 60, roster: 60, graph: 'complete', neighbours: 59 } as const;
        const wanted = { securityBits: 40, corruptRate: 0.21, leastHonestInSum: 1 };
        if (!problemOfSecurity({ ...given, model, threshold }, wanted)) return threshold;
      }
    };
    expect(leastSafe('semi-honest')).toBe(14); // above ceil(12.6)
    expect(leastSafe('semi-malicious')).toBe(38); // above ceil(36.3)
  });

  it('count everyone who survives in the sum', () => {
    const found = secAggParameters({ clients: 1000, model: 'semi-honest', corruptRate: 0.05 });
    expect(found).toMatchObject({ leastSurvivors: 900, leastHonestInSum: 850 });
  });
});
