/** @file Unplaced values without calls as the tensors that they are made of. */

import { type BuildingBlock, type Reference, selection } from '../building-blocks.ts';
import type { MaterializedValue, TensorValue, Type } from '../types/index.ts';
import { structuralKey } from './structural-key.ts';

/** A tensor inside a value: part of something that has a name, or a constant. */
export type Leaf =
  | {
      readonly kind: 'part';
      readonly of: Reference;
      /** Which leaf of the named value it is, depth first. */
      readonly index: number;
    }
  | { readonly kind: 'constant'; readonly value: TensorValue };

/** True if a type is a tensor, or a struct of nothing but tensors. */
export function isTensors(type: Type): boolean {
  return (
    type.kind === 'tensor' ||
    (type.kind === 'struct' && type.elements.every((element) => isTensors(element.type)))
  );
}

/** Number of tensors in a value of a type; sequences and the like count as one. */
export function leafCount(type: Type): number {
  return type.kind === 'struct'
    ? type.elements.reduce((count, element) => count + leafCount(element.type), 0)
    : 1;
}

/**
 * The leaves of a block of tensors, depth first.
 * @returns `null` if a part of it is neither named nor constant.
 */
export function leavesOf(node: BuildingBlock): readonly Leaf[] | null {
  switch (node.kind) {
    case 'struct': {
      const leaves: Leaf[] = [];
      for (const { value } of node.elements) {
        const inner = leavesOf(value);
        if (inner === null) return null;
        leaves.push(...inner);
      }
      return leaves;
    }
    case 'literal':
      return constantLeaves(node.value);
    case 'reference':
    case 'selection': {
      const place = placeOf(node);
      if (place === null) return null;
      return Array.from({ length: leafCount(node.type) }, (_, i) => ({
        kind: 'part',
        of: place.of,
        index: place.start + i,
      }));
    }
    default:
      return null;
  }
}

/** The named value that a selection goes into, and the first leaf that it selects. */
function placeOf(node: BuildingBlock): { readonly of: Reference; readonly start: number } | null {
  if (node.kind === 'reference') return { of: node, start: 0 };
  if (node.kind !== 'selection' || node.source.type.kind !== 'struct') return null;
  const source = placeOf(node.source);
  if (source === null) return null;
  const before = node.source.type.elements.slice(0, node.index);
  const skipped = before.reduce((count, element) => count + leafCount(element.type), 0);
  return { of: source.of, start: source.start + skipped };
}

function constantLeaves(value: MaterializedValue): readonly Leaf[] | null {
  if (value.kind === 'tensor') return [{ kind: 'constant', value }];
  if (value.kind !== 'struct') return null;
  const leaves: Leaf[] = [];
  for (const element of value.elements) {
    const inner = constantLeaves(element);
    if (inner === null) return null;
    leaves.push(...inner);
  }
  return leaves;
}

/** The largest named parts of which blocks are made: references and selections, none inside another. */
export function namedParts(nodes: readonly BuildingBlock[]): readonly BuildingBlock[] {
  const parts = new Map<string, BuildingBlock>();
  const visit = (node: BuildingBlock): void => {
    if (node.kind === 'struct') for (const { value } of node.elements) visit(value);
    if (node.kind === 'reference' || node.kind === 'selection') {
      parts.set(structuralKey(node), node);
    }
  };
  for (const node of nodes) visit(node);
  const isInside = (node: BuildingBlock): boolean =>
    node.kind === 'selection' && (parts.has(structuralKey(node.source)) || isInside(node.source));
  return [...parts.values()].filter((part) => !isInside(part));
}

/** The blocks of the single tensors in a named part, depth first. */
export function partLeaves(part: BuildingBlock): readonly BuildingBlock[] {
  if (part.type.kind !== 'struct') return [part];
  return part.type.elements.flatMap((_, index) => partLeaves(selection(part, index)));
}
