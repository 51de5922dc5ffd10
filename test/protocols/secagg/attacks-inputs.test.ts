/**
 * @file Attacks with and on inputs, each under its number in the list of attacks and faults that this
 * package answers: late and doubled inputs, overflows, senseless values and parameters, giant
 * messages, sums of too few, Paillier ciphertexts, sums that differ in one client.
 */

import fc from 'fast-check';
import {
  advertisementCodec,
  announcementCodec,
  Bitmap,
  commitmentCodec,
  confirmationCodec,
  confirmationsCodec,
  createIdentityRoster,
  createPackingPlan,
  dealtSharesCodec,
  decodeCiphertexts,
  encodeCiphertexts,
  type MessageCodec,
  maskedVectorsCodec,
  memoryLedger,
  neighbourChoiceCodec,
  neighbourhoodCodec,
  packValues,
  quantization,
  quantizeInput,
  requireNoOverflow,
  revealedSharesCodec,
  type SecAggClientConfig,
  sharedSecretsCodec,
  startSecAggClient,
  survivorSetCodec,
  unpackSums,
} from 'fedloom/protocols';
import { describe, expect, test } from 'vitest';
import { smallKey, smallPrimes } from '../paillier/keys.ts';
import { chiSquare, chiSquareLimit, expectKind, seeded } from '../support.ts';
import { cohortOf, sumOf, sumsIn } from './cohort.ts';
import { VICTIM } from './refusals/client-refusal.ts';
import { LIAR } from './refusals/server-refusal.ts';
import { SHAPES, StagedRound } from './staged.ts';

describe('D13 a masked input', () => {
  test('that comes after its stage is refused and counted as lost, and the sum is as it was', () => {
    const round = StagedRound.of('complete').to('mask-vectors');
    const late = round.answer(LIAR);
    round.answerAll([LIAR]);
    round.advance();
    expect(round.deliver(LIAR, late)).toMatchObject({ code: 'stage-closed', offender: 'client-1' });
    const end = expectKind(round.finish(), 'finish');
    expect(sumsIn(end)).toEqual(sumOf(round.cohort, [0, 2, 3, 4]));
    expect(end.report.lost).toEqual([{ client: LIAR, stage: 'mask-vectors' }]);
  });

  test('that comes twice is refused, and the sum is as it was', () => {
    const round = StagedRound.of('complete').to('mask-vectors');
    const message = round.answer(LIAR);
    round.deliver(LIAR, message);
    expect(round.deliver(LIAR, message)).toMatchObject({ code: 'duplicate-message' });
    const end = expectKind(round.finish(), 'finish');
    expect(sumsIn(end)).toEqual(sumOf(round.cohort, round.cohort.configs.keys()));
  });
});

describe('D15 a sum that could overflow', () => {
  test('is refused by every client before it makes a key, with the bits it takes', () => {
    const { agreement, configs } = cohortOf(SHAPES.complete);
    const vectors = [{ kind: 'sum', id: 'a', length: 3, maximum: 100n, modulus: 500n } as const];
    for (const [client, config] of configs.entries()) {
      const announcement = { ...agreement, vectors };
      const outcome = startSecAggClient(
        { kind: 'announcement', client, agreement: announcement },
        config,
      );
      expect(outcome).toMatchObject({ kind: 'fault', code: 'modulus-too-small' });
      expect(expectKind(outcome, 'fault').message).toMatch(/9 bits.*above 500/s);
    }
  });

  test('does not where every value is the largest, and one more is no value', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 6 }), fc.bigInt(1n, 2n ** 45n), (clients, maximum) => {
        const cohort = cohortOf({ clients, model: 'semi-honest', graph: 'complete', maximum });
        const inputs = cohort.inputs as bigint[][][];
        for (const client of inputs.keys()) inputs[client] = [[maximum, maximum, maximum]];
        const end = expectKind(new StagedRound(cohort).finish(), 'finish');
        const [sum] = end.sums;
        const reached = BigInt(clients) * maximum;
        expect(Array.from<number | bigint>(sum!.values).map(BigInt)).toEqual(
          new Array(3).fill(reached),
        );

        inputs[VICTIM] = [[maximum, maximum + 1n, maximum]];
        const round = new StagedRound({ ...cohort, inputs }).to('mask-vectors');
        expect(round.step(VICTIM)).toMatchObject({ kind: 'fault', code: 'out-of-range' });
      }),
      { numRuns: 15 },
    );
  });

  test('of quantised floats is refused before anything is sent, with what mends it', () => {
    const small = quantization({ modulusRange: 2 ** 24 });
    expect(() => requireNoOverflow(small, 5)).toThrow(/modulus-too-small.*25 bits.*24.*at most 4/s);
    requireNoOverflow(small, 4);
  });
});

