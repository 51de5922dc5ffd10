/** @file Whether numbers are taken for primes, with all vectors that are made to mislead such a test. */

import { describe, expect, it } from 'vitest';
import { isProbablePrime } from '../../../protocols/paillier/primality.ts';
import { seeded, WITHOUT_VECTORS, wycheproof } from '../../protocols/support.ts';

const primalityVectors = wycheproof<PrimalityVector>('primality_test.json');

interface PrimalityVector {
  readonly tcId: number;
  readonly value: string;
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

describe.skipIf(!primalityVectors)(`Wycheproof primality (${WITHOUT_VECTORS})`, () => {
  it('agrees with every vector', () => {
    expect(primalityVectors!.length).toBeGreaterThan(300);
    for (const { tcId, value, result } of primalityVectors!) {
      // Two's complement, big-endian.
      const candidate = BigInt.asIntN(4 * value.length, BigInt(`0x${value}`));
      if (result === 'acceptable') continue;
      expect(isProbablePrime(candidate, seeded(tcId)), `${tcId}`).toBe(result === 'valid');
    }
  });
});
