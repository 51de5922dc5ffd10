/**
 * @file Why a type does not fit where another is expected: the first place where they differ, in
 * reading order, marked in the notation of both, and what to do about it.
 */

import { compactNotation, notationLength } from './compact.ts';
import { markedLines } from './marked-notation.ts';
import {
  elementOffset,
  elementStep,
  partAt,
  printPath,
  type Span,
  spanOf,
  type TypePath,
  type TypeStep,
} from './type-path.ts';
import type { FunctionType, Shape, StructType, TensorType, Type } from './types.ts';

/** The first place where a given type does not fit an expected one. */
export interface TypeDifference {
  /** Leads to the part that differs, in either type. */
  readonly path: TypePath;
  readonly aspect:
    | 'kind'
    | 'dtype'
    | 'shape'
    | 'element_count'
    | 'element_name'
    | 'arity'
    | 'placement'
    | 'all_equal'
    | 'label';
  /** The element of the part, if the aspect is one of a struct's elements. */
  readonly element?: number;
}

/**
 * The first place where `source` cannot be used as `target`, or `null` if it can: exactly if
 * `isAssignable` says so.
 */
export function firstDifference(target: Type, source: Type): TypeDifference | null {
  return visit(target, source);
}

/** The lines that show both types, mark where they differ first, and say what to do. */
export function explainDifference(target: Type, source: Type): string {
  const difference = firstDifference(target, source);
  if (difference === null) {
    return `  expected: ${compactNotation(target)}\n  given:    ${compactNotation(source)}`;
  }
  const expected = partAt(target, difference.path);
  const given = partAt(source, difference.path);
  const { element } = difference;
  const steps =
    element === undefined
      ? difference.path
      : [...difference.path, elementStep(element, elementName(expected, given, element))];
  const where = printPath(steps);
  const reason = reasonOf(difference, expected, given);
  const lines = [
    ...markedLines('expected: ', target, markOf(target, difference)),
    ...markedLines(
      'given:    ',
      source,
      markOf(source, difference),
      where === '' ? reason : `${where}: ${reason}`,
    ),
    ...adviceOn(difference, expected, given).map((advice) => `  ${advice}`),
  ];
  return lines.join('\n');
}

function visit(target: Type, source: Type): TypeDifference | null {
  if (target === source) return null;
  if (target.kind !== source.kind) return here('kind');
  switch (target.kind) {
    case 'tensor': {
      const { dtype, shape } = source as TensorType;
      if (target.dtype !== dtype) return here('dtype');
      return shapeFits(target.shape, shape) ? null : here('shape');
    }
    case 'struct':
      return visitStruct(target, source as StructType);
    case 'sequence':
      return source.kind === 'sequence'
        ? under({ kind: 'each' }, visit(target.element, source.element))
        : null;
    case 'function':
      return visitFunction(target, source as FunctionType);
    case 'federated': {
      if (source.kind !== 'federated') return null;
      if (target.placement !== source.placement) return here('placement');
      const inside = visit(target.member, source.member);
      if (inside !== null) return under({ kind: 'member' }, inside);
      return target.allEqual && !source.allEqual ? here('all_equal') : null;
    }
    case 'placement':
      return null;
    case 'abstract':
      return source.kind === 'abstract' && source.label === target.label ? null : here('label');
  }
}

function visitStruct(target: StructType, source: StructType): TypeDifference | null {
  const count = Math.max(target.elements.length, source.elements.length);
  const sameCount = target.elements.length === source.elements.length;
  for (let index = 0; index < count; index++) {
    const expected = target.elements[index];
    const given = source.elements[index];
    if (expected === undefined || given === undefined) return here('element_count', index);
    if (given.name !== null && given.name !== expected.name) {
      // In structs of different length, a name out of place shows which element is missing.
      return here(sameCount ? 'element_name' : 'element_count', index);
    }
    const inside = visit(expected.type, given.type);
    if (inside !== null) return under(elementStep(index, expected.name), inside);
  }
  return null;
}

