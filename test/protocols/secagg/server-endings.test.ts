/** @file What ends a round at the server: by name, with its state used up and nothing of a sum given. */

import {
  advanceSecAggServer,
  missingAtSecAggServer,
  reconstructMasks,
  removeMasks,
  type SecAggServerStage,
  startSecAggServer,
  sumVector,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { expectKind } from '../support.ts';
import { cohortOf } from './cohort.ts';
import { flipped, freshKey, signedKeys } from './refusals/client-refusal.ts';
import { LIAR, lie } from './refusals/server-refusal.ts';
import { STAGES_OF } from './refusals/steps.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

const shapes = Object.keys(SHAPES) as Shape[];

describe.each(shapes)('a round ends below its threshold (%s)', (shape) => {
  const stages: readonly SecAggServerStage[] = ['advertise', ...STAGES_OF[shape]];

  test.each(stages.slice(0, -1))("after '%s', with nothing for anybody", (at) => {
    const round = StagedRound.of(shape).to(at);
    const { threshold } = round.cohort.agreement;
    round.answerAll(allBut(threshold - 1, round));
    const { server } = round;
    expect(round.advance()).toEqual({
      kind: 'fault',
      stage: at,
      code: 'too-few-clients',
      message: expect.stringContaining(`below the threshold of ${threshold}`),
    });
    expect(server.consumed).toBe(true);
    expect(() => advanceSecAggServer(server)).toThrow(/state-consumed/);
  });

  test('after the last stage, although the threshold held before', () => {
    const round = StagedRound.of(shape).to('unmask');
    const { threshold } = round.cohort.agreement;
    round.answerAll(allBut(threshold - 1, round));
    const { server } = round;
    // It is nobody's fault: no offender.
    expect(reconstructMasks(server)).toEqual({
      kind: 'fault',
      stage: 'unmask',
      code: 'too-few-shares',
      message: expect.stringContaining(`below the threshold of ${threshold}`),
    });
    expect(server.consumed).toBe(true);
    expect(() => reconstructMasks(server)).toThrow(/state-consumed/);
  });
});

test.each(['complete', 'believed'] as const)(
  'as few as the threshold are enough in every stage (%s)',
  (shape) => {
    for (const at of ['advertise', ...STAGES_OF[shape]] as const) {
      const round = StagedRound.of(shape).to(at);
      const { threshold } = round.cohort.agreement;
      expect(round.finish(allBut(threshold, round)).kind).toBe('finish');
    }
  },
);

describe.each(shapes)('a client that published something else ends the round (%s)', (shape) => {
  const offender = shape === 'complete' || shape === 'chosen' ? 'client-1' : 'client 1';

  test('than the seed of its self mask', () => {
    const round = StagedRound.of(shape).to('share-keys');
    lie(round, 'shared-secrets', (message) => ({
      ...message,
      seedCommitment: flipped(message.seedCommitment),
    }));
    expect(round.finish([LIAR])).toEqual({
      kind: 'fault',
      stage: 'unmask',
      code: 'wrong-secret',
      message: expect.any(String),
      offender,
    });
  });

  test('than the key of its masks, once it is lost', () => {
    const round = StagedRound.of(shape);
    const maskKey = freshKey();
    lie(round, 'advertisement', ({ channelKey, ...message }, { cohort }) => ({
      ...message,
      ...signedKeys({ cohort }, LIAR, { channelKey, maskKey }),
    }));
    // It holds to its lie, or nobody could open what it deals.
    Object.assign(round.states.get(LIAR)!.peek().content, { maskKey });
    round.answerAll([LIAR]);
    round.advance();
    round.to('mask-vectors');
    expect(round.finish([LIAR])).toEqual({
      kind: 'fault',
      stage: 'unmask',
      code: 'wrong-secret',
      message: expect.any(String),
      offender,
    });
  });

  test('than shares, to more than can be spared', () => {
    const round = StagedRound.of(shape).to('share-keys');
    lie(round, 'shared-secrets', (message) => ({
      ...message,
      shares: message.shares.map((share) => ({ ...share, sealed: flipped(share.sealed) })),
    }));
    const end = round.finish([LIAR]);
    const { threshold, neighbours } = round.cohort.agreement;
    expect(end).toEqual({
      kind: 'fault',
      stage: 'unmask',
      code: 'too-few-shares',
      message: expect.any(String),
      // As many as the threshold complain of it: one of them at least is honest.
      ...(neighbours >= threshold && { offender }),
    });
  });
});

test('a sum that honest clients cannot make is not given', () => {
  const vectors = [{ ...sumVector('a', 3, 100n, 5), modulus: 2n ** 32n }];
  const round = StagedRound.of('complete', { agreement: { vectors } }).to('mask-vectors');
  lie(round, 'masked-vectors', (message) => ({
    ...message,
    vectors: message.vectors.map((vector) => ({
      ...vector,
      packed: vector.packed.with(3, vector.packed[3]! ^ 0x80),
    })),
  }));
  round.answerAll([LIAR]);
  round.advance();
  round.to('unmask').answerAll();
  const masks = reconstructMasks(round.server);
  if (masks.kind !== 'masks') throw new Error(masks.message);
  expect(removeMasks(masks)).toEqual({
    kind: 'fault',
    stage: 'unmask',
    code: 'sum-out-of-range',
    message: expect.stringContaining('position 0 of vector "a"'),
  });
  expect(masks.masks.flat().every(({ seed }) => seed.erased)).toBe(true);
});

describe('a server that wants more survivors than the threshold', () => {
  const wanting = (leastSurvivors: number) =>
    new StagedRound(cohortOf(SHAPES.complete), { leastSurvivors });

  test.each(['advertise', 'share-keys', 'mask-vectors'] as const)('ends below them in %s', (at) => {
    const round = wanting(5).to(at);
    round.answerAll([3]);
    expect(round.advance()).toMatchObject({
      kind: 'fault',
      stage: at,
      code: 'too-few-clients',
      message: expect.stringMatching(/4 of 5 clients are left .*, below 5$/),
    });
  });

  test('goes on with just as many, and without those who are lost when they are in the sum', () => {
    for (const [least, lost, at] of [
      [5, [], 'advertise'],
      [4, [3], 'mask-vectors'],
      [5, [3], 'confirm-survivors'],
      [5, [3, 4], 'unmask'],
    ] as const) {
      expect(wanting(least).to(at).finish(lost).kind).toBe('finish');
    }
  });

  test.each([-1, 6, 1.5, Number.NaN])('cannot want %d of 5', (leastSurvivors) => {
    expect(() => wanting(leastSurvivors)).toThrow(/invalid-argument.*survive/);
  });

  test.each([0, 5])('can want %d of 5', (leastSurvivors) => {
    expect(wanting(leastSurvivors).stage).toBe('advertise');
  });
});

test('the server knows whom it waits for', () => {
  const round = StagedRound.of('complete').to('share-keys');
  expect(missingAtSecAggServer(round.server)).toEqual([0, 1, 2, 3, 4]);
  round.answerAll([1, 3]);
  expect(missingAtSecAggServer(round.server)).toEqual([1, 3]);
  round.advance();
  expect(missingAtSecAggServer(round.server)).toEqual([0, 2, 4]);
});

test('where fewer are left than neighbours are agreed on, all are neighbours (a ring)', () => {
  const round = StagedRound.of('ring').to('advertise');
  const lost = [1, 3, 5, 6, 7];
  round.answerAll(lost);
  round.advance();
  expect(round.message(0, 'neighbourhood').entries.map(({ client }) => client)).toEqual([2, 4, 8]);
  expect(expectKind(round.finish(), 'finish').report.clients).toEqual([0, 2, 4, 8]);
});

describe('the server’s own mistakes are thrown', () => {
  const { agreement, roster } = cohortOf(SHAPES.complete);

  test('a round that makes no sense', () => {
    const senseless = { ...agreement, threshold: 6 };
    expect(() => startSecAggServer({ agreement: senseless, roster: roster! })).toThrow(
      /invalid-argument/,
    );
  });

  test('a round in the active model without a roster', () => {
    expect(() => startSecAggServer({ agreement })).toThrow(/invalid-argument.*roster/);
  });

  test('the end of a round before its last stage', () => {
    const { server } = StagedRound.of('complete').to('mask-vectors');
    expect(() => reconstructMasks(server)).toThrow(/invalid-argument.*'mask-vectors'/);
    expect(server.consumed).toBe(false);
  });

  test('a stage after the last', () => {
    const { server } = StagedRound.of('complete').to('unmask');
    expect(() => advanceSecAggServer(server)).toThrow(/invalid-argument/);
    expect(server.consumed).toBe(false);
  });

  test.each(['advertise', ...STAGES_OF.complete] as const)("an old state, in '%s'", (at) => {
    const round = StagedRound.of('complete').to(at);
    const old = round.server;
    const message = round.answer(2);
    round.deliver(2, message);
    expect(old.consumed).toBe(true);
    round.server = old;
    expect(() => round.deliver(3, round.answer(3))).toThrow(/state-consumed/);
  });
});

/** All that are asked but the last `count` of them. */
function allBut(count: number, { messages }: StagedRound): number[] {
  return [...messages.keys()].slice(0, messages.size - count);
}
