import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  concatBytes,
  fromHex,
  ProtocolError,
  type Rng,
  randomFieldElement,
  reconstructSecret,
  SecretBytes,
  type Share,
  sharesAgree,
  splitSecret,
  toHex,
} from '../../../protocols/index.ts';
import { weightsAtZero } from '../../../protocols/shamir/lagrange.ts';
import { PrimeField } from '../../../protocols/shamir/prime-field.ts';
import { chiSquare, chiSquareLimit, seeded } from '../support.ts';
import {
  dealt,
  element,
  elements,
  numberOf,
  P,
  pointSets,
  secret,
  shifted,
  upTo,
} from './support.ts';
import vectors from './vectors.json' with { type: 'json' };

/** What a call threw, by its code. */
function codeOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'nothing';
}

/** A source that gives these bytes and then no more. */
function scripted(bytes: Uint8Array): Rng {
  let next = 0;
  return (length) => {
    const drawn = bytes.slice(next, next + length);
    next += length;
    return drawn;
  };
}

const sharings = fc
  .tuple(pointSets(1, 12), fc.nat(), elements, fc.nat())
  .map(([points, threshold, value, seed]) => ({
    points,
    threshold: 1 + (threshold % points.length),
    value,
    seed,
  }));

function split({
  points,
  threshold,
  value,
  seed,
}: {
  readonly points: readonly number[];
  readonly threshold: number;
  readonly value: bigint;
  readonly seed: number;
}): Share[] {
  const values = splitSecret(secret(value), { threshold, points }, seeded(seed));
  return points.map((point, i) => ({ point, value: values[i]!.reveal() }));
}

