/** @file Runs a computation before and after each transformation, and compares. */

import { expect } from 'vitest';
import type { BuildingBlock, Lambda } from '../../../computations/building-blocks.ts';
import { defineComputation } from '../../../computations/define.ts';
import {
  fuseTensorComputations,
  toCallDominant,
} from '../../../computations/transformations/index.ts';
import { typecheckBlock } from '../../../computations/typecheck.ts';
import { isAssignable } from '../../../computations/types/index.ts';
import { INTRINSIC_PURITY } from '../../../intrinsics/compile.ts';
import { compileForExecution, intrinsicTypeRule } from '../../../intrinsics/index.ts';
import {
  mergeMaps,
  mergeSequenceMaps,
  normalizeAllEqual,
  reduceIntrinsics,
} from '../../../intrinsics/transformations/index.ts';
import type { ExecutionContext } from '../../../runtime/index.ts';
import type { ComputationCase } from '../../arbitraries/computations.ts';

const dominant = (node: BuildingBlock): BuildingBlock => toCallDominant(node, INTRINSIC_PURITY);

/** Every transformation, on the form that it takes. */
export const TRANSFORMATIONS: {
  readonly [name: string]: (node: BuildingBlock) => BuildingBlock;
} = {
  toCallDominant: dominant,
  normalizeAllEqual: (node) => normalizeAllEqual(dominant(node)),
  mergeMaps: (node) => mergeMaps(dominant(node), INTRINSIC_PURITY),
  mergeSequenceMaps: (node) =>
    mergeSequenceMaps(dominant(reduceIntrinsics(node)), INTRINSIC_PURITY),
  fuseTensorComputations: (node) => fuseTensorComputations(dominant(node), INTRINSIC_PURITY),
  compileForExecution,
};

/** @param context one that runs what it is given call by call. */
export async function expectSameMeaning(
  { block, parameters, args }: ComputationCase,
  context: ExecutionContext,
): Promise<void> {
  // What was compiled may promise more than what was written, such as an all-equal result. Its data
  // is given as the type of the computation says, like that of a computation that a context compiled.
  const run = (node: BuildingBlock): Promise<unknown> =>
    context.invoke(
      defineComputation('case', parameters, { ...node, type: block.type } as Lambda),
      args,
    );
  typecheckBlock(block, { intrinsicTypeRule });
  const before = await run(block);
  for (const [name, transform] of Object.entries(TRANSFORMATIONS)) {
    const after = transform(block);
    typecheckBlock(after, { intrinsicTypeRule });
    expect(isAssignable(block.type, after.type), name).toBe(true);
    expect(await run(after), name).toEqual(before);
  }
}
