/**
 * @file Wrong shares: who dealt or gave them is named, and the sum is exact as long as enough right
 * ones are left. In the active model dealers are bound to their shares, so that one look tells a
 * wrong one; in the others the secret itself tells, and Reed-Solomon decoding finds the wrong shares.
 */

import { Bitmap, type SecAggServerFinished, type SecretBytes } from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { pairChannel } from '../../../protocols/secagg/statements.ts';
import { ByteReader } from '../../../protocols/wire/byte-reader.ts';
import { ByteWriter } from '../../../protocols/wire/byte-writer.ts';
import { sumOf, sumsIn } from './cohort.ts';
import { flipped } from './refusals/client-refusal.ts';
import { LIAR, lie } from './refusals/server-refusal.ts';
import { SHAPES, type Shape, StagedRound } from './staged.ts';

const shapes = Object.keys(SHAPES) as Shape[];

/** Without commitments nobody can tell who of the two is wrong. */
const wrong = (shape: Shape): string =>
  SHAPES[shape].model === 'active' ? 'bad-revealed-share' : 'disputed-share';

describe.each(shapes)('%s', (shape) => {
  test('a share that does not open is complained of, and its dealer named', () => {
    const round = StagedRound.of(shape).to('share-keys');
    const holders = round.server.peek().neighbours(LIAR).holders;
    lie(round, 'shared-secrets', (message) => ({
      ...message,
      shares: message.shares.map((share, i) =>
        i === 0 ? { ...share, sealed: flipped(share.sealed, 20) } : share,
      ),
    }));
    const end = exactly(round, [LIAR]);
    expect(end.report.clients).toContain(LIAR);
    expect(end.report.blamed).toEqual([{ client: LIAR, code: 'disputed-share', with: holders[0] }]);
  });

  test('a wrong share is named by its holder, and the sum is exact without it', () => {
    const round = StagedRound.of(shape).to('unmask');
    const dealers = [...round.server.peek().neighbours(LIAR).dealers];
    lie(round, 'revealed-shares', (message) => ({
      ...message,
      shares: message.shares.map((share, i) => (i === 0 ? flipped(share, 31) : share)),
    }));
    const end = exactly(round, [LIAR]);
    expect(end.report.blamed).toEqual([{ client: LIAR, code: wrong(shape), with: dealers[0] }]);
  });

  test('so is a wrong share of the key of a client that was lost', () => {
    const round = StagedRound.of(shape).to('mask-vectors');
    const { dealers } = round.server.peek().neighbours(LIAR);
    const lost = dealers[0]!;
    round.answerAll([lost]);
    round.advance();
    round.to('unmask');
    lie(round, 'revealed-shares', (message) => ({
      ...message,
      shares: message.shares.map((share, i) => (i === 0 ? flipped(share, 31) : share)),
    }));
    const end = exactly(round, [LIAR]);
    expect(end.report.clients).not.toContain(lost);
    expect(end.report.lost).toEqual([{ client: lost, stage: 'mask-vectors' }]);
    expect(end.report.blamed).toEqual([{ client: LIAR, code: wrong(shape), with: lost }]);
  });
});

describe('what a dealer seals is checked by its holder: a complaint, and no share', () => {
  const SHARE = new Uint8Array(32).fill(1);
  const LIES: readonly (readonly [string, Shape, Partial<Dealt>])[] = [
    ['shares of somebody else (from)', 'believed', { from: 3 }],
    ['shares for somebody else (to)', 'believed', { to: 3 }],
    ['shares of somebody else (from), bound to them', 'complete', { from: 3 }],
    ['shares for somebody else (to), bound to them', 'complete', { to: 3 }],
    ['another share of its mask key than it is bound to', 'complete', { maskShare: SHARE }],
    ['another share of its self mask than it is bound to', 'complete', { selfShare: SHARE }],
  ];

  test.each(LIES)('%s (%s)', (_what, shape, dealt) => {
    const round = StagedRound.of(shape).to('share-keys');
    const holder = 2;
    lie(round, 'shared-secrets', (message) => {
      const { content } = round.states.get(LIAR)!.peek();
      if (content.stage !== 'shared') throw new Error(`at ${content.stage}`);
      const place = content.partners.findIndex(({ client }) => client === holder);
      const { keys } = content.partners[place]!;
      const sealed = resealed(keys, message.shares[place]!.sealed, holder, dealt);
      return {
        ...message,
        shares: message.shares.map((share, i) => (i === place ? { ...share, sealed } : share)),
      };
    });
    const end = exactly(round, [LIAR]);
    expect(end.report.blamed).toEqual([{ client: LIAR, code: 'disputed-share', with: holder }]);
  });
});

