/**
 * @file Makes a computation ready for an executor stack: composite intrinsics become primitives, all
 * syntax that can be evaluated is, and the tensor computations between two communications become one.
 */

import type { BuildingBlock } from '../computations/building-blocks.ts';
import {
  fuseTensorComputations,
  type TransformationOptions,
  toCallDominant,
} from '../computations/transformations/index.ts';
import { FederatedTypeError, isAssignable } from '../computations/types/index.ts';
import { INTRINSICS } from './table.ts';
import { mergeMaps, mergeSequenceMaps, reduceIntrinsics } from './transformations/index.ts';

export interface CompileOptions {
  /**
   * How far to go: `full`, or `reduce`, which only replaces composite intrinsics and leaves the rest
   * as it was written. For finding out which of the two an unexpected result comes from.
   * @default 'full'
   */
  readonly level?: CompileLevel;
}

export type CompileLevel = 'full' | 'reduce';

/** What the transformations ask of an intrinsic; operators of executors are not in the table, and not pure. */
export const INTRINSIC_PURITY: TransformationOptions = {
  isPureIntrinsic: (uri) => INTRINSICS.get(uri)?.purity === 'pure',
};

/**
 * @param handles URIs of the composite intrinsics that the stack wants to see itself.
 * @returns a building block of the same meaning, of a type assignable to that of `node`, in which
 *   every other intrinsic is a primitive.
 * @throws what a transformation fails with: nothing runs that was not compiled.
 */
export function compileForExecution(
  node: BuildingBlock,
  handles: ReadonlySet<string> = NONE,
  { level = 'full' }: CompileOptions = {},
): BuildingBlock {
  const primitive = reduceIntrinsics(node, handles);
  if (level === 'reduce') return primitive;
  const compiled = optimize(primitive);
  if (isAssignable(node.type, compiled.type)) return compiled;
  throw new FederatedTypeError(
    'type.not_assignable',
    `The compiler changed the type of a computation. This is a mistake in Fedloom; please report it.\n  expected: ${node.type}\n  given:    ${compiled.type}`,
    { expected: String(node.type), given: String(compiled.type) },
  );
}

function optimize(node: BuildingBlock): BuildingBlock {
  const normalize = (each: BuildingBlock): BuildingBlock => toCallDominant(each, INTRINSIC_PURITY);
  const merged = normalize(mergeMaps(normalize(node), INTRINSIC_PURITY));
  const sequences = normalize(mergeSequenceMaps(merged, INTRINSIC_PURITY));
  return normalize(fuseTensorComputations(sequences, INTRINSIC_PURITY));
}

const NONE: ReadonlySet<string> = new Set();