describe('a shared secret', () => {
  it.each(vectors.cases)('has the shares computed elsewhere: $note', (vector) => {
    const { threshold, points } = vector;
    const drawn = concatBytes(...vector.coefficients.map(fromHex));
    const shares = splitSecret(
      new SecretBytes(fromHex(vector.secret)),
      { threshold, points },
      scripted(drawn),
    );
    expect(shares.map((share) => toHex(share.reveal()))).toEqual(vector.shares);
    const given = points.map((point, i) => ({ point, value: fromHex(vector.shares[i]!) }));
    expect(toHex(reconstructSecret(given, threshold).reveal())).toBe(vector.secret);
    expect(toHex(reconstructSecret(given.reverse(), threshold).reveal())).toBe(vector.secret);
  });

  it('comes back from any threshold of shares, in any order', () => {
    fc.assert(
      fc.property(sharings, fc.infiniteStream(fc.nat()), (sharing, random) => {
        const shares = split(sharing);
        const shuffled = shares
          .map((share) => ({ share, key: random.next().value }))
          .sort((left, right) => left.key - right.key)
          .map(({ share }) => share);
        const given = shuffled.slice(0, sharing.threshold);
        expect(numberOf(reconstructSecret(given, sharing.threshold))).toBe(sharing.value);
        expect(sharesAgree(shuffled, sharing.threshold)).toBe(true);
      }),
    );
  });

  it('comes back from 100 shares of 150, and of sets of points that were used before', () => {
    const { secret: value, shares } = dealt('many', { threshold: 100, points: upTo(150) });
    for (let round = 0; round < 3; round += 1) {
      for (let start = 0; start <= 50; start += 5) {
        const given = shares.slice(start, start + 100);
        expect(numberOf(reconstructSecret(given, 100))).toBe(value);
      }
    }
  });

  it('is consistent with one share less, whatever it is', () => {
    fc.assert(
      fc.property(sharings, elements, (sharing, other) => {
        // Any other secret has exactly one polynomial through the shares, so they exclude none.
        const known = split(sharing).slice(0, sharing.threshold - 1);
        const field = new PrimeField(P);
        const free = Array.from({ length: 13 }, (_, i) => 2 ** 32 - 1 - i);
        const used = known.map(({ point }) => point);
        const points = [...used, free.find((point) => !used.includes(point)) as number];
        const weights = weightsAtZero(field, points);
        const rest = known.reduce(
          (sum, { value }, i) => sum - weights[i]! * BigInt(`0x${toHex(value)}`),
          other,
        );
        const missing = field.reduce(rest * field.invert(weights.at(-1)!));
        const completed = [...known, { point: points.at(-1)!, value: element(missing) }];
        expect(numberOf(reconstructSecret(completed, sharing.threshold))).toBe(other);
      }),
    );
  });

  it('leaves shares below the threshold uniform: a bit of each, and both together', () => {
    // Two shares of threshold 3, of a secret that is always the same: four cells, all alike.
    const rng = seeded('uniform shares');
    const counts = [0, 0, 0, 0];
    for (let draw = 0; draw < 4000; draw += 1) {
      const [first, second] = splitSecret(secret(1n), { threshold: 3, points: [1, 2, 3] }, rng);
      counts[2 * (first!.reveal()[31]! & 1) + ((second!.reveal()[5]! >> 3) & 1)]! += 1;
    }
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(4));
  });

  it('adds up as its shares do', () => {
    const pairs = fc.tuple(pointSets(2, 8), elements, elements, fc.nat());
    fc.assert(
      fc.property(pairs, ([points, left, right, seed]) => {
        const threshold = points.length - 1;
        const sharing = { points, threshold };
        const lefts = split({ ...sharing, value: left, seed });
        const rights = split({ ...sharing, value: right, seed: seed + 1 });
        const sums = lefts.map((share, i) =>
          shifted(share, BigInt(`0x${toHex(rights[i]!.value)}`)),
        );
        expect(sharesAgree(sums, threshold)).toBe(true);
        expect(numberOf(reconstructSecret(sums, threshold))).toBe((left + right) % P);
      }),
    );
  });

  it('has other shares each time, and the same from the same seed', () => {
    const sharing = { points: [1, 2], threshold: 2, value: 5n };
    expect(split({ ...sharing, seed: 1 })).toEqual(split({ ...sharing, seed: 1 }));
    expect(split({ ...sharing, seed: 1 })).not.toEqual(split({ ...sharing, seed: 2 }));
  });

  it('is split with coefficients that are drawn anew where they are no elements', () => {
    const splitWith = (...coefficients: readonly bigint[]) =>
      splitSecret(
        secret(1n),
        { threshold: 3, points: [1, 2, 3] },
        scripted(
          concatBytes(
            ...coefficients.map((value) => fromHex(value.toString(16).padStart(64, '0'))),
          ),
        ),
      ).map(numberOf);
    const expected = splitWith(7n, 5n);
    expect(splitWith(P + 3n, 5n, 7n)).toEqual(expected);
    expect(splitWith((1n << 256n) - 1n, 5n, 7n)).toEqual(expected);
    expect(splitWith((1n << 255n) + 7n, 5n)).toEqual(expected);
  });

  it('is split with coefficients that are overwritten', () => {
    const drawn: Uint8Array[] = [];
    const rng = seeded(1);
    const points = [1, 2, 3, 4];
    splitSecret(secret(1n), { threshold: 4, points }, (length) => {
      const bytes = rng(length);
      drawn.push(bytes);
      return bytes;
    });
    expect(drawn.reduce((length, bytes) => length + bytes.length, 0)).toBe(3 * 32);
    for (const bytes of drawn) expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('stays the caller’s, who erases it', () => {
    const kept = secret(77n);
    splitSecret(kept, { threshold: 2, points: [1, 2] }, seeded(1));
    expect(numberOf(kept)).toBe(77n);
    kept.erase();
    expect(codeOf(() => splitSecret(kept, { threshold: 1, points: [1] }, seeded(1)))).toBe(
      'secret-erased',
    );
  });
});

describe('a secret to share is refused', () => {
  const points = [1, 2, 3];
  const refusal = (changes: {
    readonly value?: Uint8Array;
    readonly threshold?: number;
    readonly points?: readonly number[];
  }) =>
    codeOf(() =>
      splitSecret(
        new SecretBytes(changes.value ?? element(1n)),
        { threshold: changes.threshold ?? 2, points: changes.points ?? points },
        seeded(1),
      ),
    );

  it('with a threshold below 1, above the number of points, or not whole', () => {
    for (const threshold of [0, -1, 4, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(refusal({ threshold }), `${threshold}`).toBe('invalid-threshold');
    }
    expect(refusal({ threshold: 1, points: [] })).toBe('invalid-threshold');
    expect(refusal({ threshold: 3 })).toBe('nothing');
  });

  it('at 0, beyond 32 bits, at what is no whole number, or twice at one point', () => {
    for (const point of [0, -1, 2 ** 32, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(refusal({ points: [1, point, 3] }), `${point}`).toBe('invalid-point');
    }
    expect(refusal({ points: [1, 2, 1] })).toBe('duplicate-point');
    expect(refusal({ points: upTo(2 ** 15 + 1) })).toBe('invalid-argument');
  });

  it('unless it is an element of 32 bytes', () => {
    for (const length of [0, 31, 33]) {
      expect(refusal({ value: new Uint8Array(length) })).toBe('invalid-length');
    }
    expect(refusal({ value: element(P - 1n) })).toBe('nothing');
    for (let excess = 0n; excess < 19n; excess += 1n) {
      const value = fromHex((P + excess).toString(16));
      expect(refusal({ value }), `p + ${excess}`).toBe('non-canonical');
    }
    expect(refusal({ value: new Uint8Array(32).fill(255) })).toBe('non-canonical');
    expect(refusal({ value: Uint8Array.from([128, ...new Uint8Array(31)]) })).toBe('non-canonical');
  });

  it('with a source of randomness that gives too little', () => {
    expect(
      codeOf(() => splitSecret(secret(1n), { threshold: 3, points }, () => new Uint8Array(32))),
    ).toBe('invalid-argument');
  });
});

describe('shares are refused', () => {
  const { shares } = dealt('refused', { threshold: 3, points: upTo(5) });
  const replaced = (index: number, change: Partial<Share>) =>
    shares.map((share, i) => (i === index ? { ...share, ...change } : share));
  const refusal = (given: readonly Share[], threshold = 3) =>
    codeOf(() => reconstructSecret(given, threshold));

  it('where they are too few', () => {
    expect(refusal(shares.slice(0, 3))).toBe('nothing');
    expect(refusal(shares.slice(0, 2))).toBe('too-few-shares');
    expect(refusal([])).toBe('too-few-shares');
  });

  it('with a threshold that is none', () => {
    for (const threshold of [0, -1, 2.5, Number.NaN]) {
      expect(refusal(shares, threshold)).toBe('invalid-threshold');
    }
  });

  it('at a point that is none, or twice at one; the surplus ones too', () => {
    for (const index of [0, 4]) {
      for (const point of [0, -2, 2 ** 32, 0.5, Number.NaN]) {
        expect(refusal(replaced(index, { point })), `${point}`).toBe('invalid-point');
      }
      expect(refusal(replaced(index, { point: 3 }))).toBe('duplicate-point');
    }
  });

  it('with a value that is no element; the surplus ones too', () => {
    for (const index of [0, 4]) {
      for (const length of [0, 31, 33]) {
        expect(refusal(replaced(index, { value: new Uint8Array(length) }))).toBe('invalid-length');
      }
      for (let excess = 0n; excess < 19n; excess += 1n) {
        const value = fromHex((P + excess).toString(16));
        expect(refusal(replaced(index, { value }))).toBe('non-canonical');
      }
      const high = shares[index]!.value.slice();
      high[0]! |= 128;
      expect(refusal(replaced(index, { value: high }))).toBe('non-canonical');
    }
  });
});

describe('agreement of shares', () => {
  it('ends with any one that is changed, where there are more than the threshold', () => {
    fc.assert(
      fc.property(sharings, fc.nat(), fc.bigInt({ min: 1n, max: P - 1n }), (sharing, at, by) => {
        const shares = split(sharing);
        const index = at % shares.length;
        const changed = shares.map((share, i) => (i === index ? shifted(share, by) : share));
        expect(sharesAgree(changed, sharing.threshold)).toBe(shares.length === sharing.threshold);
      }),
    );
  });

  it('ends where the polynomial has one coefficient more', () => {
    const { shares } = dealt('degree', { threshold: 4, points: upTo(9) });
    expect(sharesAgree(shares, 4)).toBe(true);
    expect(sharesAgree(shares, 3)).toBe(false);
  });

  it('ends with a share that is no element', () => {
    const { shares } = dealt('form', { threshold: 2, points: upTo(4) });
    const cut = { point: 1, value: new Uint8Array(31) };
    expect(sharesAgree([...shares.slice(1), cut], 2)).toBe(false);
    const fives = [1, 2, 3].map((point) => ({ point, value: element(5n) }));
    const excessive = { point: 4, value: fromHex((P + 5n).toString(16)) };
    expect(sharesAgree(fives, 1)).toBe(true);
    expect(sharesAgree([...fives, excessive], 1)).toBe(false);
  });
});

describe('a field element', () => {
  it('is drawn anew for the 19 values of 255 bits that are none', () => {
    for (let excess = -3n; excess < 19n; excess += 1n) {
      for (const top of [0n, 1n << 255n]) {
        const first = fromHex((top + P + excess).toString(16).padStart(64, '0'));
        const drawn = randomFieldElement(scripted(concatBytes(first, element(5n))));
        expect(numberOf(drawn)).toBe(excess < 0n ? P + excess : 5n);
      }
    }
  });

  it('is uniform in its highest and lowest bits', () => {
    const rng = seeded('elements');
    const counts = new Array<number>(16).fill(0);
    for (let draw = 0; draw < 8000; draw += 1) {
      const bytes = randomFieldElement(rng).reveal();
      counts[2 * (bytes[0]! >> 4) + (bytes[31]! & 1)]! += 1;
    }
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(16));
  });

  it('is refused from a source that is stuck', () => {
    expect(codeOf(() => randomFieldElement((length) => new Uint8Array(length).fill(255)))).toBe(
      'invalid-argument',
    );
  });
});

describe('interpolation over another prime', () => {
  it('gives the secret of shares made by federated-compute, modulo 2147483659', () => {
    // The second word of each share in its test with precomputed shares; the secret is 33.
    const field = new PrimeField(2_147_483_659n);
    const values = [1_859_430_940n, 652_972_492n, 675_592_007n, 1_927_289_485n, 113_097_608n];
    for (const indices of [
      [0, 1, 2],
      [1, 2, 4],
      [4, 3, 0],
    ]) {
      const weights = weightsAtZero(
        field,
        indices.map((i) => i + 1),
      );
      const sum = indices.reduce((total, i, k) => total + weights[k]! * values[i]!, 0n);
      expect(field.reduce(sum)).toBe(33n);
    }
  });
});