describe('D16 a value that is none', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5, -1, 101])(
    '(%d) is refused before it is masked, and not shown',
    (value) => {
      const round = StagedRound.of('complete').to('mask-vectors');
      (round.cohort.inputs as number[][][])[VICTIM] = [[77, value, 77]];
      const fault = expectKind(round.step(VICTIM), 'fault');
      expect(['not-an-integer', 'out-of-range']).toContain(fault.code);
      expect(fault.message).not.toMatch(/77|101/);
    },
  );

  test.each([[], [1, 2], [1, 2, 3, 4]])('of another length is refused', (...vector) => {
    const round = StagedRound.of('complete').to('mask-vectors');
    (round.cohort.inputs as number[][][])[VICTIM] = [vector];
    expect(round.step(VICTIM)).toMatchObject({ kind: 'fault', code: 'invalid-length' });
  });

  const plan = quantization({ clippingRange: 1, maxWeight: 10 });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    '(%d, a float) is refused before it is quantised, wherever it stands',
    (value) => {
      expect(() => quantizeInput(plan, { vectors: [[0, value]] })).toThrow(
        /not-finite.*position 1/,
      );
      expect(() => quantizeInput(plan, { vectors: [[0]], weight: value })).toThrow(/not-finite/);
    },
  );

  test('outside of the clipping range is clipped and counted, or refused', () => {
    const vectors = [[-1, 1, 1.5, -7, 0]];
    expect(quantizeInput(plan, { vectors }).clipped).toBe(2);
    expect(() => quantizeInput(plan, { vectors, onClip: 'refuse' })).toThrow(
      /out-of-range.*position 2/,
    );
  });

  test.each([-1, 10.5, 11])('for a weight (%d) is refused', (weight) => {
    expect(() => quantizeInput(plan, { vectors: [[0]], weight })).toThrow(/out-of-range/);
  });
});

describe('D17 parameters that hide nothing, of the server’s choice', () => {
  test.each([0n, 1n])('a modulus of %d is refused', (modulus) => {
    const { agreement, configs } = cohortOf(SHAPES.complete);
    const vectors = [{ kind: 'modular-sum', id: 'a', length: 3, modulus } as const];
    const announcement = { ...agreement, vectors };
    expect(
      startSecAggClient({ kind: 'announcement', client: 0, agreement: announcement }, configs[0]!),
    ).toMatchObject({ kind: 'fault', code: 'invalid-parameters' });
  });

  test.each([2n, 3n, 10n])('masks are uniform modulo %d, the smallest too', (modulus) => {
    const vectors = [{ kind: 'modular-sum', id: 'a', length: 5000, modulus } as const];
    const round = StagedRound.of('complete', { agreement: { vectors } }).to('mask-vectors');
    (round.cohort.inputs as number[][][])[VICTIM] = [new Array<number>(5000).fill(1)];
    round.deliver(VICTIM, round.answer(VICTIM));
    // Its masked vector is all that is in the sum so far.
    const [seen] = round.server.peek().sums;
    const counts = new Array<number>(Number(modulus)).fill(0);
    for (const value of Array.from<number | bigint>(seen!.values)) counts[Number(value)]! += 1;
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(counts.length));
  });

  test.each([
    { clippingRange: 0 },
    { clippingRange: Number.POSITIVE_INFINITY },
    { quantizationRange: 1 },
    { quantizationRange: 2 ** 32 },
    { maxWeight: 0 },
    { modulusRange: 2 },
    { modulusRange: 2 ** 63 },
  ])('a quantisation with %o is none', (options) => {
    expect(() => quantization(options)).toThrow(/invalid-quantization/);
  });
});

