/** @file Which functions may be called once for any number of equal calls. */

import { type BuildingBlock, childBlocks } from '../../computations/building-blocks.ts';
import { INTRINSICS } from '../../intrinsics/table.ts';
import type { Operator, OperatorPurity } from '../leaf/operator.ts';

/** Says of a building block whether the result of calling it, or of calling with it, may be kept. */
export type RepeatablePredicate = (block: BuildingBlock) => boolean;

/**
 * A block is repeatable if all intrinsics in it are pure, and known to be. Evaluation at a placement
 * is not: it asks the participants anew each time. Nor is named data, which may have changed.
 * @param operators those of the executors below, beside the intrinsics of the language.
 */
export function repeatablePredicate(operators: readonly Operator[]): RepeatablePredicate {
  const purities = new Map<string, OperatorPurity>();
  for (const { uri, purity } of INTRINSICS.values()) purities.set(uri, purity);
  for (const { uri, purity } of operators) purities.set(uri, purity);
  for (const uri of ASKS_ANEW) purities.set(uri, 'random');
  // Blocks are immutable, and a large one is put in again and again.
  const known = new WeakMap<BuildingBlock, boolean>();
  const isRepeatable = (block: BuildingBlock): boolean => {
    let answer = known.get(block);
    if (answer === undefined) {
      answer =
        block.kind === 'intrinsic'
          ? purities.get(block.uri) === 'pure'
          : block.kind !== 'data' && childBlocks(block).every(isRepeatable);
      known.set(block, answer);
    }
    return answer;
  };
  return isRepeatable;
}

const ASKS_ANEW = ['federated_eval_at_clients', 'federated_eval_at_server'];
