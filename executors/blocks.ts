/** @file Small questions that executors ask about building blocks. */

import type { BuildingBlock } from '../computations/building-blocks.ts';
import type { ExecutorInput } from './executor.ts';

/** True for syntax, false for data: `createValue` takes both. */
export function isBlock(value: ExecutorInput): value is BuildingBlock {
  // A struct block and a struct as data share their kind; only the block has a type.
  return 'type' in value;
}
