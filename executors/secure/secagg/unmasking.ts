/** @file Where the masks of a round are expanded: here, or wherever a pool has time. */

import type {
  MasksToRemove,
  SecAggServerFault,
  SecAggServerFinished,
} from '../../../protocols/index.ts';
import {
  applyCorrections,
  expandMaskPart,
  maskParts,
  removeMasks,
} from '../../../protocols/index.ts';
import type { RequestOptions } from '../../executor.ts';

/** Expands masks on threads, for example. */
export interface UnmaskingPool {
  removeMasks(
    masks: MasksToRemove,
    request?: RequestOptions,
  ): Promise<SecAggServerFinished | SecAggServerFault>;
}

/**
 * Expands them on this thread. Long work is done in parts with turns of the event loop between, so
 * that it can be watched and interrupted.
 */
export async function removeMasksHere(
  masks: MasksToRemove,
  { signal, onProgress }: RequestOptions = {},
): Promise<SecAggServerFinished | SecAggServerFault> {
  const values = masks.sums.reduce(
    (total, { values: { length } }, i) => total + length * (masks.masks[i]?.length ?? 0),
    0,
  );
  const total = Math.ceil(values / VALUES_A_PART);
  if (total <= 1) return removeMasks(masks);
  const corrections = [];
  let done = 0;
  onProgress?.({ kind: 'protocol', stage: 'expand-masks', done, total });
  for (const parts of maskParts(masks, total)) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal?.throwIfAborted();
    for (const part of parts) {
      corrections.push({ vector: part.vector, correction: expandMaskPart(part) });
    }
    done += 1;
    onProgress?.({ kind: 'protocol', stage: 'expand-masks', done, total });
  }
  return applyCorrections(masks, corrections);
}

/** Some 0.3 s of work. */
const VALUES_A_PART = 4e8;