describe('D19 a giant message', () => {
  const CODECS: readonly (readonly [string, number, MessageCodec<object>])[] = [
    ['announcement', 1, announcementCodec],
    ['advertisement', 2, advertisementCodec],
    ['commitment', 3, commitmentCodec],
    ['neighbour choice', 4, neighbourChoiceCodec],
    ['neighbourhood', 5, neighbourhoodCodec],
    ['shared secrets', 6, sharedSecretsCodec],
    ['dealt shares', 7, dealtSharesCodec],
    ['masked vectors', 8, maskedVectorsCodec],
    ['survivor set', 9, survivorSetCodec],
    ['confirmation', 10, confirmationCodec],
    ['confirmations', 11, confirmationsCodec],
    ['revealed shares', 12, revealedSharesCodec],
  ];

  test.each(CODECS)('%s: that declares more than it has is refused', (_name, kind, codec) => {
    const frame = [0x46, 0x4c, 5, kind, 1];
    let refused = 0;
    for (let zeros = 0; zeros < 120; zeros += 1) {
      const bytes = Uint8Array.of(...frame, ...new Uint8Array(zeros), 255, 255, 255, 255);
      const message = codec.decode(bytes);
      if ('code' in message) refused += 1;
      // Where the bytes are no count, they are what they are.
      else expect(codec.encode(message)).toEqual(bytes);
    }
    expect(refused).toBeGreaterThan(110);
  });

  test.each(CODECS)('%s: above the limit is not looked at', (_name, kind, codec) => {
    const bytes = new Uint8Array(1000);
    bytes.set([0x46, 0x4c, 5, kind, 1]);
    expect(codec.decode(bytes, { messageBytes: 999 })).toMatchObject({
      code: 'malformed-message',
      message: expect.stringContaining('exceed the limit of 999'),
    });
  });

  test('or one with too few shares costs its sender the round, and nobody else', () => {
    const round = StagedRound.of('complete').to('unmask');
    const message = round.answer(LIAR);
    if (message.kind !== 'revealed-shares') throw new Error(message.kind);
    for (const shares of [[], message.shares.slice(1), [...message.shares, message.shares[0]!]]) {
      expect(round.deliver(LIAR, { ...message, shares })).toMatchObject({
        code: 'wrong-share-count',
        offender: 'client-1',
      });
    }
    const end = expectKind(round.finish(), 'finish');
    expect(sumsIn(end)).toEqual(sumOf(round.cohort, round.cohort.configs.keys()));
    expect(end.report.lost).toEqual([{ client: LIAR, stage: 'unmask' }]);
  });
});

describe('D21 a sum of too few, or among strangers', () => {
  test.each([
    ['advertise', 'share-keys', 'too-few-clients'],
    ['share-keys', 'mask-vectors', 'too-few-clients'],
    ['mask-vectors', 'confirm-survivors', 'too-few-survivors'],
    ['confirm-survivors', 'unmask', 'too-few-confirmations'],
  ] as const)('is refused by clients: two of five lost in %s, in %s', (lost, at, code) => {
    // Three are enough for the threshold, and so for the server.
    const round = StagedRound.of('complete', { minimumClients: 4, threshold: 3 }).to(lost);
    round.answerAll([3, 4]);
    expectKind(round.advance(), 'advance');
    expect(round.stage).toBe(at);
    for (const client of round.messages.keys()) {
      expect(round.step(client)).toMatchObject({ kind: 'fault', stage: at, code });
    }
    const end = at === 'unmask' ? round.end() : round.advance();
    expect(end).toMatchObject({ kind: 'fault', code: expect.stringMatching(/^too-few-/) });
    expect(end).not.toHaveProperty('sums');
  });

  test('a cohort that its corrupt members could fill is refused', () => {
    // Of a thousand fifty may be corrupt; a server that picks twenty of them and one honest client
    // finds no threshold that it takes.
    const cohort = cohortOf({ ...SHAPES.complete, clients: 21 });
    const roster = createIdentityRoster([
      ...cohort.roster!.members,
      ...Array.from({ length: 979 }, (_, i) => ({
        client: `other-${i}`,
        publicKey: Uint8Array.of(i >> 8, i & 255, ...new Uint8Array(30)),
      })),
    ]);
    const config: SecAggClientConfig = { ...cohort.configs[0]!, roster };
    for (const threshold of [11, 14, 16, 21]) {
      const agreement = {
        ...cohort.agreement,
        threshold,
        rosterHash: roster.hash,
        cohort: Bitmap.of(1000, cohort.configs.keys()),
      };
      expect(
        startSecAggClient({ kind: 'announcement', client: 0, agreement }, config),
      ).toMatchObject({ kind: 'fault', code: 'insecure-parameters' });
    }
  });

  test('a client that is not of the roster is not of the cohort', () => {
    const { agreement, configs } = cohortOf(SHAPES.complete);
    const sybil = { ...configs[0]!, name: 'client-0-again' };
    expect(startSecAggClient({ kind: 'announcement', client: 0, agreement }, sybil)).toMatchObject({
      code: 'not-in-cohort',
    });
    // Nor does the server take it: nobody knows its key.
    const round = StagedRound.of('complete', { seed: 'others' });
    const stranger = StagedRound.of('complete', { seed: 'strangers' }).answer(0);
    const { session } = round.cohort.agreement;
    expect(round.deliver(0, { ...stranger, session })).toMatchObject({ code: 'bad-signature' });
  });
});

