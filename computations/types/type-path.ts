/** @file Paths to a part of a type, and where that part stands in the compact notation of the whole. */

import { notationLength } from './compact.ts';
import type { Type } from './types.ts';

/** One step from a type to a part of it. The member of a placed type is a step that is not printed. */
export type TypeStep =
  | { readonly kind: 'element'; readonly index: number; readonly name: string | null }
  | { readonly kind: 'each' }
  | { readonly kind: 'member' }
  | { readonly kind: 'parameter' }
  | { readonly kind: 'result' };

export type TypePath = readonly TypeStep[];

/** Positions in a text: from `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `.rest[1]`, `.batches[*].labels`, `parameter.x`; empty for the whole. */
export function printPath(path: TypePath): string {
  return path
    .map((step) => {
      switch (step.kind) {
        case 'element':
          return step.name === null ? `[${step.index}]` : `.${step.name}`;
        case 'each':
          return '[*]';
        case 'member':
          return '';
        default:
          return step.kind;
      }
    })
    .join('');
}

/** What names the element of a struct in a path: its name, or its position if it has none. */
export function elementStep(index: number, name: string | null | undefined): TypeStep {
  return { kind: 'element', index, name: name ?? null };
}

/** The part of `type` that `path` leads to. */
export function partAt(type: Type, path: TypePath): Type {
  return path.reduce((part, step) => child(part, step), type);
}

/**
 * Where the part stands in the compact notation of the whole. Takes time proportional to the
 * notation, however deep the part is.
 */
export function spanOf(type: Type, path: TypePath): Span {
  let start = 0;
  let part = type;
  for (const step of path) {
    start += offsetOf(part, step);
    part = child(part, step);
  }
  return { start, end: start + notationLength(part) };
}

/** Where an element of a struct stands, its name included, relative to the struct. */
export function elementOffset(type: Type, index: number): number {
  if (type.kind !== 'struct') return 0;
  return type.elements
    .slice(0, index)
    .reduce(
      (sum, { name, type: element }) => sum + nameLength(name) + notationLength(element) + 1,
      1,
    );
}

function offsetOf(type: Type, step: TypeStep): number {
  switch (step.kind) {
    case 'element': {
      const element = type.kind === 'struct' ? type.elements[step.index] : undefined;
      return elementOffset(type, step.index) + nameLength(element?.name ?? null);
    }
    case 'each':
      return 0;
    case 'member':
      return type.kind === 'federated' && !type.allEqual ? 1 : 0;
    case 'parameter':
      return 1;
    case 'result': {
      const parameter = type.kind === 'function' ? type.parameter : null;
      return 1 + (parameter === null ? 0 : notationLength(parameter)) + ARROW.length;
    }
  }
}

function child(type: Type, step: TypeStep): Type {
  const found =
    step.kind === 'element' && type.kind === 'struct'
      ? type.elements[step.index]?.type
      : step.kind === 'each' && type.kind === 'sequence'
        ? type.element
        : step.kind === 'member' && type.kind === 'federated'
          ? type.member
          : step.kind === 'parameter' && type.kind === 'function'
            ? type.parameter
            : step.kind === 'result' && type.kind === 'function'
              ? type.result
              : undefined;
  // Paths are made by walking the type that they are used on.
  if (!found) throw new RangeError(`A ${type.kind} type has no part '${step.kind}'.`);
  return found;
}

function nameLength(name: string | null): number {
  return name === null ? 0 : name.length + 1;
}

const ARROW = ' -> ';
