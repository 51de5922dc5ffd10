import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CheckedSecret,
  ProtocolError,
  reconstructChecked,
  reconstructSecret,
  type SecretBytes,
  type Share,
  sharesAgree,
} from '../../../protocols/index.ts';
import { seeded } from '../support.ts';
import { dealt, element, numberOf, P, shifted, upTo } from './support.ts';

interface Outcome {
  readonly secret: bigint;
  readonly wrong: readonly number[];
  readonly attributed: boolean;
}

/** Reconstructs with a check against the secret itself, and sees that what it refuses is erased. */
function reconstruct(shares: readonly Share[], threshold: number, secret: bigint) {
  const refused: SecretBytes[] = [];
  const result: CheckedSecret | undefined = reconstructChecked(shares, threshold, (candidate) => {
    if (numberOf(candidate) === secret) return true;
    refused.push(candidate);
    return false;
  });
  expect(refused.every((candidate) => candidate.erased)).toBe(true);
  return result && ({ ...result, secret: numberOf(result.secret) } satisfies Outcome);
}

/** Shares of which those at `indices` are moved by uniform amounts. */
function corrupted(shares: readonly Share[], indices: readonly number[], seed: string | number) {
  const rng = seeded(`corrupt ${seed}`);
  return shares.map((share, i) =>
    indices.includes(i)
      ? shifted(share, 1n + BigInt(rng(4).reduce((sum, byte) => 256 * sum + byte, 0)))
      : share,
  );
}

const pointsAt = (shares: readonly Share[], indices: readonly number[]) =>
  shares.filter((_, i) => indices.includes(i)).map(({ point }) => point);

const cases = fc
  .record({
    count: fc.integer({ min: 1, max: 16 }),
    threshold: fc.nat(),
    wrong: fc.array(fc.nat(), { maxLength: 16 }),
    seed: fc.nat(),
  })
  .map(({ count, threshold, wrong, seed }) => ({
    count,
    threshold: 1 + (threshold % count),
    wrong: [...new Set(wrong.map((index) => index % count))],
    seed,
  }));

