/**
 * @file Abstract values: what the analysis knows of each value of a computation. They have the
 * structure of the values (so that one element of a struct is told from another), and origins in
 * place of content. After Cousot and Cousot 1977, with the lattice of information flow of Denning 1976.
 */

import {
  FederatedTypeError,
  type FunctionType,
  type MaterializedValue,
  type PlacementUri,
  type TensorValue,
  type Type,
} from '../../computations/types/index.ts';
import { includesAll, type Origins, PUBLIC, union } from './origins.ts';
import type { Producer } from './report.ts';

/** A tensor, or a value of a type without structure. */
export interface TensorFact {
  readonly kind: 'tensor';
  readonly origins: Origins;
  /** The value itself, if the computation states it. */
  readonly constant?: TensorValue;
}

export interface StructFact {
  readonly kind: 'struct';
  readonly elements: readonly Fact[];
}

export interface SequenceFact {
  readonly kind: 'sequence';
  /** Any of its elements. */
  readonly element: Fact;
  /** What the number of its elements was computed from. */
  readonly length: Origins;
}

export interface FunctionFact {
  readonly kind: 'function';
  readonly type: FunctionType;
  apply(argument: Fact | null): Fact;
}

export interface PlacedFact {
  readonly kind: 'placed';
  readonly placement: PlacementUri;
  readonly member: Fact;
  /** The call that made it, if the user wrote one. */
  readonly producer: Producer | null;
}

export type Fact = TensorFact | StructFact | SequenceFact | FunctionFact | PlacedFact;

/** Origins for each leaf of a type, by the path to it. */
export type LeafOrigins = (leaf: 'value' | 'length', path: string) => Origins;

/**
 * A fact for any value of a type.
 * @param path name of the value; elements are named after it.
 * @param fn makes the functions in it.
 */
export function factOf(
  type: Type,
  origins: LeafOrigins,
  fn: (type: FunctionType, path: string) => FunctionFact,
  path = '',
): Fact {
  const inner = (of: Type, at: string): Fact => factOf(of, origins, fn, at);
  switch (type.kind) {
    case 'struct':
      return {
        kind: 'struct',
        elements: type.elements.map(({ name, type: element }, index) =>
          inner(element, elementPath(path, name, index)),
        ),
      };
    case 'sequence':
      return {
        kind: 'sequence',
        element: inner(type.element, `${path}[*]`),
        length: origins('length', path),
      };
    case 'federated':
      return {
        kind: 'placed',
        placement: type.placement,
        member: inner(type.member, path),
        producer: null,
      };
    case 'function':
      return fn(type, path);
    case 'tensor':
      // A tensor without elements has no content.
      if (type.shape?.includes(0)) return PUBLIC_TENSOR;
      return { kind: 'tensor', origins: origins('value', path) };
    default:
      return { kind: 'tensor', origins: origins('value', path) };
  }
}

export function elementPath(path: string, name: string | null, index: number): string {
  if (name === null) return `${path}[${index}]`;
  return path === '' ? name : `${path}.${name}`;
}

/** The fact of a value that a computation states. */
export function constantFact(value: MaterializedValue, type: Type): Fact {
  if (value.kind === 'tensor') return { kind: 'tensor', origins: PUBLIC, constant: value };
  if (value.kind === 'struct' && type.kind === 'struct') {
    return {
      kind: 'struct',
      elements: type.elements.map((element, index) => {
        const part = value.elements[index];
        return part === undefined ? PUBLIC_TENSOR : constantFact(part, element.type);
      }),
    };
  }
  return factOf(
    type,
    () => PUBLIC,
    (fn) => refuseFunction(fn),
  );
}

/** All origins of a value. Those of a function are the origins of what it gives for public arguments. */
export function originsOf(fact: Fact): Origins {
  switch (fact.kind) {
    case 'tensor':
      return fact.origins;
    case 'struct':
      return union(...fact.elements.map(originsOf));
    case 'sequence':
      return union(originsOf(fact.element), fact.length);
    case 'placed':
      return originsOf(fact.member);
    case 'function':
      return originsOf(fact.apply(publicArgument(fact.type)));
  }
}

