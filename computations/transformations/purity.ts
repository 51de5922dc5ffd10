/** @file Which building blocks may be evaluated once instead of twice, in another order, or not at all. */

import { type BuildingBlock, childBlocks } from '../building-blocks.ts';
import { containsType } from '../types/index.ts';

/** Says of an intrinsic or operator, by its URI, whether its calls are pure. */
export type IntrinsicPurity = (uri: string) => boolean;

/**
 * True if calling the block, or calling something with it as an argument, is pure as far as the
 * block decides. Tensor computations are pure, since their randomness comes from explicit keys;
 * named data is; a function of which only the name or the type is known is not.
 */
export function isPure(node: BuildingBlock, isPureIntrinsic: IntrinsicPurity): boolean {
  switch (node.kind) {
    case 'intrinsic':
      return isPureIntrinsic(node.uri);
    case 'reference':
    case 'data':
      return !containsType(node.type, ({ kind }) => kind === 'function');
    default:
      return childBlocks(node).every((child) => isPure(child, isPureIntrinsic));
  }
}
