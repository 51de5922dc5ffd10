/**
 * @file The order of a client's steps: each takes the state of the one before, once, whatever comes
 * of it, and notes in the ledger that it is done before it says anything.
 */

import {
  abandonClient,
  Bitmap,
  maskClientVectors,
  memoryLedger,
  ProtocolError,
  type SecAggServerStage,
  type ServerMessage,
  startSecAggClient,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { expectKind } from '../support.ts';
import { clientStep, cohortOf, sumOf, sumsIn } from './cohort.ts';
import { VICTIM } from './refusals/client-refusal.ts';
import { configure, STAGES_OF } from './refusals/steps.ts';
import { secretsIn } from './secrets.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

const shapes = Object.keys(SHAPES) as Shape[];

describe.each(shapes)('%s', (shape) => {
  const stages = STAGES_OF[shape];
  const pairs = stages.flatMap((at) =>
    stages.filter((other) => other !== at).map((other) => [at, other] as const),
  );

  test.each(pairs)("at '%s' a client does not do '%s'", (at, other) => {
    const state = StagedRound.of(shape).to(at).states.get(VICTIM)!;
    const secrets = secretsIn(state.peek().content);
    // The same seed makes the same session: the message is the right one, at another time.
    const message = messageOf(shape, other);
    const outcome = clientStep(cohortOf(SHAPES[shape]), VICTIM, state, other, message)!;
    const early = shape === 'chosen' && at === 'choose-neighbours' && other === 'share-keys';
    expect(outcome).toEqual({
      kind: 'fault',
      stage: other,
      code: early ? 'not-committed' : 'wrong-step',
      message: expect.any(String),
    });
    expect(secrets.filter(({ erased }) => !erased)).toEqual([]);
  });

  test.each(stages)("the state of '%s' serves one step, that went well", (at) => {
    const round = StagedRound.of(shape).to(at);
    const state = round.states.get(VICTIM)!;
    round.answer(VICTIM);
    const again = () => clientStep(round.cohort, VICTIM, state, at, round.messages.get(VICTIM)!);
    expect(again).toThrow(ProtocolError);
    expect(again).toThrow(/state-consumed/);
  });

  test.each(stages)("the state of '%s' serves one step, that was refused", (at) => {
    const round = StagedRound.of(shape).to(at);
    const state = round.states.get(VICTIM)!;
    const message = round.messages.get(VICTIM)!;
    expectKind(round.step(VICTIM, { ...message, client: 7 } as ServerMessage), 'fault');
    expect(() => clientStep(round.cohort, VICTIM, state, at, message)).toThrow(/state-consumed/);
  });

  test.each(stages)("a client that leaves before '%s' keeps no secret", (at) => {
    const state = StagedRound.of(shape).to(at).states.get(VICTIM)!;
    const secrets = secretsIn(state.peek().content);
    expect(secrets.length).toBeGreaterThan(0);
    abandonClient(state);
    expect(secrets.every(({ erased }) => erased)).toBe(true);
    expect(state.consumed).toBe(true);
    abandonClient(state);
  });

  test('a client notes each step under the name of the session', () => {
    const round = StagedRound.of(shape);
    const claimed: string[] = [];
    configure(round, {
      ledger: {
        claim(step) {
          claimed.push(step);
          return true;
        },
      },
    });
    expectKind(round.finish(), 'finish');
    const session = Buffer.from(round.cohort.agreement.session).toString('hex');
    expect(claimed).toEqual(
      ['advertise', ...stages].map((stage) => `${session}/0/${VICTIM}/${stage}`),
    );
  });

  test.each(stages)("a ledger that fails in '%s' fails the step, and nothing is kept", (at) => {
    const round = StagedRound.of(shape);
    configure(round, {
      ledger: {
        claim(step) {
          if (step.endsWith(`/${at}`)) throw new Error('the disk is full');
          return true;
        },
      },
    });
    round.to(at);
    const state = round.states.get(VICTIM)!;
    const secrets = secretsIn(state.peek().content);
    expect(() => round.step(VICTIM)).toThrow('the disk is full');
    expect(state.consumed).toBe(true);
    expect(secrets.filter(({ erased }) => !erased)).toEqual([]);
  });
});

test('a session is begun once with a ledger, and its rounds once each', () => {
  const { agreement, configs } = cohortOf(SHAPES.complete);
  const config = { ...configs[0]!, ledger: memoryLedger() };
  const begin = (changes: Partial<typeof agreement>) =>
    startSecAggClient(
      { kind: 'announcement', client: 0, agreement: { ...agreement, ...changes } },
      config,
    );
  expectKind(begin({}), 'continue');
  expect(begin({})).toMatchObject({ kind: 'fault', stage: 'advertise', code: 'session-used' });
  // Another agreement under the same name is no other session.
  expect(begin({ threshold: 5 })).toMatchObject({ code: 'session-used' });
  expectKind(begin({ round: 1 }), 'continue');
  expect(begin({ round: 1 })).toMatchObject({ code: 'session-used' });
});

test('a ledger remembers what it was told', () => {
  const ledger = memoryLedger();
  expect(['a', 'b', 'a', 'b', 'c'].map((step) => ledger.claim(step))).toEqual([
    true,
    true,
    false,
    false,
    true,
  ]);
  expect(memoryLedger().claim('a')).toBe(true);
});

describe('a client goes on', () => {
  const exactly = (round: StagedRound, lost: readonly number[]) => {
    const end = expectKind(round.finish(lost), 'finish');
    const everyone = [...round.cohort.configs.keys()];
    const left = everyone.filter((client) => !lost.includes(client));
    expect(end.report.clients).toEqual(left);
    expect(sumsIn(end)).toEqual(sumOf(round.cohort, left));
    expect([...round.clientFaults]).toEqual([]);
  };

  test.each([[5], [5, 6], [4, 5, 6], [4, 5, 6, 7, 8]])(
    'with whom there is to choose, down to the threshold (%#)',
    (...lost) => {
      exactly(StagedRound.of('chosen'), lost);
    },
  );

  test('where its minimum is above the number of its neighbours, in a graph that mixes all', () => {
    const larger = { clients: 16, neighbours: 4, securityBits: 8, minimumClients: 6 };
    exactly(StagedRound.of('chosen', larger), []);
    exactly(StagedRound.of('ring', { minimumClients: 7 }), []);
  });

  test('where as many chose it as may, and not one more', () => {
    const count = StagedRound.of('chosen')
      .to('share-keys')
      .message(VICTIM, 'neighbourhood').choosers;
    for (const [inDegreeLimit, kind] of [
      [count.count(), 'continue'],
      [count.count() - 1, 'fault'],
    ] as const) {
      // The limit is agreed on, so it is part of what is drawn; the seed makes the same choices.
      const round = StagedRound.of('chosen', { agreement: { inDegreeLimit } }).to('share-keys');
      const { choosers } = round.message(VICTIM, 'neighbourhood');
      expect(choosers.count()).toBe(count.count());
      expect(round.step(VICTIM).kind).toBe(kind);
    }
  });

  test('where as many neighbours are left as the threshold, with itself (a ring)', () => {
    const round = StagedRound.of('ring', { threshold: 3 }).to('unmask');
    const message = round.message(VICTIM, 'survivor-set');
    const alive = Bitmap.of(message.alive.size, message.alive.places().slice(0, 2));
    expectKind(round.step(VICTIM, { ...message, alive }), 'finish');
  });

  test('where as many take it for a survivor as the threshold, with itself', () => {
    const round = StagedRound.of('chosen').to('unmask');
    const { threshold } = round.cohort.agreement;
    const message = round.message(VICTIM, 'confirmations');
    const from = Bitmap.of(message.from.size, message.from.places().slice(0, threshold - 1));
    const statements = message.statements.slice(0, threshold - 1);
    expectKind(round.step(VICTIM, { ...message, from, statements }), 'finish');
  });

  test('not, but throws, where its caller gives what is no input', () => {
    const round = StagedRound.of('complete').to('mask-vectors');
    const state = round.states.get(VICTIM) as Parameters<typeof maskClientVectors>[0];
    const secrets = secretsIn(state.peek().content);
    const message = round.message(VICTIM, 'dealt-shares');
    const nothing = undefined as unknown as readonly number[];
    expect(() => maskClientVectors(state, message, { vectors: [nothing] })).toThrow(TypeError);
    expect(secrets.filter(({ erased }) => !erased)).toEqual([]);
  });
});

test('an input that the client cannot make ends its round, and shows nothing of it', () => {
  const round = StagedRound.of('complete').to('mask-vectors');
  const state = round.states.get(VICTIM) as Parameters<typeof maskClientVectors>[0];
  const secrets = secretsIn(state.peek().content);
  const message = round.message(VICTIM, 'dealt-shares');
  const outcome = maskClientVectors(state, message, { vectors: [[1, 2, 987_654_321]] });
  expect(outcome).toMatchObject({ kind: 'fault', code: 'out-of-range' });
  expect(JSON.stringify(outcome)).not.toContain('987654321');
  expect(secrets.filter(({ erased }) => !erased)).toEqual([]);
});

/** What the server says to the victim in a stage of an honest round. */
function messageOf(shape: Shape, stage: SecAggServerStage): ServerMessage {
  return StagedRound.of(shape).to(stage).messages.get(VICTIM)!;
}