describe('a secret from shares that may be wrong', () => {
  it('comes with nobody to blame where all are right', () => {
    const { secret, shares } = dealt('right', { threshold: 4, points: [5, 3, 900, 2, 17, 4] });
    for (let count = 4; count <= 6; count += 1) {
      expect(reconstruct(shares.slice(0, count), 4, secret)).toEqual({
        secret,
        wrong: [],
        attributed: true,
      });
    }
  });

  it('comes with all who sent wrong ones, up to half of the surplus', () => {
    fc.assert(
      fc.property(cases, ({ count, threshold, wrong, seed }) => {
        const { secret, shares } = dealt(seed, { threshold, points: upTo(count) });
        const indices = wrong.slice(0, Math.floor((count - threshold) / 2));
        expect(reconstruct(corrupted(shares, indices, seed), threshold, secret)).toEqual({
          secret,
          wrong: pointsAt(shares, indices),
          attributed: true,
        });
      }),
      { numRuns: 150 },
    );
  });

  it('beyond that is the right one or none, and nobody is blamed for nothing', () => {
    fc.assert(
      fc.property(cases, ({ count, threshold, wrong, seed }) => {
        const { secret, shares } = dealt(seed, { threshold, points: upTo(count) });
        const outcome = reconstruct(corrupted(shares, wrong, seed), threshold, secret);
        if (outcome === undefined) {
          // Any threshold of right shares would have been tried among so few.
          if (count <= 12) expect(count - wrong.length).toBeLessThan(threshold);
          return;
        }
        expect(outcome.secret).toBe(secret);
        expect(pointsAt(shares, wrong)).toEqual(
          outcome.attributed ? outcome.wrong : expect.anything(),
        );
        if (!outcome.attributed) expect(outcome.wrong).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('names one wrong share among threshold + 1, whichever it is', () => {
    const { secret, shares } = dealt('one', {
      threshold: 5,
      points: [9, 4, 7, 1, 2 ** 32 - 1, 30],
    });
    shares.forEach(({ point }, i) => {
      expect(reconstruct(corrupted(shares, [i], i), 5, secret)).toEqual({
        secret,
        wrong: [point],
        attributed: true,
      });
    });
  });

  it('cannot be had from a threshold of shares of which one is wrong', () => {
    const { secret, shares } = dealt('exact', { threshold: 3, points: upTo(3) });
    expect(reconstruct(shares, 3, secret)?.secret).toBe(secret);
    expect(reconstruct(corrupted(shares, [1], 1), 3, secret)).toBeUndefined();
  });

  it('is not sought among shares that agree: who split it is to blame', () => {
    const { secret, shares } = dealt('dealer', { threshold: 3, points: upTo(7) });
    let asked = 0;
    const outcome = reconstructChecked(shares, 3, () => {
      asked += 1;
      return false;
    });
    expect(outcome).toBeUndefined();
    expect(asked).toBe(1);
    expect(sharesAgree(shares, 3)).toBe(true);
    expect(reconstruct(shares, 3, secret + 1n)).toBeUndefined();
  });

  it('that liars arranged to stay right names them, or nobody, once there is surplus enough', () => {
    // The λ of points 1 to 4 are 4, -6, 4 and -1: adding 1 and 4 to the first and the last share
    // leaves the secret of these four as it is, yet they are on another polynomial.
    const lied = (count: number) => {
      const { secret, shares } = dealt('arranged', { threshold: 4, points: upTo(count) });
      const changed = shares.map((share, i) =>
        i === 0 ? shifted(share, 1n) : i === 3 ? shifted(share, 4n) : share,
      );
      expect(numberOf(reconstructSecret(changed, 4))).toBe(secret);
      const { wrong, attributed } = reconstruct(changed, 4, secret)!;
      return { wrong, attributed };
    };
    expect(lied(7)).toEqual({ wrong: [1, 4], attributed: true });
    expect(lied(6)).toEqual({ wrong: [], attributed: false });
    // Two liars where one may be: nobody can tell this from one wrong share, of point 5.
    expect(lied(5)).toEqual({ wrong: [5], attributed: true });
    expect(lied(4)).toEqual({ wrong: [], attributed: true });
  });

  it('takes what is no element for a wrong share, and names it', () => {
    const { secret, shares } = dealt('form', { threshold: 3, points: upTo(6) });
    const bad: readonly Uint8Array[] = [
      new Uint8Array(0),
      new Uint8Array(31),
      new Uint8Array(33),
      new Uint8Array(32).fill(255),
      element(P - 1n).map((byte, i) => (i === 31 ? byte + 1 : byte)),
    ];
    for (const value of bad) {
      const given = shares.map((share, i) => (i === 1 ? { ...share, value } : share));
      expect(reconstruct(given, 3, secret)).toEqual({ secret, wrong: [2], attributed: true });
    }
    const two = shares.map((share, i) =>
      i === 0 ? { ...share, value: bad[3]! } : i === 4 ? shifted(share, 1n) : share,
    );
    expect(reconstruct(two, 3, secret)).toEqual({ secret, wrong: [1, 5], attributed: true });
    const left = shares.map((share, i) => (i < 4 ? { ...share, value: bad[0]! } : share));
    const neverAsked = () => {
      throw new Error('asked about a secret of two shares');
    };
    expect(reconstructChecked(left, 3, neverAsked)).toBeUndefined();
  });

  it('of threshold 1 is found however many are wrong, as long as one is right', () => {
    const { secret, shares } = dealt('copies', { threshold: 1, points: upTo(9) });
    expect(reconstruct(corrupted(shares, [0, 1, 2, 3, 4, 5, 6, 8], 1), 1, secret)).toEqual({
      secret,
      wrong: [1, 2, 3, 4, 5, 6, 7, 9],
      attributed: true,
    });
    expect(
      reconstruct(
        corrupted(
          shares,
          upTo(9).map((i) => i - 1),
          1,
        ),
        1,
        secret,
      ),
    ).toBeUndefined();
  });

  it('is found among 60 shares with 10 wrong, with threshold 40', () => {
    const { secret, shares } = dealt('sixty', { threshold: 40, points: upTo(60) });
    const indices = [0, 7, 8, 15, 22, 33, 41, 50, 58, 59];
    expect(reconstruct(corrupted(shares, indices, 1), 40, secret)).toEqual({
      secret,
      wrong: pointsAt(shares, indices),
      attributed: true,
    });
    const more = [...indices, 20, 21, 23];
    expect(reconstruct(corrupted(shares, more, 2), 40, secret)).toBeUndefined();
  });

  it('is sought a bounded number of times', () => {
    const { shares } = dealt('bounded', { threshold: 2, points: upTo(46) });
    const ask = (given: readonly Share[]) => {
      let asked = 0;
      reconstructChecked(given, 2, () => {
        asked += 1;
        return false;
      });
      return asked;
    };
    // 45 shares have 990 pairs, 46 have 1,035.
    expect(ask(corrupted(shares.slice(0, 45), [3, 9], 1))).toBe(992);
    expect(ask(corrupted(shares, [3, 9], 1))).toBe(2);
  });

  it('throws for what the caller got wrong', () => {
    const { shares } = dealt('caller', { threshold: 2, points: upTo(3) });
    const refusal =
      (given: readonly Share[], threshold = 2) =>
      () =>
        reconstructChecked(given, threshold, () => true);
    expect(refusal(shares.slice(0, 1))).toThrow(/too-few-shares/);
    expect(refusal(shares, 0)).toThrow(/invalid-threshold/);
    expect(refusal([...shares, shares[0]!])).toThrow(/duplicate-point/);
    expect(refusal([{ ...shares[0]!, point: 0 }, shares[1]!])).toThrow(/invalid-point/);
  });
});

describe('foreign shares', () => {
  const share = fc.record({
    point: fc.oneof(fc.integer({ min: -1, max: 12 }), fc.double(), fc.constant(2 ** 32)),
    value: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.constant(new Uint8Array(32).fill(255)),
    ),
  });
  const formed = fc.record({
    point: fc.integer({ min: 1, max: 100 }),
    value: fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes) => Uint8Array.from(bytes, (byte, i) => (i === 0 ? byte & 0x3f : byte))),
  });
  const lists = fc.oneof(
    fc.array(share, { maxLength: 10 }),
    fc.uniqueArray(formed, { maxLength: 10, selector: ({ point }) => point }),
  );

  it('give a secret, or nothing, or an error with a code', () => {
    fc.assert(
      fc.property(lists, fc.oneof(fc.nat(10), fc.double()), (shares, threshold) => {
        for (const use of [
          () => reconstructSecret(shares, threshold).length,
          () => sharesAgree(shares, threshold),
          () => reconstructChecked(shares, threshold, () => false) ?? 0,
          () => reconstructChecked(shares, threshold, () => true)?.secret.length,
        ]) {
          try {
            expect([32, 0, true, false, undefined]).toContain(use());
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});
