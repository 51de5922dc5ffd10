/** @file From sums back to floats: what honest clients cannot have sent is a fault. */

import { describe, expect, test } from 'vitest';
import { dequantizeSums, quantization } from '../../../protocols/index.ts';

const settings = quantization({ clippingRange: 1, quantizationRange: 5, maxWeight: 4 });

describe('sums of two clients', () => {
  test('are centred on zero', () => {
    expect(dequantizeSums(settings, 'sum', [0, 4, 8], 2)).toEqual({
      kind: 'finish',
      values: Float32Array.of(-2, 0, 2),
    });
    expect(dequantizeSums(settings, 'mean', Uint32Array.of(0, 4, 8), 2)).toEqual({
      kind: 'finish',
      values: Float32Array.of(-1, 0, 1),
    });
    // Weights 4 and 0 of at most 4: one full share.
    expect(dequantizeSums(settings, 'weighted-mean', BigUint64Array.of(4n, 2n, 4n, 6n), 2)).toEqual(
      { kind: 'finish', values: Float32Array.of(-1, 0, 1) },
    );
  });

  test('without weight have no mean', () => {
    expect(dequantizeSums(settings, 'weighted-mean', [0, 4], 2)).toEqual({ kind: 'no-weight' });
    expect(dequantizeSums(settings, 'weighted-mean', [0n, 4n], 2)).toEqual({ kind: 'no-weight' });
  });

  test.each<[string, ArrayLike<number> | ArrayLike<bigint>, RegExp]>([
    ['above the largest', [4, 9, 4], /position 0/],
    ['above the largest, in bigint', [4n, 8n, 9n], /position 1/],
    ['below zero', [4, 0, -1], /position 1/],
    ['below zero, in bigint', [4n, 0n, -1n], /position 1/],
    ['that are no numbers', [4, Number.NaN, 0], /position 0/],
    ['of weights above the largest', [9, 0, 0], /weights/],
    ['of weights above the largest, in bigint', [9n, 0n, 0n], /weights/],
    ['of weights below zero', [-1, 0, 0], /weights/],
    ['of no weights at all', [], /weights/],
  ])('%s are a fault', (_what, sums, message) => {
    expect(dequantizeSums(settings, 'weighted-mean', sums, 2)).toMatchObject({
      kind: 'fault',
      stage: 'dequantize',
      code: 'sum-out-of-range',
      message: expect.stringMatching(message),
    });
  });

  test.each([0, -1, 1.5, Number.NaN])('of %s clients there are none', (clients) => {
    expect(() => dequantizeSums(settings, 'sum', [0], clients)).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });
});

test('a sum that takes 62 bits loses nothing before it is rounded to float32', () => {
  const finest = quantization({ clippingRange: 1, quantizationRange: 2 ** 31 });
  const clients = 2 ** 31 - 1;
  const middle = BigInt(clients) * BigInt(2 ** 31 - 1);
  // One level above the middle of a range of 2^62.
  expect(dequantizeSums(finest, 'sum', [middle / 2n + 1n], clients)).toMatchObject({
    values: Float32Array.of(1 / (2 ** 31 - 1)),
  });
});
