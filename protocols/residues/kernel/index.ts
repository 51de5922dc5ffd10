/** @file Chooses the kernel, once: WebAssembly SIMD where it runs, plain JavaScript elsewhere. */

import { plainKernel } from './plain-kernel.ts';
import { createSimdKernel, type SimdKernel } from './simd-kernel.ts';
import type { WordKernel } from './word-kernel.ts';

export type { Mask, WordKernel, WordResidues } from './word-kernel.ts';

/** The kernel to use now; not to be kept, as the answer differs within a keystream that calls back. */
export function wordKernel(): WordKernel {
  if (!isChosen) {
    simdKernel = createSimdKernel(globalThis.WebAssembly);
    isChosen = true;
  }
  return simdKernel === undefined || simdKernel.busy ? plainKernel : simdKernel;
}

let isChosen = false;
let simdKernel: SimdKernel | undefined;
