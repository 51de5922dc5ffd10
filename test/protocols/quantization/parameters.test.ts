/** @file The rules of quantisation: Flower's defaults, and its rules as errors (attacks 15 and 17). */

import { describe, expect, test } from 'vitest';
import {
  modulusForSum,
  ProtocolError,
  type QuantizationOptions,
  quantization,
  requireNoOverflow,
} from '../../../protocols/index.ts';

const failure = (attempt: () => unknown): ProtocolError => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error('expected a failure');
};

test("the defaults are Flower's; the modulus grows as needed", () => {
  const defaults = quantization();
  expect(defaults).toMatchObject({
    clippingRange: 8,
    quantizationRange: 4194304,
    maxWeight: 1000,
    modulusRange: 2 ** 62,
  });
  expect(defaults.step).toBe(16 / 4194303);
  expect(quantization({ clippingRange: undefined })).toEqual(defaults);
});

test.each<[string, QuantizationOptions, RegExp]>([
  ['no clipping range', { clippingRange: 0 }, /clippingRange .* got 0/],
  ['a negative clipping range', { clippingRange: -8 }, /clippingRange .* got -8/],
  ['an endless clipping range', { clippingRange: Number.POSITIVE_INFINITY }, /got Infinity/],
  ['a clipping range that is no number', { clippingRange: Number.NaN }, /got NaN/],
  ['a clipping range of text', { clippingRange: '8' as unknown as number }, /clippingRange/],
  ['a clipping range beyond float32', { clippingRange: 1e39 }, /2\^127/],
  ['a clipping range below float32', { clippingRange: 1e-40 }, /2\^-126/],
  ['one level', { quantizationRange: 1 }, /quantizationRange .* got 1$/],
  ['half a level', { quantizationRange: 2.5 }, /quantizationRange .* got 2.5/],
  ['more levels than int32 has', { quantizationRange: 2 ** 31 + 1 }, /2147483648/],
  ['levels without number', { quantizationRange: Number.NaN }, /got NaN/],
  ['no weight', { maxWeight: 0 }, /maxWeight .* got 0/],
  ['a negative weight', { maxWeight: -1 }, /maxWeight .* got -1/],
  ['an endless weight', { maxWeight: Number.POSITIVE_INFINITY }, /maxWeight/],
  ['a modulus that is no power of two', { modulusRange: 2 ** 32 - 1 }, /power of two/],
  ['a modulus of nothing', { modulusRange: 0 }, /power of two/],
  ['a negative modulus', { modulusRange: -4 }, /power of two/],
  ['an endless modulus', { modulusRange: Number.POSITIVE_INFINITY }, /power of two/],
  ['a modulus above 2^62', { modulusRange: 2 ** 63 }, /2\^62/],
  ['a modulus no larger than the levels', { modulusRange: 2 ** 22 }, /larger than/],
  ['attack 17: modulus 2, range 1', { modulusRange: 2, quantizationRange: 1 }, /quantizationRange/],
])('refuses %s', (_what, options, message) => {
  const error = failure(() => quantization(options));
  expect(error.code).toBe('invalid-quantization');
  expect(error.message).toMatch(message);
});

describe('an overflow is impossible', () => {
  const flower = quantization({ modulusRange: 2 ** 32 });

  test('1024 clients fit the defaults of Flower, one more does not', () => {
    expect(() => requireNoOverflow(flower, 1024)).not.toThrow();
    const { code, message } = failure(() => requireNoOverflow(flower, 1025));
    expect(code).toBe('modulus-too-small');
    expect(message).toContain('takes 33 bits, and a modulusRange of 4294967296 has 32');
    expect(message).toContain('a modulusRange of at least 8589934592');
    expect(message).toContain('a quantizationRange of at most 4190212');
    expect(message).toContain('at most 1024 clients');
  });

  test('what the message advises is enough, and one step less is not', () => {
    const levels = (quantizationRange: number) =>
      quantization({ quantizationRange, modulusRange: 2 ** 32 });
    expect(() => requireNoOverflow(levels(4190212), 1025)).not.toThrow();
    expect(() => requireNoOverflow(levels(4190213), 1025)).toThrow();
    const larger = quantization({ modulusRange: 8589934592 });
    expect(() => requireNoOverflow(larger, 1025)).not.toThrow();
  });

  test('no number of levels helps a cohort larger than the modulus', () => {
    const small = quantization({ quantizationRange: 2, modulusRange: 4 });
    expect(() => requireNoOverflow(small, 3)).not.toThrow();
    const { message } = failure(() => requireNoOverflow(small, 4));
    expect(message).not.toContain('quantizationRange of at most');
    expect(message).toContain('at most 3 clients');
  });

  test('without a limit any cohort fits', () => {
    const finest = quantization({ quantizationRange: 2 ** 31 });
    expect(() => requireNoOverflow(finest, 2 ** 31 - 1)).not.toThrow();
  });

  test('exactly where the ring of a sum holds all that clients can send', () => {
    for (const quantizationRange of [2, 3, 100, 2 ** 22, 2 ** 31]) {
      for (const modulusRange of [2 ** 8, 2 ** 32, 2 ** 40]) {
        if (modulusRange <= quantizationRange) continue;
        const settings = quantization({ quantizationRange, modulusRange });
        for (const clients of [1, 2, 3, 255, 256, 1024, 1025, 2 ** 20]) {
          const ring = modulusForSum(BigInt(quantizationRange - 1), clients);
          const attempt = () => requireNoOverflow(settings, clients);
          if (ring <= BigInt(modulusRange)) expect(attempt).not.toThrow();
          else expect(failure(attempt).code).toBe('modulus-too-small');
        }
      }
    }
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 31])('%s is no cohort', (clients) => {
    expect(failure(() => requireNoOverflow(flower, clients)).code).toBe('invalid-argument');
  });
});

test('whole weights are whole numbers of levels, where the maximum is one', () => {
  expect(quantization()).toMatchObject({ weightLevels: 4194000, wholeWeightsAreExact: true });
  expect(quantization({ maxWeight: 1 })).toMatchObject({ weightLevels: 4194303 });
  expect(quantization({ maxWeight: 4194303 })).toMatchObject({ wholeWeightsAreExact: true });
  for (const maxWeight of [0.5, 4194304, 1e9]) {
    expect(quantization({ maxWeight })).toMatchObject({
      weightLevels: 4194303,
      wholeWeightsAreExact: false,
    });
  }
});