function visitFunction(target: FunctionType, source: FunctionType): TypeDifference | null {
  if ((target.parameter === null) !== (source.parameter === null)) return here('arity');
  if (target.parameter !== null && source.parameter !== null) {
    // Parameters are contravariant: the source must accept all that the target promises to accept.
    const inside = visit(source.parameter, target.parameter);
    if (inside !== null) return under({ kind: 'parameter' }, inside);
  }
  return under({ kind: 'result' }, visit(target.result, source.result));
}

function here(aspect: TypeDifference['aspect'], element?: number): TypeDifference {
  return element === undefined ? { path: [], aspect } : { path: [], aspect, element };
}

/** The path is made on the way back, so that types which do not differ cost no more than a look. */
function under(step: TypeStep, found: TypeDifference | null): TypeDifference | null {
  return found === null ? null : { ...found, path: [step, ...found.path] };
}

function shapeFits(target: Shape | null, source: Shape | null): boolean {
  if (target === null) return true;
  if (source === null || source.length !== target.length) return false;
  return target.every((size, axis) => size === null || size === source[axis]);
}

/** What to underline of a type, for a difference at one of its parts. */
function markOf(type: Type, { path, aspect, element }: TypeDifference): Span {
  const whole = spanOf(type, path);
  const part = partAt(type, path);
  switch (aspect) {
    case 'dtype':
      return part.kind === 'tensor'
        ? { start: whole.start, end: whole.start + part.dtype.length }
        : whole;
    case 'shape':
      return part.kind === 'tensor' && part.shape?.length !== 0
        ? { start: whole.start + part.dtype.length, end: whole.end }
        : whole;
    case 'placement':
      return part.kind === 'federated'
        ? { start: whole.end - part.placement.length - 1, end: whole.end }
        : whole;
    case 'element_name':
    case 'element_count':
      return part.kind === 'struct' ? elementMark(part, whole, element ?? 0) : whole;
    default:
      return whole;
  }
}

/** The name of an element, or all of it if it has none; the closing bracket if it is not there. */
function elementMark(type: StructType, whole: Span, index: number): Span {
  const element = type.elements[index];
  if (element === undefined) return { start: whole.end - 1, end: whole.end };
  const start = whole.start + elementOffset(type, index);
  if (element.name !== null) return { start, end: start + element.name.length };
  return { start, end: start + notationLength(element.type) };
}

function elementName(expected: Type, given: Type, index: number): string | null {
  const nameIn = (type: Type): string | null =>
    type.kind === 'struct' ? (type.elements[index]?.name ?? null) : null;
  return nameIn(expected) ?? nameIn(given);
}

function reasonOf({ aspect, element }: TypeDifference, expected: Type, given: Type): string {
  switch (aspect) {
    case 'dtype':
      return expected.kind === 'tensor' && given.kind === 'tensor'
        ? `${given.dtype} instead of ${expected.dtype}`
        : '';
    case 'shape':
      return `${shapeText(given)} instead of ${shapeText(expected)}`;
    case 'placement':
      return `${placementText(given)} instead of ${placementText(expected)}`;
    case 'all_equal':
      return given.kind === 'federated' && given.allEqual
        ? 'is equal at all clients'
        : 'may differ between clients';
    case 'arity':
      return given.kind === 'function' && given.parameter === null
        ? 'takes no argument'
        : 'takes an argument';
    case 'label':
      return `${compactNotation(given)} instead of ${compactNotation(expected)}`;
    case 'kind':
      return `${kindText(given)} instead of ${kindText(expected)}`;
    case 'element_name':
    case 'element_count': {
      const is = given.kind === 'struct' ? given.elements[element ?? 0] : undefined;
      const due = expected.kind === 'struct' ? expected.elements[element ?? 0] : undefined;
      if (is === undefined) return 'missing';
      if (due === undefined) return 'one too many';
      if (is.name === null) return `has no name; '${due.name}' is expected`;
      return due.name === null
        ? `is called '${is.name}', but no name is expected`
        : `'${is.name}' instead of '${due.name}'`;
    }
  }
}

