/**
 * @file When a value of one type may stand where another is expected. There is no widening: an
 * int32 is not assignable to an int64. Rules of TensorFlow Federated's types.
 */

import { compactNotation } from './compact.ts';
import { explainDifference } from './difference.ts';
import { FederatedTypeError } from './errors.ts';
import type { FunctionType, Shape, StructType, TensorType, Type } from './types.ts';

/** True if a value of type `source` may be used where `target` is expected. */
export function isAssignable(target: Type, source: Type): boolean {
  if (target === source) return true;
  if (target.kind !== source.kind) return false;
  switch (target.kind) {
    case 'tensor':
      return isTensorAssignable(target, source as TensorType);
    case 'struct':
      return isStructAssignable(target, source as StructType);
    case 'sequence':
      return source.kind === 'sequence' && isAssignable(target.element, source.element);
    case 'function':
      return isFunctionAssignable(target, source as FunctionType);
    case 'federated':
      return (
        source.kind === 'federated' &&
        target.placement === source.placement &&
        isAssignable(target.member, source.member) &&
        (!target.allEqual || source.allEqual)
      );
    case 'placement':
      return true;
    case 'abstract':
      return source.kind === 'abstract' && source.label === target.label;
  }
}

/** True if each type may stand for the other. */
export function isEquivalent(a: Type, b: Type): boolean {
  return isAssignable(a, b) && isAssignable(b, a);
}

/** True if two types are the same to the letter. */
export function isIdentical(a: Type, b: Type): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case 'tensor':
      return b.kind === 'tensor' && a.dtype === b.dtype && isSameShape(a.shape, b.shape);
    case 'struct':
      return (
        b.kind === 'struct' &&
        a.elements.length === b.elements.length &&
        a.elements.every(({ name, type }, index) => {
          const other = b.elements[index];
          return other !== undefined && name === other.name && isIdentical(type, other.type);
        })
      );
    case 'sequence':
      return b.kind === 'sequence' && isIdentical(a.element, b.element);
    case 'function':
      return (
        b.kind === 'function' &&
        (a.parameter === null || b.parameter === null
          ? a.parameter === b.parameter
          : isIdentical(a.parameter, b.parameter)) &&
        isIdentical(a.result, b.result)
      );
    case 'federated':
      return (
        b.kind === 'federated' &&
        a.placement === b.placement &&
        a.allEqual === b.allEqual &&
        isIdentical(a.member, b.member)
      );
    case 'placement':
      return b.kind === 'placement';
    case 'abstract':
      return b.kind === 'abstract' && a.label === b.label;
  }
}

/**
 * Throws unless `source` may be used where `target` is expected.
 * @param what names the value in the message, e.g. `argument 1 of federated_mean`.
 * @throws FederatedTypeError `type.not_assignable` with both compact types, the first place where
 *   they differ, and where the user's code made the call.
 */
export function requireAssignable(target: Type, source: Type, what: string): void {
  if (isAssignable(target, source)) return;
  throw new FederatedTypeError(
    'type.not_assignable',
    `${what} has a type that does not fit.\n${explainDifference(target, source)}`,
    { expected: compactNotation(target), given: compactNotation(source) },
  );
}

function isTensorAssignable(target: TensorType, source: TensorType): boolean {
  if (target.dtype !== source.dtype) return false;
  if (target.shape === null) return true;
  if (source.shape === null || source.shape.length !== target.shape.length) return false;
  const given = source.shape;
  return target.shape.every((size, axis) => size === null || size === given[axis]);
}

function isSameShape(a: Shape | null, b: Shape | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function isStructAssignable(target: StructType, source: StructType): boolean {
  // An unnamed element fits a named one, not the other way round.
  return (
    target.elements.length === source.elements.length &&
    target.elements.every((element, index) => {
      const given = source.elements[index];
      return (
        given !== undefined &&
        (given.name === null || given.name === element.name) &&
        isAssignable(element.type, given.type)
      );
    })
  );
}

function isFunctionAssignable(target: FunctionType, source: FunctionType): boolean {
  if ((target.parameter === null) !== (source.parameter === null)) return false;
  if (target.parameter !== null && source.parameter !== null) {
    // Parameters are contravariant: the source must accept all that the target promises to accept.
    if (!isAssignable(source.parameter, target.parameter)) return false;
  }
  return isAssignable(target.result, source.result);
}
