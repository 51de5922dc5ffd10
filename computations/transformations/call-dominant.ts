/**
 * @file Call-dominant form: what is left of a computation when everything that syntax can do is
 * done. After TensorFlow Federated's `to_call_dominant` (impl/compiler/transformations.py).
 */

import type { BuildingBlock } from '../building-blocks.ts';
import { freeReferences } from '../free-references.ts';
import { NameSource, withUniqueNames } from './names.ts';
import { Calls, Normalizer } from './normalizer.ts';
import type { IntrinsicPurity } from './purity.ts';

export interface TransformationOptions {
  /** Says which intrinsics are pure; calls of all others stay as often, and in the order, as they are. */
  readonly isPureIntrinsic: IntrinsicPurity;
}

/**
 * The computation with every reference to a local, every block, every called lambda and every
 * selection from a struct evaluated. In each body the remaining calls are bound to `_varN`, in the
 * order in which they are made; the result and all arguments are without calls. Pure calls are made
 * once if they are equal, and not at all if nothing needs them. Every name is bound once.
 *
 *     (x -> (let f=(y -> <a=sum(y),b=y>) in f(x).a))   becomes   (x -> (let _var1=sum(x) in _var1))
 *
 * @returns a block of the same meaning; its type is assignable to that of `node`.
 */
export function toCallDominant(
  node: BuildingBlock,
  { isPureIntrinsic }: TransformationOptions,
): BuildingBlock {
  const normalizer = new Normalizer(isPureIntrinsic, new NameSource(freeReferences(node)));
  const calls = new Calls();
  const meaning = normalizer.evaluate(node, null, calls);
  const result = normalizer.write(normalizer.named(meaning, node.type));
  return withUniqueNames(calls.close(result));
}