/** The same value with other origins at each leaf. Functions keep theirs, and change those of their results. */
export function mapOrigins(fact: Fact, change: (origins: Origins) => Origins): Fact {
  switch (fact.kind) {
    case 'tensor': {
      const origins = change(fact.origins);
      return origins === fact.origins ? fact : { kind: 'tensor', origins };
    }
    case 'struct':
      return { kind: 'struct', elements: fact.elements.map((each) => mapOrigins(each, change)) };
    case 'sequence':
      return {
        kind: 'sequence',
        element: mapOrigins(fact.element, change),
        length: change(fact.length),
      };
    case 'placed':
      return { ...fact, member: mapOrigins(fact.member, change) };
    case 'function':
      return {
        kind: 'function',
        type: fact.type,
        apply: (argument) => mapOrigins(fact.apply(argument), change),
      };
  }
}

/** The least fact that covers both. */
export function join(a: Fact, b: Fact): Fact {
  if (a === b) return a;
  if (a.kind === 'tensor' && b.kind === 'tensor') {
    return { kind: 'tensor', origins: union(a.origins, b.origins) };
  }
  if (a.kind === 'struct' && b.kind === 'struct') {
    return {
      kind: 'struct',
      elements: a.elements.map((element, i) => join(element, b.elements[i] ?? element)),
    };
  }
  if (a.kind === 'sequence' && b.kind === 'sequence') {
    return {
      kind: 'sequence',
      element: join(a.element, b.element),
      length: union(a.length, b.length),
    };
  }
  if (a.kind === 'placed' && b.kind === 'placed') {
    return { ...a, member: join(a.member, b.member) };
  }
  if (a.kind === 'function' && b.kind === 'function') {
    return {
      kind: 'function',
      type: a.type,
      apply: (argument) => join(a.apply(argument), b.apply(argument)),
    };
  }
  throw new TypeError(`A ${a.kind} and a ${b.kind} were to be joined; they have no common type.`);
}

/** True if `fact` knows everything that `part` does: joining them would add nothing. */
export function covers(fact: Fact, part: Fact): boolean {
  if (fact.kind === 'struct' && part.kind === 'struct') {
    return fact.elements.every((element, i) => {
      const other = part.elements[i];
      return other === undefined || covers(element, other);
    });
  }
  if (fact.kind === 'sequence' && part.kind === 'sequence') {
    return covers(fact.element, part.element) && includesAll(fact.length, part.length);
  }
  if (fact.kind === 'placed' && part.kind === 'placed') return covers(fact.member, part.member);
  return includesAll(originsOf(fact), originsOf(part));
}

/** An argument that tells nothing, for a function of the given type. */
export function publicArgument({ parameter }: FunctionType): Fact | null {
  return parameter === null ? null : spread(parameter, PUBLIC);
}

/** A value of a type, every part of which comes from all of the origins. */
export function spread(type: Type, origins: Origins): Fact {
  return factOf(
    type,
    () => origins,
    (fn) => dependentFunction(fn),
  );
}

export const PUBLIC_TENSOR: TensorFact = { kind: 'tensor', origins: PUBLIC };

export function structElements(fact: Fact | null): readonly Fact[] {
  if (fact?.kind === 'struct') return fact.elements;
  throw wrongKind('a struct', fact);
}

export function asFunctionFact(fact: Fact | undefined): FunctionFact {
  if (fact?.kind === 'function') return fact;
  throw wrongKind('a function', fact);
}

export function asPlacedFact(fact: Fact | null | undefined): PlacedFact {
  if (fact?.kind === 'placed') return fact;
  throw wrongKind('a placed value', fact);
}

export function asSequenceFact(fact: Fact | null | undefined): SequenceFact {
  if (fact?.kind === 'sequence') return fact;
  throw wrongKind('a sequence', fact);
}

/** A function of which nothing is known but that its result depends on its argument at most. */
function dependentFunction(type: FunctionType): FunctionFact {
  return {
    kind: 'function',
    type,
    apply: (argument) => spread(type.result, argument === null ? PUBLIC : originsOf(argument)),
  };
}

function refuseFunction(type: FunctionType): never {
  throw new FederatedTypeError('type.wrong_kind', `A literal holds no function (${String(type)}).`);
}

function wrongKind(expected: string, fact: Fact | null | undefined): FederatedTypeError {
  return new FederatedTypeError(
    'type.wrong_kind',
    `The computation is not well-typed: ${expected} is due where a ${fact?.kind ?? 'missing'} value stands.`,
  );
}
