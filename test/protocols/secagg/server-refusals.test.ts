/**
 * @file Every check of the server on one message, one test each: the smallest lie of a client in an
 * otherwise honest round, the code it is refused by, and that the round goes on to the exact sum.
 */

import { describe, expect, test } from 'vitest';
import type { SecAggServerFaultCode } from '../../../protocols/secagg/server/state.ts';
import { sumOf, sumsIn } from './cohort.ts';
import { ADVERTISEMENT_REFUSALS, CHOICE_REFUSALS, SHARE_REFUSALS } from './refusals/server-keys.ts';
import { expectServerRefusal, LIAR, type ServerRefusal } from './refusals/server-refusal.ts';
import { TURN_REFUSALS } from './refusals/server-turns.ts';
import {
  CONFIRMATION_REFUSALS,
  REVEAL_REFUSALS,
  VECTOR_REFUSALS,
} from './refusals/server-vectors.ts';
import { STAGES_OF } from './refusals/steps.ts';
import { StagedRound } from './staged.ts';

const LISTS: readonly (readonly [string, readonly ServerRefusal[]])[] = [
  ['in every stage: the server checks that', TURN_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, round 0: the server checks that', ADVERTISEMENT_REFUSALS],
  ['Bell et al. 2020, section 4, round 2: the server checks that', CHOICE_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, round 1: the server checks that', SHARE_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, round 2: the server checks that', VECTOR_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, round 3: the server checks that', CONFIRMATION_REFUSALS],
  ['Bonawitz et al. 2017, figure 4, round 4: the server checks that', REVEAL_REFUSALS],
];

describe.each(LISTS)('%s', (_where, refusals) => {
  test.each(refusals.map((refusal) => [titleOf(refusal), refusal] as const))('%s', (_, refusal) => {
    expectServerRefusal(refusal);
  });
});

const EVERYWHERE = (['complete', 'chosen'] as const).flatMap((shape) =>
  (['advertise', ...STAGES_OF[shape]] as const).map((at) => [shape, at] as const),
);

describe('one message of each client: what is sent twice counts once', () => {
  test.each(EVERYWHERE)('%s, %s', (shape, at) => {
    const round = StagedRound.of(shape).to(at);
    const message = round.answer(LIAR);
    expect(round.deliver(LIAR, message).kind).toBe('continue');
    expect(round.deliver(LIAR, message)).toEqual({
      kind: 'fault',
      stage: at,
      code: 'duplicate-message',
      message: expect.any(String),
      offender: 'client-1',
    });
    const end = round.finish([LIAR]);
    if (end.kind === 'fault') throw new Error(end.message);
    expect(sumsIn(end)).toEqual(sumOf(round.cohort, round.cohort.configs.keys()));
  });
});

/** Refused in server-endings.test.ts: they end the round. */
const ENDINGS = ['too-few-clients', 'too-few-shares', 'wrong-secret', 'sum-out-of-range'] as const;

/** Every code there is; the compiler sees to it that none is forgotten. */
const CODES: { readonly [code in SecAggServerFaultCode]: true } = {
  'wrong-session': true,
  'wrong-sender': true,
  'unexpected-message': true,
  'unknown-client': true,
  'duplicate-message': true,
  'stage-closed': true,
  'invalid-key': true,
  'duplicate-key': true,
  'bad-signature': true,
  'wrong-neighbour-count': true,
  'unknown-neighbour': true,
  'wrong-share-count': true,
  'wrong-set': true,
  'wrong-vector-count': true,
  'wrong-modulus': true,
  'invalid-length': true,
  'non-canonical': true,
  'context-mismatch': true,
  'wrong-statement-count': true,
  'too-few-clients': true,
  'too-few-shares': true,
  'wrong-secret': true,
  'sum-out-of-range': true,
};

test('every code of the server is provoked here or in server-endings.test.ts', () => {
  const refused = LISTS.flatMap(([, refusals]) => refusals).map(({ code }) => code);
  const provoked = new Set([...refused, 'duplicate-message', ...ENDINGS]);
  expect([...provoked].sort()).toEqual(Object.keys(CODES).sort());
});

function titleOf({ check, shape, code }: ServerRefusal): string {
  return `${check} (${shape}): ${code}`;
}
