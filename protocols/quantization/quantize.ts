/**
 * @file A client's floats as integers for a secure sum, as in Flower's `[w, w * x]`: clip, weigh, and
 * round stochastically to levels.
 *
 * A value x of [-c, c] and a weight ratio r of [0, 1] make the position p = (r x / 2c + 1/2)(Q - 1)
 * on the scale of levels, which is rounded up with the probability of its fractional part, and down
 * otherwise. So the expectation of the result is p (to within 2^-32 of a level, as 32 random bits
 * decide), and the result is less than one level off.
 */

import { randomBytes } from '#crypto';
import type { Rng } from '../crypto/interface.ts';
import { ProtocolError } from '../errors.ts';
import type { Quantization } from './parameters.ts';
import { RandomWords } from './random-words.ts';

/** Floats of one tensor, in order. */
export type FloatVector = Float32Array | Float64Array | readonly number[];

export interface QuantizationInput {
  readonly vectors: readonly FloatVector[];
  /** Weighs this client in a weighted mean. Without it the client is not weighed. */
  readonly weight?: number | bigint | undefined;
  /**
   * What becomes of values outside of the clipping range.
   * @default 'clip'
   */
  readonly onClip?: 'clip' | 'refuse' | undefined;
}

export interface QuantizedInput {
  /** All vectors one after the other, each value from 0 to quantizationRange - 1; the weight leads. */
  readonly levels: Int32Array;
  /** How many values were clipped. */
  readonly clipped: number;
}

/**
 * @param rng draws 4 bytes a value, in portions of up to 64 KiB.
 * @throws ProtocolError `not-finite` for NaN and infinities, `out-of-range` for a weight that is
 *   negative or above `maxWeight`, and for values outside of the clipping range where they are
 *   refused. It names the position and not the value, which is somebody's secret.
 */
export function quantizeInput(
  quantization: Quantization,
  { vectors, weight, onClip = 'clip' }: QuantizationInput,
  { rng = randomBytes }: { readonly rng?: Rng } = {},
): QuantizedInput {
  const count = vectors.reduce((total, { length }) => total + length, 0);
  const start = weight === undefined ? 0 : 1;
  const levels = new Int32Array(start + count);
  if (weight !== undefined) levels[0] = quantizeWeight(quantization, weight);
  const ratio = weight === undefined ? 1 : levels[0]! / quantization.weightLevels;
  const words = new RandomWords(rng, count);
  let position = start;
  let clipped = 0;
  try {
    for (const [i, values] of vectors.entries()) {
      const where = vectors.length > 1 ? ` in tensor ${i}` : '';
      const target = levels.subarray(position, position + values.length);
      clipped += quantizeVector(target, values, words, { quantization, ratio, onClip, where });
      position += values.length;
    }
  } finally {
    words.erase();
  }
  return { levels, clipped };
}

/**
 * The integer nearest to a weight's share of `weightLevels`.
 * @throws ProtocolError `not-finite`, `out-of-range`
 */
export function quantizeWeight(
  { maxWeight, weightLevels }: Quantization,
  weight: number | bigint,
): number {
  if (typeof weight === 'number' && !Number.isFinite(weight)) {
    throw new ProtocolError('not-finite', 'the weight is not a finite number');
  }
  if (weight < 0) throw new ProtocolError('out-of-range', 'the weight is negative');
  if (weight > maxWeight) {
    throw new ProtocolError(
      'out-of-range',
      `the weight is larger than the maximum of ${maxWeight}`,
    );
  }
  return Math.min(weightLevels, Math.round(Number(weight) * (weightLevels / maxWeight)));
}

interface Rounding {
  readonly quantization: Quantization;
  readonly ratio: number;
  readonly onClip: 'clip' | 'refuse';
  readonly where: string;
}

/** Fills `target` and returns how many values were clipped. */
function quantizeVector(
  target: Int32Array,
  values: FloatVector,
  words: RandomWords,
  rounding: Rounding,
): number {
  let clipped = 0;
  let done = 0;
  while (done < target.length) {
    const portion = words.take(target.length - done);
    clipped += quantizePortion(target, values, done, portion, rounding);
    done += portion.length;
  }
  return clipped;
}

/** One random word a value, from position `start` on. */
function quantizePortion(
  target: Int32Array,
  values: FloatVector,
  start: number,
  words: Uint32Array,
  { quantization, ratio, onClip, where }: Rounding,
): number {
  const { clippingRange, quantizationRange } = quantization;
  const middle = (quantizationRange - 1) / 2;
  const refuses = onClip === 'refuse';
  const scale = (ratio * middle) / clippingRange;
  let clipped = 0;
  for (let i = 0; i < words.length; i += 1) {
    let value = values[start + i]!;
    if (!(value >= -clippingRange && value <= clippingRange)) {
      if (refuses || !Number.isFinite(value)) throw refusal(value, start + i, clippingRange, where);
      clipped += 1;
      value = value < 0 ? -clippingRange : clippingRange;
    }
    // From 0 to twice the middle: what rounding adds to the product is at most its last bit, which
    // the sum loses above, and which is cut off and never goes up below.
    const exact = value * scale + middle;
    const below = exact | 0;
    // A number and not a choice: a branch on random bits is mispredicted half of the time.
    target[start + i] = below + +(words[i]! < (exact - below) * TWO_32);
  }
  return clipped;
}

/** Why a value cannot be taken, or not as it is. */
function refusal(
  value: number,
  position: number,
  clippingRange: number,
  where: string,
): ProtocolError {
  return Number.isFinite(value)
    ? new ProtocolError(
        'out-of-range',
        `the value at position ${position}${where} is outside of [-${clippingRange}, ${clippingRange}]`,
      )
    : new ProtocolError(
        'not-finite',
        `the value at position ${position}${where} is not a finite number`,
      );
}

const TWO_32 = 2 ** 32;
