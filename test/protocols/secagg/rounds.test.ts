/** @file Whole rounds: the sum is exact over those who survived, whoever is lost and whenever. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectKind } from '../support.ts';
import { type CohortOptions, cohortOf, runRound, sumOf, sumsIn } from './cohort.ts';

/** Parameters that keep a test quick; nobody relies on these rounds. */
const RELAXED = { securityBits: 10, correctnessBits: 4 };

const SHAPES: readonly (readonly [string, CohortOptions])[] = [
  ['semi-honest, complete', { clients: 6, model: 'semi-honest', graph: 'complete' }],
  ['semi-honest, sparse', { clients: 24, model: 'semi-honest', graph: 'sparse', ...RELAXED }],
  ['active, complete', { clients: 6, model: 'active', graph: 'complete' }],
  ['active, sparse', { clients: 24, model: 'active', graph: 'sparse', ...RELAXED }],
];

describe.each(SHAPES)('%s', (_name, options) => {
  test('sums exactly when everyone stays', () => {
    const cohort = cohortOf(options);
    expect(cohort.agreement.graph).toBe(options.graph);
    const { outcome, clientFaults, refusals } = runRound(cohort);
    expect([...clientFaults]).toEqual([]);
    expect(refusals).toEqual([]);
    const finished = expectKind(outcome, 'finish');
    const everyone = cohort.configs.keys();
    expect(sumsIn(finished)).toEqual(sumOf(cohort, everyone));
    expect(finished.report.lost).toEqual([]);
  });

  test.each([
    'advertisement',
    'neighbour-choice',
    'shared-secrets',
    'masked-vectors',
    'confirmation',
    'revealed-shares',
  ])('sums exactly over the survivors when clients are lost before "%s"', (kind) => {
    const cohort = cohortOf({ ...options, seed: kind });
    const { outcome } = runRound(cohort, {
      toServer: (client, message) => (client === 1 && message.kind === kind ? undefined : message),
    });
    const finished = expectKind(outcome, 'finish');
    const { clients } = finished.report;
    expect(sumsIn(finished)).toEqual(sumOf(cohort, clients));
    const late = ['confirmation', 'revealed-shares'].includes(kind);
    const present = cohort.agreement.model === 'active' && options.graph === 'sparse';
    const unsent =
      (kind === 'neighbour-choice' && !present) ||
      (kind === 'confirmation' && cohort.agreement.model !== 'active');
    expect(clients.includes(1)).toBe(late || unsent);
  });
});

test('any set of losses gives the sum over the survivors or a named end', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SHAPES.map(([, options]) => options)),
      fc.integer(),
      fc.array(fc.tuple(fc.nat(), fc.nat(5)), { maxLength: 6 }),
      (options, seed, losses) => {
        const cohort = cohortOf({ ...options, seed: String(seed) });
        const kinds = [
          'advertisement',
          'neighbour-choice',
          'shared-secrets',
          'masked-vectors',
          'confirmation',
          'revealed-shares',
        ];
        const lost = new Map(losses.map(([who, when]) => [who % options.clients, kinds[when]]));
        const { outcome } = runRound(cohort, {
          toServer: (client, message) => (lost.get(client) === message.kind ? undefined : message),
        });
        if (outcome.kind === 'fault') {
          expect(['too-few-clients', 'too-few-shares']).toContain(outcome.code);
        } else {
          expect(sumsIn(outcome)).toEqual(sumOf(cohort, outcome.report.clients));
        }
      },
    ),
    { numRuns: 40 },
  );
});
