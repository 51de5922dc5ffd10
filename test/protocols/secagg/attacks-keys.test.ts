/**
 * @file Attacks on the beginning of a round, each under its number in the list of attacks and faults
 * that this package answers: thresholds, keys, signatures, sealed shares, graphs, other models.
 */

import {
  Bitmap,
  type DealtShares,
  type NeighbourKeys,
  type SealedShare,
  type SecAggAgreement,
  startSecAggClient,
  sumVector,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { chiSquare, chiSquareLimit, expectKind } from '../support.ts';
import { cohortOf, runRound, sumOf, sumsIn } from './cohort.ts';
import {
  changed,
  flipped,
  freshKey,
  LOW_ORDER_KEYS,
  NON_CANONICAL_KEYS,
  signedKeys,
  VICTIM,
} from './refusals/client-refusal.ts';
import { LIAR, lie } from './refusals/server-refusal.ts';
import { SHAPES, StagedRound } from './staged.ts';

describe('D5 a threshold that the server likes', () => {
  const { agreement, configs } = cohortOf({ ...SHAPES.complete, clients: 9, corruptRate: 0.3 });
  const begin = (changes: Partial<SecAggAgreement>) =>
    startSecAggClient(
      { kind: 'announcement', client: 0, agreement: { ...agreement, ...changes } },
      configs[0]!,
    );

  test.each([0, 10, -1])('of %d is none', (threshold) => {
    expect(begin({ threshold })).toMatchObject({ code: 'invalid-parameters' });
  });

  // Two of nine may be corrupt: 2 t > 9 + 2.
  test.each([1, 2, 3, 4, 5])('of %d of 9 is refused', (threshold) => {
    expect(begin({ threshold })).toMatchObject({ code: 'insecure-parameters' });
  });

  test.each([6, 7, 8, 9])('of %d of 9 is high enough', (threshold) => {
    expectKind(begin({ threshold }), 'continue');
  });
});

describe('D6 keys that are not one client’s own', () => {
  test.each<[string, (entries: readonly NeighbourKeys[], round: StagedRound) => NeighbourKeys[]]>([
    [
      'twice',
      (entries, round) =>
        changed(entries, 2, () => signedKeys(round, 2, { maskKey: entries[0]!.maskKey })),
    ],
    [
      'one’s own',
      (entries, round) => [{ client: VICTIM, ...signedKeys(round, VICTIM) }, ...entries],
    ],
    [
      'that make no secret',
      (entries, round) =>
        changed(entries, 2, () => signedKeys(round, 2, { channelKey: LOW_ORDER_KEYS[0]! })),
    ],
  ])('%s are refused', (_what, change) => {
    const round = StagedRound.of('complete').to('share-keys');
    const message = round.message(VICTIM, 'neighbourhood');
    const outcome = round.step(VICTIM, { ...message, entries: change(message.entries, round) });
    expect(['duplicate-key', 'own-key-twice', 'low-order-key']).toContain(
      expectKind(outcome, 'fault').code,
    );
  });

  test('that are missing leave their owners alone with masks that nobody shares', () => {
    // Client 4 was left out of what the others were told, and is told of everyone itself.
    const round = StagedRound.of('complete').to('share-keys');
    for (const client of round.messages.keys()) {
      const message = round.message(client, 'neighbourhood');
      const entries = message.entries.filter((entry) => client === 4 || entry.client !== 4);
      const answer = round.answer(client, { ...message, entries });
      if (answer.kind !== 'shared-secrets') throw new Error(answer.kind);
      const padding = answer.shares[0]!;
      const shares = [...answer.shares, ...(client === 4 ? [] : [padding])];
      expect(round.deliver(client, { ...answer, shares }).kind).toBe('continue');
    }
    round.advance();
    // What was fixed differs, so no share that it dealt or was dealt opens.
    const answer = round.answer(4);
    if (answer.kind !== 'masked-vectors') throw new Error(answer.kind);
    expect(answer.complaints.count()).toBe(4);
  });
});

describe('D7 a key of the wrong size, or off the curve', () => {
  test.each([0, 31, 33])('of %d bytes is refused, if a caller can give it at all', (length) => {
    const round = StagedRound.of('complete').to('share-keys');
    const message = round.message(VICTIM, 'neighbourhood');
    const channelKey = new Uint8Array(length).fill(9);
    const entries = changed(message.entries, 1, () => ({ channelKey }));
    expect(round.step(VICTIM, { ...message, entries })).toMatchObject({ code: 'invalid-key' });
  });

  test.each(NON_CANONICAL_KEYS)('that is not reduced is refused', (maskKey) => {
    const round = StagedRound.of('complete').to('share-keys');
    const message = round.message(VICTIM, 'neighbourhood');
    const entries = changed(message.entries, 1, () => signedKeys(round, 1, { maskKey }));
    expect(round.step(VICTIM, { ...message, entries })).toMatchObject({ code: 'invalid-key' });
  });

  test('on the twist of the curve makes a secret, and does no harm (RFC 7748, section 7)', () => {
    // u = 2 is no x of Curve25519; its twist is as secure.
    const round = StagedRound.of('complete').to('share-keys');
    const message = round.message(VICTIM, 'neighbourhood');
    const maskKey = Uint8Array.of(2, ...new Uint8Array(31));
    const entries = changed(message.entries, 1, () => signedKeys(round, 1, { maskKey }));
    expectKind(round.step(VICTIM, { ...message, entries }), 'continue');
  });
});

describe('D8 a server in the middle', () => {
  test.each(['complete', 'chosen'] as const)('cannot sign its keys (%s)', (shape) => {
    const round = StagedRound.of(shape).to('share-keys');
    const message = round.message(VICTIM, 'neighbourhood');
    const entries = message.entries.map((entry) => ({
      ...entry,
      channelKey: freshKey(),
      maskKey: freshKey(),
    }));
    expect(round.step(VICTIM, { ...message, entries })).toMatchObject({
      kind: 'fault',
      code: 'bad-signature',
      offender: `client-${message.entries[0]!.client}`,
    });
  });

  test('cannot use what a client signed in another session, round or agreement', () => {
    for (const changes of [
      { session: new Uint8Array(32).fill(1) },
      { round: 1 },
      { threshold: 5 },
      { vectors: [sumVector('b', 3, 100n, 5)] },
    ]) {
      const { agreement } = cohortOf(SHAPES.complete);
      const other = new StagedRound(
        cohortOf({ ...SHAPES.complete, agreement: { ...agreement, ...changes } }),
      );
      other.answer(0);
      const replayed = other.answer(1);
      if (replayed.kind !== 'advertisement') throw new Error(replayed.kind);
      const { channelKey, maskKey, signature } = replayed;
      const round = StagedRound.of('complete').to('share-keys');
      const message = round.message(VICTIM, 'neighbourhood');
      const entries = changed(message.entries, 1, () => ({ channelKey, maskKey, signature }));
      expect(round.step(VICTIM, { ...message, entries })).toMatchObject({ code: 'bad-signature' });
    }
  });

  test('cannot give the keys of one client as another’s', () => {
    const round = StagedRound.of('complete').to('share-keys');
    const message = round.message(VICTIM, 'neighbourhood');
    const [one, two] = message.entries as [NeighbourKeys, NeighbourKeys];
    const swapped = message.entries.map((entry) =>
      entry === one
        ? { ...two, client: one.client }
        : entry === two
          ? { ...one, client: two.client }
          : entry,
    );
    expect(round.step(VICTIM, { ...message, entries: swapped })).toMatchObject({
      code: 'bad-signature',
    });
  });
});

describe('D10 a sealed share that is not for now', () => {
  const dealt = (change: (message: DealtShares, before: DealtShares) => readonly SealedShare[]) => {
    const before = StagedRound.of('complete', { seed: 'the round before' }).to('mask-vectors');
    const round = StagedRound.of('complete').to('mask-vectors');
    const message = round.message(VICTIM, 'dealt-shares');
    const shares = change(message, before.message(VICTIM, 'dealt-shares'));
    const answer = round.answer(VICTIM, { ...message, shares });
    if (answer.kind !== 'masked-vectors') throw new Error(answer.kind);
    return answer.complaints.places();
  };

  test('but of an older round does not open', () => {
    expect(dealt((_message, before) => before.shares)).toEqual([0, 1, 2, 3]);
  });

  test('but another dealer’s again opens once, and makes no quorum', () => {
    expect(dealt(({ shares }) => shares.map(() => shares[0]!))).toEqual([1, 2, 3]);
  });

  test('counts for nothing: masks are made with the keys that were signed', () => {
    // However few shares open, the vector is under the masks of everyone.
    const round = StagedRound.of('complete').to('mask-vectors');
    const message = round.message(VICTIM, 'dealt-shares');
    const shares = message.shares.map((share) => ({ ...share, sealed: flipped(share.sealed) }));
    round.deliver(VICTIM, round.answer(VICTIM, { ...message, shares }));
    const end = expectKind(round.finish(), 'finish');
    expect(sumsIn(end)).toEqual(sumOf(round.cohort, round.cohort.configs.keys()));
  });
});

describe('D11 a sealed share that was tampered with, or is for somebody else', () => {
  test('is complained of in one way, whatever is wrong with it (no oracle)', () => {
    const answers = LIES.map(([, change]) => {
      const round = StagedRound.of('complete').to('mask-vectors');
      const message = round.message(VICTIM, 'dealt-shares');
      const shares = message.shares.map((share, i) => (i === 0 ? change(share, round) : share));
      return round.answer(VICTIM, { ...message, shares });
    });
    // The same seed, so the same masks: the answers do not differ in a bit.
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    const [first] = answers;
    expect(first?.kind === 'masked-vectors' && first.complaints.places()).toEqual([0]);
  });

  const LIES: readonly (readonly [
    string,
    (share: SealedShare, round: StagedRound) => SealedShare,
  ])[] = [
    ['the first byte', (share) => ({ ...share, sealed: flipped(share.sealed) })],
    ['the tag', (share) => ({ ...share, sealed: flipped(share.sealed, share.sealed.length - 1) })],
    ['a commitment', (share) => ({ ...share, commitments: flipped(share.commitments) })],
    ['the other', (share) => ({ ...share, commitments: flipped(share.commitments, 31) })],
    ['nothing sealed', (share) => ({ ...share, sealed: new Uint8Array(84) })],
    [
      'one for client 2',
      (_share, round) => round.message(2, 'dealt-shares').shares[1] as SealedShare,
    ],
    [
      'one by the client itself (reflection)',
      (_share, round) => round.message(1, 'dealt-shares').shares[0] as SealedShare,
    ],
  ];
});

describe('D14 a second vector under the same masks', () => {
  test('finds the state used up', () => {
    const round = StagedRound.of('complete').to('mask-vectors');
    const state = round.states.get(VICTIM)!;
    round.answer(VICTIM);
    round.states.set(VICTIM, state);
    expect(() => round.step(VICTIM)).toThrow(/state-consumed/);
  });

  test.each(['complete', 'chosen', 'believed', 'ring'] as const)(
    'has other masks in the same round (%s)',
    (shape) => {
      const clients = SHAPES[shape].clients;
      const vectors = ['a', 'b'].map((id) => sumVector(id, 400, 255n, clients));
      const round = StagedRound.of(shape, { agreement: { vectors } }).to('mask-vectors');
      const zeros = new Array<number>(400).fill(0);
      (round.cohort.inputs as number[][][])[VICTIM] = [zeros, zeros];
      const answer = round.answer(VICTIM);
      if (answer.kind !== 'masked-vectors') throw new Error(answer.kind);
      const [a, b] = answer.vectors.map(({ packed }) => packed);
      const same = a!.filter((byte, i) => byte === b![i]).length;
      // By chance one byte in 256 is the same.
      expect(same).toBeLessThan(a!.length / 20);
    },
  );
});

describe('D22 a graph that does not hold', () => {
  test('is refused, with what would', () => {
    const { agreement, configs } = cohortOf({ clients: 60, model: 'active', graph: 'sparse' });
    const weak = { ...agreement, neighbours: 4, threshold: 4 };
    const announcement = { kind: 'announcement', client: 0, agreement: weak } as const;
    const fault = expectKind(startSecAggClient(announcement, configs[0]!), 'fault');
    expect(fault.code).toBe('insecure-parameters');
    expect(fault.message).toMatch(/take .*neighbours/);
  });

  test('around one client after others were lost ends its part of the round', () => {
    const round = StagedRound.of('chosen').to('share-keys');
    const { threshold } = round.cohort.agreement;
    const { holders } = round.server.peek().neighbours(VICTIM);
    round.answerAll(holders.slice(threshold - 2));
    round.advance();
    expect(round.step(VICTIM)).toMatchObject({ kind: 'fault', code: 'too-few-clients' });
  });

  test('around a client that is lost ends the round by name', () => {
    const round = StagedRound.of('chosen').to('mask-vectors');
    const { threshold } = round.cohort.agreement;
    const { holders } = round.server.peek().neighbours(LIAR);
    // The client is lost after it shared, and so are too many of those who hold its shares.
    round.answerAll([LIAR]);
    round.advance();
    round.to('unmask');
    const end = round.finish(holders.slice(threshold - 1));
    expect(end).toMatchObject({ kind: 'fault', stage: 'unmask', code: 'too-few-shares' });
  });
});

describe('D23 another model for one client', () => {
  const MODEL = Uint8Array.of(1, 2, 3);
  const OTHER = Uint8Array.of(3, 2, 1);

  test('is named, if the client says what it was given', () => {
    const cohort = cohortOf(SHAPES.complete);
    const { outcome, refusals } = runRound(cohort, {
      context: (client) => (client === LIAR ? OTHER : MODEL),
    });
    expect(refusals).toMatchObject([{ code: 'context-mismatch', offender: 'client-1' }]);
    const end = expectKind(outcome, 'finish');
    expect(end.report.clients).toEqual([0, 2, 3, 4]);
    expect(sumsIn(end)).toEqual(sumOf(cohort, [0, 2, 3, 4]));
  });

  test.each(['complete', 'chosen', 'believed', 'ring'] as const)(
    'makes noise of the whole sum, whatever the server makes of it (%s)',
    (shape) => {
      const modulus = 12n;
      const vectors = [{ kind: 'modular-sum', id: 'a', length: 6000, modulus } as const];
      const cohort = cohortOf({
        ...SHAPES[shape],
        length: 6000,
        maximum: 11n,
        agreement: { vectors },
      });
      const round = new StagedRound(cohort).to('mask-vectors');
      const [first] = round.messages.keys();
      let hash: Uint8Array | undefined;
      for (const [client, message] of round.messages) {
        const context = client === LIAR ? OTHER : MODEL;
        const answer = expectKind(round.step(client, message, context), 'continue').message;
        if (answer.kind !== 'masked-vectors') throw new Error(answer.kind);
        if (client === first) hash = answer.contextHash;
        // The server covers up that it gave the client another model.
        expect(round.deliver(client, { ...answer, contextHash: hash! }).kind).toBe('continue');
      }
      const end = expectKind(round.finish(), 'finish');
      const [sums] = sumsIn(end) as [number[]];
      expect(sums).not.toEqual(sumOf(cohort, end.report.clients)[0]!.map((sum) => sum % 12));
      const counts = new Array<number>(12).fill(0);
      for (const sum of sums) counts[sum]! += 1;
      expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(12));
    },
  );

  test('is found out where sums have a bound', () => {
    const vectors = [{ ...sumVector('a', 3, 100n, 5), modulus: 2n ** 60n }];
    const round = StagedRound.of('complete', { agreement: { vectors } }).to('mask-vectors');
    round.deliver(0, round.answer(0));
    const { contextHash } = round.server.peek();
    const answer = expectKind(
      round.step(LIAR, round.messages.get(LIAR), OTHER),
      'continue',
    ).message;
    round.deliver(LIAR, { ...answer, contextHash } as typeof answer);
    expect(round.finish()).toMatchObject({ kind: 'fault', code: 'sum-out-of-range' });
  });

  test('is found out where the server was told what inputs are of', () => {
    const round = StagedRound.of('complete').to('mask-vectors');
    lie(round, 'masked-vectors', (message) => message);
    const answer = expectKind(round.step(0, round.messages.get(0), OTHER), 'continue').message;
    expect(round.deliver(0, answer)).toMatchObject({ code: 'context-mismatch' });
    expect(Bitmap.of(5, round.server.peek().answered).places()).toEqual([LIAR]);
  });
});
