import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addInPlace,
  addPacked,
  concatBytes,
  copyResidues,
  equalResidues,
  isCanonical,
  modulusForSum,
  packedLength,
  packResidues,
  type Residues,
  reduceWords,
  residuesFrom,
  subtractInPlace,
  sumResidues,
  toBigInts,
  toNumbers,
  unpackResidues,
  zeroResidues,
} from '../../../protocols/index.ts';

const moduli = [
  2n,
  3n,
  7n,
  256n,
  1_000_003n,
  2n ** 31n,
  2n ** 32n - 5n,
  2n ** 32n,
  2n ** 32n + 15n,
  2n ** 40n,
  2n ** 63n + 29n,
  2n ** 64n - 59n,
  2n ** 64n,
  2n ** 64n + 13n,
  2n ** 100n,
  3n ** 90n,
];

const vectors = (count: number) =>
  fc
    .tuple(fc.constantFrom(...moduli), fc.nat(20))
    .chain(([modulus, length]) =>
      fc.tuple(
        fc.constant(modulus),
        fc.array(
          fc.array(
            fc.oneof(
              fc.bigInt({ min: 0n, max: modulus - 1n }),
              fc.constantFrom(0n, 1n, modulus - 1n),
            ),
            { minLength: length, maxLength: length },
          ),
          { minLength: count, maxLength: count },
        ),
      ),
    );

const modulo = (value: bigint, modulus: bigint) => ((value % modulus) + modulus) % modulus;

it.each([
  [2n ** 32n, 'u32'],
  [2n ** 32n + 1n, 'u64'],
  [2n ** 64n, 'u64'],
  [2n ** 64n + 1n, 'wide'],
  [2n, 'u32'],
])('holds residues mod %s in the lane %s', (modulus, lane) => {
  expect(zeroResidues(modulus, 3).lane).toBe(lane);
});

it('adds and subtracts as bigint does, on every lane', () => {
  fc.assert(
    fc.property(vectors(2), ([modulus, [left, right]]) => {
      const sum = residuesFrom(left!, modulus);
      addInPlace(sum, residuesFrom(right!, modulus));
      expect(toBigInts(sum)).toEqual(left!.map((value, i) => modulo(value + right![i]!, modulus)));
      const difference = residuesFrom(left!, modulus);
      subtractInPlace(difference, residuesFrom(right!, modulus));
      expect(toBigInts(difference)).toEqual(
        left!.map((value, i) => modulo(value - right![i]!, modulus)),
      );
    }),
    { numRuns: 400 },
  );
});

it('sums many, leaving them as they were', () => {
  fc.assert(
    fc.property(vectors(5), ([modulus, inputs]) => {
      const given = inputs.map((values) => residuesFrom(values, modulus));
      const before = given.map(copyResidues);
      const sum = sumResidues(given);
      expect(toBigInts(sum)).toEqual(
        inputs[0]!.map((_, i) =>
          modulo(
            inputs.reduce((total, values) => total + values[i]!, 0n),
            modulus,
          ),
        ),
      );
      given.forEach((vector, i) => {
        expect(equalResidues(vector, before[i]!)).toBe(true);
      });
    }),
  );
});

it('refuses to add what does not match', () => {
  const vector = zeroResidues(16n, 3);
  expect(() => addInPlace(vector, zeroResidues(16n, 4))).toThrow(/mismatched-residues/);
  expect(() => addInPlace(vector, zeroResidues(17n, 3))).toThrow(/mismatched-residues/);
  const forged: Residues = { lane: 'wide', modulus: 16n, values: [1n, 1n, 1n] };
  expect(() => addInPlace(vector, forged)).toThrow(/mismatched-residues/);
  expect(() => sumResidues([])).toThrow(/invalid-argument/);
});

it('reduces words that wrapped around', () => {
  const words: Residues = {
    lane: 'u32',
    modulus: 2n ** 20n,
    values: Uint32Array.of(2 ** 32 - 1, 2 ** 20, 5),
  };
  reduceWords(words);
  expect(toNumbers(words)).toEqual([2 ** 20 - 1, 0, 5]);
});

it.each([
  [0n, 1, 2n],
  [1n, 1, 2n],
  [1n, 2, 4n],
  [255n, 1, 256n],
  [255n, 256, 65_536n],
  [2n ** 32n - 1n, 5, 2n ** 35n],
])('finds the modulus for a maximum of %s from %s clients', (maximum, clients, modulus) => {
  expect(modulusForSum(maximum, clients)).toBe(modulus);
});

it('finds the smallest power of two above every sum', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 80n }),
      fc.integer({ min: 1, max: 10_000 }),
      (m, n) => {
        const modulus = modulusForSum(m, n);
        expect(modulus > m * BigInt(n)).toBe(true);
        expect(modulus === 2n || modulus / 2n <= m * BigInt(n)).toBe(true);
        expect(modulus & (modulus - 1n)).toBe(0n);
      },
    ),
  );
});

it('knows what was built elsewhere with values or arrays that are not residues', () => {
  for (const modulus of moduli) {
    expect(isCanonical(residuesFrom([0n, 1n, modulus - 1n], modulus))).toBe(true);
  }
  const forged: unknown[] = [
    { lane: 'u32', modulus: 5n, values: Uint32Array.of(4, 5) },
    { lane: 'u32', modulus: 5n, values: [0.5] },
    { lane: 'u32', modulus: 2n ** 32n, values: [0] },
    { lane: 'u32', modulus: 5n, values: BigUint64Array.of(1n) },
    { lane: 'u32', modulus: 2n ** 33n, values: Uint32Array.of(1) },
    { lane: 'u32', modulus: 1n, values: Uint32Array.of(0) },
    { lane: 'u64', modulus: 2n ** 33n, values: BigUint64Array.of(2n ** 33n) },
    { lane: 'u64', modulus: 5n, values: BigUint64Array.of(1n) },
    { lane: 'wide', modulus: 2n ** 65n, values: [2n ** 65n] },
    { lane: 'wide', modulus: 2n ** 65n, values: [-1n] },
    { lane: 'wide', modulus: 2n ** 65n, values: [1] },
    { lane: 'wide', modulus: 5n, values: [1n] },
  ];
  for (const residues of forged) expect(isCanonical(residues as Residues)).toBe(false);
});

