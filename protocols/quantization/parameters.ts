/**
 * @file What a cohort agrees on before it turns floats into integers for a secure sum: Flower's
 * `clipping_range`, `quantization_range`, `max_weight` and `modulus_range`, with its defaults. What
 * Flower warns of is refused here: no sum of a cohort that passes `requireNoOverflow` can wrap.
 */

import { bitLength } from '../crypto/bytes.ts';
import { ProtocolError } from '../errors.ts';

export interface QuantizationOptions {
  /**
   * Values count as from -clippingRange to clippingRange; what lies outside is clipped or refused.
   * @default 8
   */
  readonly clippingRange?: number | undefined;
  /**
   * How many levels that range has: every value becomes an integer from 0 to quantizationRange - 1,
   * and is off by less than a level, 2 * clippingRange / (quantizationRange - 1). 2 to 2^31.
   * @default 4,194,304 (2^22)
   */
  readonly quantizationRange?: number | undefined;
  /**
   * The largest weight of one client in a weighted mean. A client of weight w sends w / maxWeight of
   * its value, so a maximum far above the weights wastes precision. Where it is a whole number below
   * quantizationRange, whole weights are exact.
   * @default 1000
   */
  readonly maxWeight?: number | undefined;
  /**
   * The most residues that a sum may take: a power of two from 4 to 2^62, larger than
   * quantizationRange. Sums always travel in the smallest ring that holds them; this is a limit on
   * it, and a cohort whose sums need more is refused before any message is sent.
   * @default 2^62: the ring grows with the cohort. Flower's default is 2^32.
   */
  readonly modulusRange?: number | undefined;
}

/** Checked options, and what follows from them. */
export interface Quantization {
  readonly clippingRange: number;
  readonly quantizationRange: number;
  readonly maxWeight: number;
  readonly modulusRange: number;
  /** The distance between two levels. */
  readonly step: number;
  /** The integer that `maxWeight` becomes; at most quantizationRange - 1. */
  readonly weightLevels: number;
  /** Whether a weight that is a whole number becomes an integer without any error. */
  readonly wholeWeightsAreExact: boolean;
}

/** @throws ProtocolError `invalid-quantization` naming the option, what it may be and what it was. */
export function quantization({
  clippingRange = 8,
  quantizationRange = 2 ** 22,
  maxWeight = 1000,
  modulusRange = LARGEST_MODULUS,
}: QuantizationOptions = {}): Quantization {
  requireMagnitude('clippingRange', clippingRange);
  requireMagnitude('maxWeight', maxWeight);
  if (
    !Number.isInteger(quantizationRange) ||
    quantizationRange < 2 ||
    quantizationRange > LARGEST_RANGE
  ) {
    throw invalid(
      `quantizationRange is a whole number from 2 to ${LARGEST_RANGE} (2^31), got ${quantizationRange}`,
    );
  }
  if (!isPowerOfTwo(modulusRange) || modulusRange > LARGEST_MODULUS) {
    throw invalid(`modulusRange is a power of two up to 2^62, got ${modulusRange}`);
  }
  if (modulusRange <= quantizationRange) {
    throw invalid(
      `modulusRange is larger than quantizationRange, got ${modulusRange} and ${quantizationRange}`,
    );
  }
  const top = quantizationRange - 1;
  const wholeWeightsAreExact = Number.isInteger(maxWeight) && maxWeight <= top;
  return {
    clippingRange,
    quantizationRange,
    maxWeight,
    modulusRange,
    step: (2 * clippingRange) / top,
    // A multiple of a whole maximum makes every whole weight a whole number of levels.
    weightLevels: wholeWeightsAreExact ? top - (top % maxWeight) : top,
    wholeWeightsAreExact,
  };
}

/**
 * Makes sure that the sum of a cohort stays below the modulus, whatever its clients send of what
 * they may: clients * (quantizationRange - 1) < modulusRange.
 * @throws ProtocolError `modulus-too-small` with the bits needed and available, and what mends it;
 *   `invalid-argument` for a number of clients that is none.
 */
export function requireNoOverflow(
  { quantizationRange, modulusRange }: Quantization,
  clients: number,
): void {
  if (!Number.isSafeInteger(clients) || clients < 1 || clients >= 2 ** 31) {
    throw new ProtocolError(
      'invalid-argument',
      `a cohort has 1 to 2^31 - 1 clients, got ${clients}`,
    );
  }
  const largestSum = BigInt(clients) * BigInt(quantizationRange - 1);
  const modulus = BigInt(modulusRange);
  if (largestSum < modulus) return;
  const mostClients = (modulus - 1n) / BigInt(quantizationRange - 1);
  const mostLevels = (modulus - 1n) / BigInt(clients) + 1n;
  const remedies = [
    `a modulusRange of at least ${1n << BigInt(bitLength(largestSum))}`,
    ...(mostLevels >= 2n ? [`a quantizationRange of at most ${mostLevels}`] : []),
    `at most ${mostClients} clients`,
  ];
  throw new ProtocolError(
    'modulus-too-small',
    `the sum over ${clients} clients of integers below ${quantizationRange} takes ${bitLength(largestSum)} bits, and a modulusRange of ${modulusRange} has ${bitLength(modulus - 1n)}: take ${remedies.join(', or ')}`,
  );
}

/** Beyond these the arithmetic of doubles, or the float32 of a result, has no room. */
function requireMagnitude(option: string, given: number): void {
  if (typeof given === 'number' && given >= LEAST_MAGNITUDE && given <= LARGEST_MAGNITUDE) return;
  throw invalid(`${option} is a positive number from 2^-126 to 2^127, got ${given}`);
}

function isPowerOfTwo(given: number): boolean {
  return typeof given === 'number' && given >= 2 && given === 2 ** Math.round(Math.log2(given));
}

function invalid(message: string): ProtocolError {
  return new ProtocolError('invalid-quantization', message);
}

const LEAST_MAGNITUDE = 2 ** -126;
const LARGEST_MAGNITUDE = 2 ** 127;
/** Levels are int32 at a client. */
const LARGEST_RANGE = 2 ** 31;
const LARGEST_MODULUS = 2 ** 62;
