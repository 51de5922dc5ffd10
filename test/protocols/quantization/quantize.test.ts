/** @file A client's floats as integers: what is refused (attack 16), what is clipped, and chance. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deterministicRng,
  ProtocolError,
  type QuantizationInput,
  quantization,
  quantizeInput,
  quantizeWeight,
} from '../../../protocols/index.ts';

const seeded = (seed: number) => deterministicRng(Uint8Array.of(seed));
const floats = (...values: number[]) => Float32Array.from(values);

describe('refuses, naming the position and not the value', () => {
  const secret = 771.25;
  test.each<[string, QuantizationInput, string, RegExp]>([
    ['NaN', { vectors: [floats(1, Number.NaN)] }, 'not-finite', /position 1 is/],
    [
      'NaN in a later tensor',
      { vectors: [floats(1), floats(0, 0, Number.NaN)] },
      'not-finite',
      /position 2 in tensor 1/,
    ],
    [
      'infinity',
      { vectors: [floats(Number.POSITIVE_INFINITY)] },
      'not-finite',
      /position 0 is not a finite/,
    ],
    ['minus infinity', { vectors: [floats(0, Number.NEGATIVE_INFINITY)] }, 'not-finite', /1/],
    [
      'a value out of the range, if asked',
      { vectors: [floats(8, -8, secret)], onClip: 'refuse' },
      'out-of-range',
      /position 2 is outside of \[-8, 8\]/,
    ],
    ['a weight of NaN', { vectors: [], weight: Number.NaN }, 'not-finite', /weight/],
    [
      'an endless weight',
      { vectors: [], weight: Number.POSITIVE_INFINITY },
      'not-finite',
      /weight/,
    ],
    ['a negative weight', { vectors: [], weight: -0.5 }, 'out-of-range', /negative/],
    ['a negative int64 weight', { vectors: [], weight: -1n }, 'out-of-range', /negative/],
    ['a weight above the maximum', { vectors: [], weight: 1000.5 }, 'out-of-range', /1000$/],
    ['an int64 weight above it', { vectors: [], weight: 1001n }, 'out-of-range', /larger than/],
  ])('%s', (_what, input, code, message) => {
    let error: unknown;
    try {
      quantizeInput(quantization(), input, { rng: seeded(1) });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(ProtocolError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain('771');
    expect(String(error)).not.toContain('1001');
  });

  test('and leaves no random bytes behind', () => {
    const drawn: Uint8Array[] = [];
    const rng = (n: number) => {
      const bytes = new Uint8Array(n).fill(255);
      drawn.push(bytes);
      return bytes;
    };
    expect(() =>
      quantizeInput(quantization(), { vectors: [floats(1, Number.NaN)] }, { rng }),
    ).toThrow();
    quantizeInput(quantization(), { vectors: [floats(1, 2, 3)] }, { rng });
    expect(drawn.map(({ length }) => length)).toEqual([8, 12]);
    expect(drawn.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
  });
});

test('clips what is out of the range, and counts it', () => {
  const settings = quantization({ clippingRange: 2, quantizationRange: 5 });
  const { levels, clipped } = quantizeInput(
    settings,
    { vectors: [floats(-2, -3e38, 2.0000002, 2), floats(-1, 0, 1, 1e30)] },
    { rng: seeded(2) },
  );
  expect([...levels]).toEqual([0, 0, 4, 4, 1, 2, 3, 4]);
  expect(clipped).toBe(3);
});

test('a value on a level stays there, whatever chance says', () => {
  for (const byte of [0, 255]) {
    const rng = (n: number) => new Uint8Array(n).fill(byte);
    const settings = quantization({ clippingRange: 8, quantizationRange: 17 });
    const values = Float32Array.from({ length: 17 }, (_, level) => level - 8);
    const { levels } = quantizeInput(settings, { vectors: [values] }, { rng });
    expect([...levels]).toEqual(Array.from({ length: 17 }, (_, level) => level));
  }
});

test('no value leaves the levels, whatever doubles make of the ends of its range', () => {
  for (const clippingRange of [8, 0.1, 1e-30, 3.3e37]) {
    for (const quantizationRange of [2, 3, 2 ** 22, 2 ** 31 - 1, 2 ** 31]) {
      for (const byte of [0, 255]) {
        const rng = (n: number) => new Uint8Array(n).fill(byte);
        const settings = quantization({
          clippingRange: Math.fround(clippingRange),
          quantizationRange,
        });
        const end = settings.clippingRange;
        const { levels } = quantizeInput(settings, { vectors: [[-end, end]] }, { rng });
        const [low = -1, high = -1] = levels;
        const top = quantizationRange - 1;
        expect(low === 0 || (low === 1 && top > 2 ** 24)).toBe(true);
        expect(high === top || (high === top - 1 && top > 2 ** 24)).toBe(true);
      }
    }
  }
});

test('no last bit of a product leads out of the levels', () => {
  // Always up, where there is anything above a level.
  const rng = (n: number) => new Uint8Array(n);
  for (let i = 1; i <= 3000; i += 1) {
    const settings = quantization({
      clippingRange: 1 + i / 3001,
      quantizationRange: 2 ** (3 + (i % 28)) - (i % 4),
    });
    const end = settings.clippingRange;
    const { levels } = quantizeInput(settings, { vectors: [[-end, end]] }, { rng });
    expect(levels[0]).toBeGreaterThanOrEqual(0);
    expect(levels[1]).toBeLessThanOrEqual(settings.quantizationRange - 1);
  }
});

describe('draws', () => {
  test('4 bytes a value, 64 KiB at a time, over all tensors', () => {
    const portions: number[] = [];
    const rng = (n: number) => {
      portions.push(n);
      return new Uint8Array(n);
    };
    const vectors = [new Float32Array(10_000), new Float32Array(0), new Float32Array(10_000)];
    quantizeInput(quantization(), { vectors, weight: 3 }, { rng });
    expect(portions).toEqual([65_536, 80_000 - 65_536]);
  });

  test('the same for the same seed, wherever the bytes lie in memory', () => {
    const values = Float32Array.from({ length: 40_000 }, (_, i) => Math.sin(i));
    const aligned = quantizeInput(quantization(), { vectors: [values] }, { rng: seeded(3) });
    const source = seeded(3);
    const shifted = quantizeInput(
      quantization(),
      { vectors: [values] },
      {
        rng: (n) => {
          const bytes = new Uint8Array(n + 1).subarray(1);
          bytes.set(source(n));
          return bytes;
        },
      },
    );
    expect(shifted.levels).toEqual(aligned.levels);
  });

  test('no result from a source that gives less than it is asked for', () => {
    const rng = () => new Uint8Array(3);
    expect(() => quantizeInput(quantization(), { vectors: [floats(1)] }, { rng })).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});

describe('stochastic rounding', () => {
  const settings = quantization({ clippingRange: 1, quantizationRange: 3 });
  const COUNT = 200_000;

  // 5 deviations of the frequency: one run in 1.7 million fails by chance, and the seed is fixed.
  test.each([0.5, 0.25, 0.9, 0.001, 0.999, 1 / 3])(
    'goes up with the probability of the fraction, %s',
    (fraction) => {
      const value = Math.fround(fraction);
      const { levels } = quantizeInput(
        settings,
        { vectors: [new Float32Array(COUNT).fill(value)] },
        { rng: seeded(4) },
      );
      const up = levels.reduce((total, level) => total + (level - 1), 0) / COUNT;
      expect(levels.every((level) => level === 1 || level === 2)).toBe(true);
      expect(Math.abs(up - value)).toBeLessThan(5 * Math.sqrt((value * (1 - value)) / COUNT));
    },
  );

  test('is independent from value to value', () => {
    const { levels } = quantizeInput(
      settings,
      { vectors: [new Float32Array(COUNT).fill(0.5)] },
      { rng: seeded(5) },
    );
    for (const lag of [1, 2, 7, 16_384]) {
      let agreement = 0;
      for (let i = lag; i < COUNT; i += 1) agreement += levels[i] === levels[i - lag] ? 1 : -1;
      expect(Math.abs(agreement)).toBeLessThan(5 * Math.sqrt(COUNT));
    }
  });

  test('is independent from tensor to tensor', () => {
    const vectors = Array.from({ length: 4000 }, () => Float32Array.of(0.5));
    const { levels } = quantizeInput(settings, { vectors }, { rng: seeded(9) });
    const up = levels.reduce((total, level) => total + (level - 1), 0);
    expect(Math.abs(up - 2000)).toBeLessThan(5 * 0.5 * Math.sqrt(4000));
  });

  test('has no bias over values of all kinds, weighed or not', () => {
    const fine = quantization({ quantizationRange: 1001 });
    for (const weight of [undefined, 1000, 77, 0.4]) {
      const values = Float32Array.from({ length: COUNT }, (_, i) => 8 * Math.sin(i * i));
      const { levels } = quantizeInput(fine, { vectors: [values], weight }, { rng: seeded(6) });
      const start = weight === undefined ? 0 : 1;
      const ratio = weight === undefined ? 1 : (levels[0] ?? 0) / fine.weightLevels;
      let error = 0;
      for (let i = 0; i < COUNT; i += 1) {
        error += (levels[start + i] ?? 0) - ((ratio * (values[i] ?? 0)) / fine.step + 500);
      }
      // A level up or down has a deviation of half a level at most.
      expect(Math.abs(error)).toBeLessThan(5 * 0.5 * Math.sqrt(COUNT));
    }
  });
});

describe('weights', () => {
  test('that are whole become whole numbers of levels, exactly', () => {
    for (const maxWeight of [1, 2, 1000, 65_537, 4_194_303]) {
      const settings = quantization({ maxWeight });
      const unit = settings.weightLevels / maxWeight;
      expect(Number.isInteger(unit)).toBe(true);
      for (const weight of [0, 1, Math.floor(maxWeight / 3), maxWeight - 1, maxWeight]) {
        expect(quantizeWeight(settings, weight)).toBe(weight * unit);
        expect(quantizeWeight(settings, BigInt(weight))).toBe(weight * unit);
      }
    }
  });

  test('are half a level off at most', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 2 ** 31 }),
        fc.double({ min: 1e-30, max: 1e30, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (quantizationRange, maxWeight, share) => {
          const settings = quantization({ quantizationRange, maxWeight });
          const weight = Math.min(maxWeight, share * maxWeight);
          const level = quantizeWeight(settings, weight);
          expect(Number.isInteger(level)).toBe(true);
          expect(level).toBeGreaterThanOrEqual(0);
          expect(level).toBeLessThanOrEqual(settings.weightLevels);
          const exact = (weight / maxWeight) * settings.weightLevels;
          expect(Math.abs(level - exact)).toBeLessThanOrEqual(0.5 + 2 ** -20);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('lead the levels', () => {
    const { levels } = quantizeInput(
      quantization({ maxWeight: 10, quantizationRange: 101 }),
      { vectors: [floats(8)], weight: 5 },
      { rng: seeded(7) },
    );
    expect([...levels]).toEqual([50, 75]);
  });
});