interface Dealt {
  readonly from: number;
  readonly to: number;
  readonly maskShare: Uint8Array;
  readonly selfShare: Uint8Array;
}

/** What the liar seals for a holder, with something in it changed. */
function resealed(
  keys: SecretBytes,
  sealed: Uint8Array,
  holder: number,
  dealt: Partial<Dealt>,
): Uint8Array {
  const reader = new ByteReader(pairChannel(keys, holder, LIAR).open(sealed)!);
  const honest: Dealt = {
    from: reader.uint16(),
    to: reader.uint16(),
    maskShare: reader.raw(32),
    selfShare: reader.raw(32),
  };
  expect([honest.from, honest.to]).toEqual([LIAR, holder]);
  const { from, to, maskShare, selfShare } = { ...honest, ...dealt };
  const plaintext = new ByteWriter().uint16(from).uint16(to).raw(maskShare).raw(selfShare).finish();
  return pairChannel(keys, LIAR, holder).seal(plaintext);
}

test('in the active model a share of the other kind is a wrong one', () => {
  // What a holder that helps the server would give: its share of a survivor's mask key.
  const round = StagedRound.of('complete').to('unmask');
  const { content } = round.states.get(LIAR)!.peek();
  if (content.stage !== 'confirmed') throw new Error(`at ${content.stage}`);
  const forbidden = content.dealers[0]!.maskShare!.reveal().slice();
  lie(round, 'revealed-shares', (message) => ({
    ...message,
    shares: message.shares.map((share, i) => (i === 0 ? forbidden : share)),
  }));
  const held = round.server.peek().revealed.get(content.dealers[0]!.client);
  expect(held?.has(LIAR) ?? false).toBe(false);
  const end = exactly(round, [LIAR]);
  expect(end.report.blamed).toHaveLength(1);
});

test('as many wrong shares as can be spared are found without commitments', () => {
  // Seven holders and a threshold of three: two wrong shares are in excess of what decoding needs.
  const round = StagedRound.of('believed', { clients: 7, threshold: 3 }).to('unmask');
  for (const client of [1, 2]) {
    const message = round.answer(client);
    if (message.kind !== 'revealed-shares') throw new Error(message.kind);
    round.deliver(client, {
      ...message,
      shares: message.shares.map((share, i) =>
        i < message.shares.length - 1 ? flipped(share, 31) : share,
      ),
    });
  }
  const end = exactly(round, [1, 2]);
  const blamed = new Set(end.report.blamed.map(({ client }) => client));
  expect([...blamed].sort()).toEqual([1, 2]);
});

test('more wrong shares than that end the round, and no wrong sum is given', () => {
  const round = StagedRound.of('believed').to('unmask');
  for (const client of [1, 2, 3]) {
    const message = round.answer(client);
    if (message.kind !== 'revealed-shares') throw new Error(message.kind);
    round.deliver(client, {
      ...message,
      shares: message.shares.map((share) => flipped(share, 31)),
    });
  }
  expect(round.finish([1, 2, 3])).toMatchObject({ kind: 'fault', code: 'wrong-secret' });
});

test('a client that keeps shares back is spared', () => {
  const round = StagedRound.of('complete').to('unmask');
  lie(round, 'revealed-shares', (message) => ({
    ...message,
    given: Bitmap.of(message.given.size, message.given.places().slice(1)),
    shares: message.shares.slice(1),
  }));
  exactly(round, [LIAR]);
});

/** The end of the round, with the exact sum of those that it names. */
function exactly(round: StagedRound, answered: readonly number[]): SecAggServerFinished {
  const end = round.finish(answered);
  if (end.kind === 'fault') throw new Error(`${end.code}: ${end.message}`);
  expect(sumsIn(end)).toEqual(sumOf(round.cohort, end.report.clients));
  return end;
}