function adviceOn({ aspect }: TypeDifference, expected: Type, given: Type): readonly string[] {
  switch (aspect) {
    case 'dtype':
      return expected.kind === 'tensor' && given.kind === 'tensor'
        ? [
            `There is no silent conversion between dtypes; cast ${given.dtype} to ${expected.dtype} in a tensorComputation.`,
          ]
        : [];
    case 'shape':
      return hasUnknown(given) && !hasUnknown(expected)
        ? [
            'A size that is not known before the data arrives (?) does not fit a known one. State it in the type of the value, or expect null there.',
          ]
        : [];
    case 'placement':
      return [
        `The value is placed at ${placementText(given)}; move it first (federatedBroadcast takes a server value to the clients, an aggregation takes client values to the server).`,
      ];
    case 'all_equal':
      return [
        'The clients may hold different values here; an equal value at all clients is expected.',
      ];
    case 'element_name':
    case 'element_count':
      return expected.kind === 'struct' && given.kind === 'struct'
        ? adviceOnElements(expected, given)
        : [];
    case 'kind':
      return adviceOnKind(expected, given);
    default:
      return [];
  }
}

function adviceOnElements(expected: StructType, given: StructType): readonly string[] {
  const namesOf = (type: StructType): string[] =>
    type.elements.flatMap(({ name }) => (name === null ? [] : [name]));
  const due = namesOf(expected);
  const are = namesOf(given);
  const missing = due.filter((name) => !are.includes(name));
  const extra = are.filter((name) => !due.includes(name));
  if (due.length === expected.elements.length && are.length === given.elements.length) {
    if (missing.length === 0 && extra.length === 0) {
      return [`The elements of a struct are ordered; put them in the order ${due.join(', ')}.`];
    }
    return [
      [
        missing.length === 0 ? '' : `Missing: ${missing.join(', ')}.`,
        extra.length === 0 ? '' : `Not expected: ${extra.join(', ')}.`,
      ]
        .filter((text) => text !== '')
        .join(' '),
    ];
  }
  if (expected.elements.length === given.elements.length) {
    return ['A struct with names does not fit one without; pass an array instead of an object.'];
  }
  return [`${expected.elements.length} elements are expected; ${given.elements.length} are given.`];
}

function adviceOnKind(expected: Type, given: Type): readonly string[] {
  if (given.kind === 'federated') {
    return [
      'A placed value cannot be used as an unplaced one; use federatedMap to compute on it where it is.',
    ];
  }
  if (expected.kind === 'federated') {
    return ['The value has no placement; use federatedValue to place it.'];
  }
  if (given.kind === 'function') {
    return ['A computation is given where its result is due; call it.'];
  }
  if (given.kind === 'sequence') {
    return [
      'A sequence is used element by element: by sequenceMap, sequenceReduce or sequenceSum.',
    ];
  }
  return [];
}

function hasUnknown(type: Type): boolean {
  return type.kind === 'tensor' && (type.shape === null || type.shape.includes(null));
}

function shapeText(type: Type): string {
  if (type.kind !== 'tensor') return 'no tensor';
  if (type.shape === null) return 'a tensor of any rank';
  if (type.shape.length === 0) return 'a scalar';
  return `shape [${type.shape.map((size) => size ?? '?').join(',')}]`;
}

function placementText(type: Type): string {
  return type.kind === 'federated' ? type.placement.toUpperCase() : 'nowhere';
}

function kindText(type: Type): string {
  return KINDS[type.kind];
}

const KINDS: { readonly [K in Type['kind']]: string } = {
  tensor: 'a tensor',
  struct: 'a struct',
  sequence: 'a sequence',
  function: 'a function',
  federated: 'a placed value',
  placement: 'a placement',
  abstract: 'an opaque value',
};