describe('D24 Paillier', () => {
  const { publicKey } = smallKey;
  const { n, nSquared } = publicKey;

  test.each<[string, bigint]>([
    ['0', 0n],
    ['n', n],
    ['a multiple of n', 5n * n],
    ['a multiple of a prime of n', 7n * smallPrimes.p],
  ])('a ciphertext that is %s is refused', (_what, ciphertext) => {
    const bytes = encodeCiphertexts(publicKey, [ciphertext]);
    expect(() => decodeCiphertexts(publicKey, bytes, 1)).toThrow(/invalid-ciphertext/);
  });

  test('a ciphertext of n^2 or above, or of another length, is refused', () => {
    const width = publicKey.ciphertextBytes;
    expect(() => decodeCiphertexts(publicKey, new Uint8Array(width).fill(255), 1)).toThrow(
      /invalid-ciphertext.*n\^2/,
    );
    const bytes = encodeCiphertexts(publicKey, [nSquared - 1n]);
    expect(decodeCiphertexts(publicKey, bytes, 1)).toEqual([nSquared - 1n]);
    for (const wrong of [bytes.subarray(1), Uint8Array.of(0, ...bytes)]) {
      expect(() => decodeCiphertexts(publicKey, wrong, 1)).toThrow(/invalid-ciphertext/);
    }
  });

  test('a slot has room for the largest sum, so that none carries into its neighbour', () => {
    const clients = 1000;
    const maximum = 2n ** 16n - 1n;
    const segments = [{ kind: 'sum', length: 6, maximum } as const];
    const plan = createPackingPlan({ segments, clients, modulusBits: publicKey.modulusBits });
    const extremes = [maximum, 0n, maximum, 0n, 0n, maximum];
    const packed = packValues(plan, [extremes], seeded('slots'));
    const sums = packed.map((plaintext) => plaintext * BigInt(clients));
    expect(unpackSums(plan, sums)).toEqual([extremes.map((value) => value * BigInt(clients))]);
    // One more than honest clients can make is found out.
    expect(() => unpackSums(plan, [sums[0]! + 1n, ...sums.slice(1)])).toThrow(/slot-overflow/);
    expect(() => packValues(plan, [[maximum + 1n, 0n, 0n, 0n, 0n, 0n]], seeded('slots'))).toThrow(
      /out-of-range/,
    );
  });
});

describe('D25 two sums that differ in one client', () => {
  const values = [[11], [22], [33], [44], [55]];
  const roundOf = (
    seed: string,
    mostRounds?: number,
    ledgers = values.map(() => memoryLedger()),
  ) => {
    const cohort = cohortOf({ ...SHAPES.complete, seed: 'differencing', length: 1 });
    const session = new Uint8Array(32).fill(seed.length);
    const configs = cohort.configs.map((config, i) => ({
      ...config,
      ledger: ledgers[i]!,
      policy: { ...config.policy, ...(mostRounds !== undefined && { mostRounds }) },
    }));
    return new StagedRound({
      ...cohort,
      configs,
      inputs: values.map((value) => [value]),
      agreement: { ...cohort.agreement, session },
    });
  };

  test('give its value away, which no protocol for one sum prevents (a documented limit)', () => {
    const all = expectKind(roundOf('all').finish(), 'finish');
    const others = expectKind(roundOf('others').finish([VICTIM]), 'finish');
    expect(sumsIn(all)[0]![0]! - sumsIn(others)[0]![0]!).toBe(values[VICTIM]![0]);
  });

  test('are not made with clients that limit their rounds', () => {
    const ledgers = values.map(() => memoryLedger());
    expectKind(roundOf('all', 1, ledgers).finish(), 'finish');
    const second = roundOf('others', 1, ledgers);
    for (const client of [1, 2, 3, 4]) {
      expect(second.step(client)).toMatchObject({ kind: 'fault', code: 'too-many-rounds' });
    }
    expect(second.advance()).toMatchObject({ kind: 'fault', code: 'too-few-clients' });
  });
});
