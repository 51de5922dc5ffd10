/**
 * @file Takes the masks off the sums. What costs is the expansion of the masks; it can be shared
 * out: each part of them makes a correction, and the corrections add up.
 */

import { fault } from '../../errors.ts';
import { applyMasks } from '../../masking/mask-kernel.ts';
import { seedKeystream } from '../../masking/mask-key.ts';
import { excessOf } from '../../masking/sum-range.ts';
import { addInPlace } from '../../residues/arithmetic.ts';
import { type Residues, zeroResidues } from '../../residues/residues.ts';
import type { MasksToRemove, MaskToRemove, SecAggReport } from './reconstruct.ts';
import type { SecAggServerFault } from './state.ts';

export interface SecAggServerFinished {
  readonly kind: 'finish';
  /** In the order of the agreement. */
  readonly sums: readonly Residues[];
  readonly report: SecAggReport;
}

/** Masks of one vector, to be expanded together, by whoever has time. */
export interface MaskPart {
  readonly vector: number;
  readonly modulus: bigint;
  readonly length: number;
  readonly masks: readonly MaskToRemove[];
}

/**
 * Deals the masks out in parts of about the same work.
 * @param parts how many; 1 or more.
 */
export function maskParts({ sums, masks }: MasksToRemove, parts: number): MaskPart[][] {
  const dealt: MaskPart[][] = Array.from({ length: parts }, () => []);
  for (const [vector, sum] of sums.entries()) {
    const all = masks[vector]!;
    for (let part = 0; part < parts; part += 1) {
      const start = Math.floor((part * all.length) / parts);
      const end = Math.floor(((part + 1) * all.length) / parts);
      if (end > start) {
        dealt[part]!.push({
          vector,
          modulus: sum.modulus,
          length: sum.values.length,
          masks: all.slice(start, end),
        });
      }
    }
  }
  return dealt.filter((part) => part.length > 0);
}

/** What has to be added to a vector's sum for a part of its masks to be off. Erases the seeds. */
export function expandMaskPart({ modulus, length, masks }: MaskPart): Residues {
  const correction = zeroResidues(modulus, length);
  applyPart(correction, masks);
  return correction;
}

/** Takes all masks off, here and now. */
export function removeMasks(toRemove: MasksToRemove): SecAggServerFinished | SecAggServerFault {
  for (const [i, sum] of toRemove.sums.entries()) applyPart(sum, toRemove.masks[i]!);
  return finished(toRemove);
}

/** Takes the masks off by corrections made elsewhere, each for one vector. */
export function applyCorrections(
  toRemove: MasksToRemove,
  corrections: readonly { readonly vector: number; readonly correction: Residues }[],
): SecAggServerFinished | SecAggServerFault {
  for (const { vector, correction } of corrections) addInPlace(toRemove.sums[vector]!, correction);
  for (const { seed } of toRemove.masks.flat()) seed.erase();
  return finished(toRemove);
}

function applyPart(target: Residues, masks: readonly MaskToRemove[]): void {
  applyMasks(
    target,
    masks.map(({ seed, sign }) => ({ keystream: seedKeystream(seed), sign })),
  );
  for (const { seed } of masks) seed.erase();
}

function finished({
  sums,
  report,
  collection,
}: MasksToRemove): SecAggServerFinished | SecAggServerFault {
  const { vectors } = collection.setup.agreement;
  const excess = excessOf({ clients: report.clients.length, vectors }, sums);
  if (excess !== undefined) {
    return fault(
      'unmask',
      'sum-out-of-range',
      `${excess} is larger than honest clients can make it: somebody's masks do not cancel, or a value was out of its bounds`,
    );
  }
  return { kind: 'finish', sums, report };
}
