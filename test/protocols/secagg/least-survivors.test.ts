/** @file The fewest clients whose sum a server goes on to take the masks off. */

import { expect, test } from 'vitest';
import {
  advanceSecAggServer,
  isFault,
  receiveAtSecAggServer,
  type SecAggServerState,
  startSecAggServer,
} from '../../../protocols/index.ts';
import { expectKind } from '../support.ts';
import { type Cohort, clientStep, cohortOf } from './cohort.ts';

const CLIENTS = 24;
const SPARSE = {
  clients: CLIENTS,
  model: 'semi-honest',
  graph: 'sparse',
  securityBits: 8,
} as const;

test.each([
  ['advertise', 20, 4],
  ['share-keys', 20, 4],
  ['mask-vectors', 20, 4],
] as const)('%s: no fewer than are asked for', (stage, leastSurvivors, lost) => {
  expect(codeAfter(cohortOf(SPARSE), leastSurvivors, stage, lost)).toBe('unmask');
  const outcome = codeAfter(cohortOf(SPARSE), leastSurvivors, stage, lost + 1);
  expect(outcome).toBe('too-few-clients');
});

test('by default, no fewer than the threshold', () => {
  const cohort = cohortOf(SPARSE);
  const { threshold } = cohort.agreement;
  expect(threshold).toBeLessThan(CLIENTS - 10);
  expect(codeAfter(cohort, undefined, 'advertise', CLIENTS - threshold + 1)).toBe(
    'too-few-clients',
  );
  expect(codeAfter(cohort, undefined, 'mask-vectors', 8)).toBe('unmask');
});

test('whoever is lost after it sent its vectors still counts', () => {
  const active = { clients: 6, model: 'active', graph: 'complete' } as const;
  expect(codeAfter(cohortOf(active), 6, 'confirm-survivors', 1)).toBe('unmask');
  expect(codeAfter(cohortOf(active), 6, 'mask-vectors', 1)).toBe('too-few-clients');
});

test.each([-1, 1.5, CLIENTS + 1])('%s survivors are none', (leastSurvivors) => {
  const { agreement } = cohortOf(SPARSE);
  expect(() => startSecAggServer({ agreement, leastSurvivors })).toThrow(/cannot survive/);
});

/** The stage that a round comes to, or the code of its end, if the last clients are lost in a stage. */
function codeAfter(
  cohort: Cohort,
  leastSurvivors: number | undefined,
  lostIn: string,
  lost: number,
): string {
  const { agreement, roster, rng } = cohort;
  let turn: ReturnType<typeof advanceSecAggServer> = startSecAggServer({
    agreement,
    ...(roster && { roster }),
    ...(leastSurvivors !== undefined && { leastSurvivors }),
  });
  const states = new Map<number, unknown>();
  for (;;) {
    if (isFault(turn)) return turn.code;
    const advanced = expectKind(turn, 'advance');
    if (advanced.stage === 'unmask') return 'unmask';
    let state: SecAggServerState = advanced.state;
    for (const [client, message] of advanced.messages) {
      if (advanced.stage === lostIn && client >= agreement.clients - lost) continue;
      const step = clientStep(cohort, client, states.get(client), advanced.stage, message);
      if (step?.kind !== 'continue') continue;
      states.set(client, step.state);
      const taken = receiveAtSecAggServer(state, client, step.message);
      if (taken.kind === 'continue') state = taken.state;
    }
    turn = advanceSecAggServer(state, { rng });
  }
}
