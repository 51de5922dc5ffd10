/**
 * @file How large structs may grow that a peer makes one out of the other. Two of the same, forty
 * times over, would have 2^40 elements for whoever looks at each; so they are counted by what they
 * are made of, before they are made.
 */

import type { Type } from '../../../computations/types/index.ts';
import type { ExecutorValue } from '../../executor.ts';
import { transportError } from '../status.ts';

/** @throws TransportError `transport.resource_exhausted` for a struct that would be too large or deep. */
export function requireModestStruct(elements: readonly ExecutorValue[]): void {
  let parts = 1;
  let depth = 1;
  for (const { type } of elements) {
    const size = sizeOf(type);
    parts += size.parts;
    depth = Math.max(depth, 1 + size.depth);
  }
  if (parts <= MAX_PARTS && depth <= MAX_DEPTH) return;
  throw transportError(
    'transport.resource_exhausted',
    `A struct of ${parts} parts, ${depth} deep, is not made; at most ${MAX_PARTS}, and ${MAX_DEPTH} deep.`,
  );
}

interface TypeSize {
  /** Structs and what stands in them. */
  readonly parts: number;
  /** Structs in structs. */
  readonly depth: number;
}

/** Types are shared between structs, so each is counted once. */
function sizeOf(type: Type): TypeSize {
  if (type.kind !== 'struct') return LEAF;
  let size = sizes.get(type);
  if (size === undefined) {
    let parts = 1;
    let depth = 1;
    for (const element of type.elements) {
      const inner = sizeOf(element.type);
      parts += inner.parts;
      depth = Math.max(depth, 1 + inner.depth);
    }
    size = { parts, depth };
    sizes.set(type, size);
  }
  return size;
}

const sizes = new WeakMap<Type, TypeSize>();
const LEAF: TypeSize = { parts: 1, depth: 0 };

const MAX_PARTS = 100_000;
const MAX_DEPTH = 100;
