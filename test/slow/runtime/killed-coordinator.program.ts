/**
 * @file A coordinator's program: one sum of everybody's `reading`. With the path of a file as its argument
 * it comes no further than to the masking of the first client, says so there, and waits to be killed.
 */

import { writeFileSync } from 'node:fs';
import {
  federatedComputation,
  federatedData,
  federatedSecureSum,
  int32,
  secAgg,
  withContext,
} from '../../../index.ts';
import type { CoordinatorProgram } from '../../../runtime/node.ts';
import { watched } from './watched.ts';

const total = federatedComputation([], () =>
  federatedSecureSum(federatedData('reading', int32(1)), 1000),
);

const program: CoordinatorProgram = async ({ coordinator, out, signal, args: [stopAt] }) => {
  const cohort = await coordinator.select({ atLeast: 5, within: 90_000, signal });
  const stop = (uri: string): void => {
    if (stopAt === undefined || uri !== 'secagg_mask_vectors') return;
    writeFileSync(stopAt, uri);
    // Nothing else of this process goes on either.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
  await using context = cohort.context({
    secureAggregation: (identities) => secAgg({ identities }),
    wrapLeaf: (leaf, placement) => (placement === 'clients' ? watched(leaf, stop) : leaf),
  });
  out(`sum ${(await withContext(context, () => total())).toArray()}`);
};

export default program;
