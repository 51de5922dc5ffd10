/** @file What the tests of secret sharing share: cases of a sharing, and elements from numbers. */

import fc from 'fast-check';
import {
  bigIntFromBytes,
  bigIntToBytes,
  randomFieldElement,
  SecretBytes,
  type Share,
  splitSecret,
} from '../../../protocols/index.ts';
import { seeded } from '../support.ts';

export const P = (1n << 255n) - 19n;

export function element(value: bigint): Uint8Array {
  return bigIntToBytes(((value % P) + P) % P, 32);
}

export function secret(value: bigint): SecretBytes {
  return new SecretBytes(element(value));
}

export function numberOf(secretBytes: SecretBytes): bigint {
  return bigIntFromBytes(secretBytes.reveal());
}

/** Shares of a secret drawn from a seed. */
export function dealt(
  seed: string | number,
  { threshold, points }: { readonly threshold: number; readonly points: readonly number[] },
): { readonly secret: bigint; readonly shares: Share[] } {
  const rng = seeded(seed);
  const dealtSecret = randomFieldElement(rng);
  const values = splitSecret(dealtSecret, { threshold, points }, rng);
  return {
    secret: numberOf(dealtSecret),
    shares: points.map((point, i) => ({ point, value: values[i]!.reveal() })),
  };
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** The share with something added to its value. */
export function shifted({ point, value }: Share, by: bigint): Share {
  return { point, value: element(bigIntFromBytes(value) + by) };
}

export const elements: fc.Arbitrary<bigint> = fc.oneof(
  fc.bigInt({ min: 0n, max: P - 1n }),
  fc.constantFrom(0n, 1n, 2n, 18n, 19n, P - 1n, P - 2n, P - 19n, (1n << 254n) - 1n, 1n << 254n),
  // Limbs of 17 bits that are all ones or zeros make the longest carries.
  fc
    .array(fc.boolean(), { minLength: 15, maxLength: 15 })
    .map(
      (ones) => ones.reduce((sum, one, i) => sum + (one ? 131_071n << BigInt(17 * i) : 0n), 0n) % P,
    ),
);

export const pointSets = (minLength: number, maxLength: number): fc.Arbitrary<number[]> =>
  fc.uniqueArray(
    fc.oneof(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      fc.constantFrom(2 ** 32 - 1, 2 ** 31),
    ),
    { minLength, maxLength },
  );
