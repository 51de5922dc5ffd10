/** @file Whether a sum is one that honest clients can make. */

import type { Residues } from '../residues/residues.ts';
import type { MaskingParameters } from './parameters.ts';

/** Where a sum exceeds what values within their bounds can reach, if anywhere. */
export function excessOf(
  { clients, vectors }: MaskingParameters,
  sums: readonly Residues[],
): string | undefined {
  for (const [i, vector] of vectors.entries()) {
    if (vector.kind !== 'sum') continue;
    const { maximum } = vector;
    const { lane, values } = sums[i]!;
    // The reach is below R, so it is exact as a number where the values are numbers.
    const reach = (bound: bigint): bigint | number =>
      lane === 'u32' ? Number(bound * BigInt(clients)) : bound * BigInt(clients);
    const reaches = typeof maximum === 'bigint' ? reach(maximum) : maximum.map(reach);
    const scanned: ArrayLike<number | bigint> = values;
    for (let k = 0; k < scanned.length; k += 1) {
      const limit = typeof reaches === 'object' ? reaches[k]! : reaches;
      if (scanned[k]! > limit) return `the sum at position ${k} of vector "${vector.id}"`;
    }
  }
  return undefined;
}