it('adds a packed vector, or leaves the sum as it was', () => {
  fc.assert(
    fc.property(vectors(2), ([modulus, [left, right]]) => {
      const sum = residuesFrom(left!, modulus);
      addPacked(sum, packResidues(residuesFrom(right!, modulus)));
      expect(toBigInts(sum)).toEqual(left!.map((value, i) => modulo(value + right![i]!, modulus)));
    }),
    { numRuns: 200 },
  );
  for (const modulus of [5n, 2n ** 40n + 15n, 2n ** 64n + 13n]) {
    const sum = residuesFrom([1n, 2n, 3n], modulus);
    const bytes = packResidues(residuesFrom([1n, 2n, 3n], modulus));
    const refusals: [Uint8Array, RegExp][] = [
      [bytes.subarray(1), /invalid-length/],
      [concatBytes(bytes, bytes), /invalid-length/],
      [new Uint8Array(bytes.length).fill(255), /non-canonical/],
      [bytes.with(bytes.length - 1, 0x80), /non-canonical.*bits/],
      [bytes.map((byte, i) => (i < bytes.length - 1 ? 255 : byte)), /non-canonical/],
    ];
    for (const [refused, error] of refusals) {
      expect(() => addPacked(sum, refused)).toThrow(error);
      expect(toBigInts(sum)).toEqual([1n, 2n, 3n]);
    }
  }
});

describe('taking plain integers', () => {
  it('accepts typed arrays and arrays', () => {
    expect(toNumbers(residuesFrom(Int32Array.of(0, 7), 8n))).toEqual([0, 7]);
    expect(toNumbers(residuesFrom(BigInt64Array.of(0n, 7n), 8n))).toEqual([0, 7]);
    expect(toBigInts(residuesFrom([0, 2 ** 53 - 1], 2n ** 70n))).toEqual([0n, 2n ** 53n - 1n]);
  });

  it.each([
    [[1, -1], /out-of-range.*position 1/],
    [[8], /out-of-range/],
    [[Number.NaN], /not-an-integer/],
    [[Number.POSITIVE_INFINITY], /not-an-integer/],
    [[0.5], /not-an-integer/],
    [[2 ** 53], /not-an-integer/],
  ])('refuses %s mod 8', (values, error) => {
    expect(() => residuesFrom(values, 8n)).toThrow(error);
  });

  it('keeps to a maximum for each element, and does not tell the value', () => {
    expect(() => residuesFrom([3, 5], 8n, [3n, 4n])).toThrow(/position 1 is not in \[0, 4\]/);
    expect(() => residuesFrom([3, 5], 8n, [3n])).toThrow(/invalid-length/);
  });

  it('refuses moduli below 2 and impossible lengths', () => {
    expect(() => zeroResidues(1n, 1)).toThrow(/invalid-modulus/);
    expect(() => zeroResidues(2n, -1)).toThrow(/invalid-length/);
    expect(() => modulusForSum(-1n, 1)).toThrow(/invalid-argument/);
  });

  it('refuses numbers that would be rounded', () => {
    expect(() => toNumbers(residuesFrom([2n ** 53n], 2n ** 60n))).toThrow(/out-of-range/);
  });
});

describe('packing', () => {
  it('takes exactly ceil(log2 R) bits a value and comes back', () => {
    fc.assert(
      fc.property(vectors(1), ([modulus, [values]]) => {
        const residues = residuesFrom(values!, modulus);
        const bytes = packResidues(residues);
        expect(bytes.length).toBe(packedLength(modulus, values!.length));
        expect(equalResidues(unpackResidues(bytes, modulus, values!.length), residues)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it('has a fixed layout', () => {
    expect([...packResidues(residuesFrom([1, 2, 3, 4, 4], 5n))]).toEqual([0xd1, 0x48]);
    expect([...packResidues(residuesFrom([0x01020304], 2n ** 32n))]).toEqual([4, 3, 2, 1]);
  });

  it('refuses another length, values of R and above, and bits behind the last value', () => {
    expect(() => unpackResidues(new Uint8Array(2), 5n, 4)).not.toThrow();
    expect(() => unpackResidues(new Uint8Array(3), 5n, 4)).toThrow(/invalid-length/);
    expect(() => unpackResidues(new Uint8Array(1), 5n, 4)).toThrow(/invalid-length/);
    expect(() => unpackResidues(Uint8Array.of(0b101), 5n, 1)).toThrow(/non-canonical/);
    expect(() => unpackResidues(packResidues(residuesFrom([97n], 2n ** 7n)), 97n, 1)).toThrow(
      /non-canonical/,
    );
    expect(() => unpackResidues(Uint8Array.of(0b111), 5n, 1)).toThrow(/non-canonical/);
    expect(() => unpackResidues(Uint8Array.of(0b1000), 5n, 1)).toThrow(/non-canonical/);
    expect(() => unpackResidues(new Uint8Array(9).fill(255), 2n ** 64n + 13n, 1)).toThrow(
      /non-canonical/,
    );
  });
});
