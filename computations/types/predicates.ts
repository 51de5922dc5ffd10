/** @file Which types the aggregations accept: sums, means, minima and secure sums. */

import { type DType, isFloatDType, isIntegerDType, isNumericDType } from './dtypes.ts';
import { markedPart } from './marked-notation.ts';
import { elementStep, type TypePath } from './type-path.ts';
import type { TensorType, Type } from './types.ts';

/** Numeric tensors of known shape, and structs and placed values of them. */
export function isSumCompatible(type: Type): boolean {
  return leavesMatch(type, (leaf) => isNumericDType(leaf.dtype) && hasStaticShape(leaf));
}

/** Float tensors, and structs and placed values of them: a mean of integers is not an integer. */
export function isAverageCompatible(type: Type): boolean {
  return leavesMatch(type, (leaf) => isFloatDType(leaf.dtype));
}

/** Integer or float tensors of known shape, and structs and placed values of them. */
export function isOrderCompatible(type: Type): boolean {
  return isSumCompatible(type);
}

/** Integer tensors of known shape, and structs and placed values of them; an empty struct passes. */
export function isSecureSumCompatible(type: Type): boolean {
  return leavesMatch(type, (leaf) => isIntegerDType(leaf.dtype) && hasStaticShape(leaf));
}

/**
 * The line that shows a type which does not fit a predicate of this file, and marks its first part
 * that does not.
 */
export function explainUnfit(type: Type, fits: (type: Type) => boolean): string {
  const path = firstUnfit(type, fits, []);
  const shown = markedPart('given:    ', type, path);
  return (path.length === 0 ? shown.slice(0, 1) : shown).join('\n');
}

/** True if every dimension of the tensor is known. */
export function hasStaticShape(type: TensorType): boolean {
  return type.shape?.every((size) => size !== null) ?? false;
}

/** Number of elements of a tensor type, or `null` if a dimension is unknown. */
export function elementCount(type: TensorType): number | null {
  return (
    type.shape?.reduce<number | null>(
      (n, size) => (n === null || size === null ? null : n * size),
      1,
    ) ?? null
  );
}

/** The tensor types at the leaves of structs, in order. */
export function tensorLeaves(type: Type): readonly TensorType[] {
  if (type.kind === 'tensor') return [type];
  if (type.kind === 'federated') return tensorLeaves(type.member);
  return type.kind === 'struct'
    ? type.elements.flatMap((element) => tensorLeaves(element.type))
    : [];
}

/** The dtypes that occur in a type, for messages. */
export function dtypesOf(type: Type): readonly DType[] {
  return [...new Set(tensorLeaves(type).map((leaf) => leaf.dtype))];
}

function firstUnfit(type: Type, fits: (type: Type) => boolean, path: TypePath): TypePath {
  if (type.kind === 'federated')
    return firstUnfit(type.member, fits, [...path, { kind: 'member' }]);
  if (type.kind !== 'struct') return path;
  const index = type.elements.findIndex((element) => !fits(element.type));
  const element = type.elements[index];
  if (element === undefined) return path;
  return firstUnfit(element.type, fits, [...path, elementStep(index, element.name)]);
}

function leavesMatch(type: Type, predicate: (leaf: TensorType) => boolean): boolean {
  switch (type.kind) {
    case 'tensor':
      return predicate(type);
    case 'struct':
      return type.elements.every((element) => leavesMatch(element.type, predicate));
    case 'federated':
      return leavesMatch(type.member, predicate);
    default:
      return false;
  }
}
