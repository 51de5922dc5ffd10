/**
 * @file Clients that are lost and a server that crashes, each under its number in the list of attacks
 * and faults that this package answers.
 */

import { memoryLedger, type SecAggServerStage } from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { expectKind } from '../support.ts';
import { type CohortOptions, clientStep, cohortOf, runRound, sumOf, sumsIn } from './cohort.ts';
import { VICTIM } from './refusals/client-refusal.ts';
import { configure, STAGES_OF } from './refusals/steps.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

const shapes = Object.keys(SHAPES) as Shape[];

describe('D12 clients that are lost', () => {
  const KINDS = {
    advertise: 'advertisement',
    'choose-neighbours': 'neighbour-choice',
    'share-keys': 'shared-secrets',
    'mask-vectors': 'masked-vectors',
    'confirm-survivors': 'confirmation',
    unmask: 'revealed-shares',
  } as const satisfies { readonly [stage in SecAggServerStage]: string };

  const cases = shapes.flatMap((shape) =>
    (['advertise', ...STAGES_OF[shape]] as const).map((at) => [shape, at] as const),
  );

  test.each(cases)('leave an exact sum (%s), one in %s', (shape, at) => {
    const cohort = cohortOf(SHAPES[shape] as CohortOptions);
    const { outcome, clientFaults } = runRound(cohort, {
      toServer: (client, message) =>
        client === 2 && message.kind === KINDS[at] ? undefined : message,
    });
    const { report, ...end } = expectKind(outcome, 'finish');
    expect(sumsIn({ ...end, report })).toEqual(sumOf(cohort, report.clients));
    const sent = at === 'confirm-survivors' || at === 'unmask';
    expect(report.clients.includes(2)).toBe(sent);
    expect(report.clients).toHaveLength(cohort.agreement.clients - (sent ? 0 : 1));
    expect(report.lost).toEqual([{ client: 2, stage: at }]);
    expect([...clientFaults]).toEqual([]);
  });

  test.each(cases)('leave a named end and no sum (%s), too many in %s', (shape, at) => {
    const cohort = cohortOf(SHAPES[shape] as CohortOptions);
    const { clients, threshold } = cohort.agreement;
    const { outcome } = runRound(cohort, {
      toServer: (client, message) =>
        client <= clients - threshold && message.kind === KINDS[at] ? undefined : message,
    });
    expect(outcome).toMatchObject({ kind: 'fault', stage: at });
    expect(['too-few-clients', 'too-few-shares']).toContain((outcome as { code: string }).code);
    expect(outcome).not.toHaveProperty('sums');
  });
});

describe('D20 a server that crashes', () => {
  const cases = shapes.flatMap((shape) => STAGES_OF[shape].map((at) => [shape, at] as const));

  test.each(cases)('does not begin the session again (%s, in %s)', (shape, at) => {
    const round = StagedRound.of(shape);
    configure(round, { ledger: memoryLedger() });
    round.to(at);
    // A new server, from the set-up that it wrote down.
    const again = new StagedRound(round.cohort);
    expect(again.step(VICTIM)).toMatchObject({ kind: 'fault', code: 'session-used' });
    // The client's state of the round before was not touched.
    expect(round.states.get(VICTIM)!.consumed).toBe(false);
  });

  test('begins another, whose masks are others', () => {
    const first = StagedRound.of('complete').to('mask-vectors');
    const second = StagedRound.of('complete', { seed: 'after the crash' }).to('mask-vectors');
    const [before, after] = [first, second].map((round) => {
      const message = round.answer(VICTIM);
      if (message.kind !== 'masked-vectors') throw new Error(message.kind);
      round.deliver(VICTIM, message);
      return message.vectors[0]!.packed;
    });
    expect(before).not.toEqual(after);
    expect(expectKind(second.finish(), 'finish').report.clients).toHaveLength(5);
  });

  test('gets one answer in every stage, whatever it says when it is back', () => {
    const round = StagedRound.of('complete');
    for (const at of STAGES_OF.complete) {
      round.to(at);
      const state = round.states.get(VICTIM)!;
      const message = round.messages.get(VICTIM)!;
      round.deliver(VICTIM, round.answer(VICTIM, message));
      expect(() => clientStep(round.cohort, VICTIM, state, at, message)).toThrow(/state-consumed/);
    }
  });
});
