/**
 * @file The types of the federated language: tensors, structs, sequences, functions, values placed
 * at clients or server, placements, and the abstract types of intrinsic signatures.
 *
 * Types are immutable data. The generic parameters exist for the TypeScript compiler only: they
 * keep dtype, member type and placement as literals, so that it can reject a sum of a server value.
 * Shapes are checked at run time, except that a scalar is told from an array.
 * Rules follow TensorFlow Federated's type system (federated_language/types).
 */

import { compactNotation } from './compact.ts';
import { type DType, isDType } from './dtypes.ts';
import { FederatedTypeError } from './errors.ts';

/** Size of one dimension; `null` where it is not known until the value arrives. */
export type Dimension = number | null;
/** Sizes of the dimensions, outermost first; `readonly []` is a scalar. */
export type Shape = readonly Dimension[];

export interface TensorType<D extends DType = DType, S extends Shape | null = Shape | null> {
  readonly kind: 'tensor';
  readonly dtype: D;
  /** `null` if not even the rank is known. */
  readonly shape: S;
}

/** Members of a struct as the TypeScript compiler sees them: by name, or by position. */
export type StructMembers = { readonly [name: string]: Type } | readonly Type[];

/**
 * `true`, or `boolean`, for members that are not listed one by one (any struct, or any of numbers): there is nothing
 * to say about each, and a recursive type that expands them would never end.
 */
export type IsOpen<M> = M extends readonly unknown[]
  ? number extends M['length']
    ? true
    : false
  : string extends keyof M
    ? true
    : false;

export interface StructElement {
  readonly name: string | null;
  readonly type: Type;
}

export interface StructType<M extends StructMembers = StructMembers> {
  readonly kind: 'struct';
  readonly elements: readonly StructElement[];
  /** Exists for the TypeScript compiler only; never set. */
  readonly members?: M;
}

export interface SequenceType<E extends Type = Type> {
  readonly kind: 'sequence';
  readonly element: E;
}

export interface FunctionType<P extends Type | null = Type | null, R extends Type = Type> {
  readonly kind: 'function';
  /** `null` for a function without parameter. */
  readonly parameter: P;
  readonly result: R;
}

/** URI of a placement. `clients` and `server` are what a computation speaks of; others are roles. */
export type PlacementUri =
  | 'clients'
  | 'server'
  | 'aggregator'
  | (string & { readonly role?: never });

export interface FederatedType<
  M extends Type = Type,
  P extends PlacementUri = PlacementUri,
  E extends boolean = boolean,
> {
  readonly kind: 'federated';
  readonly member: M;
  readonly placement: P;
  /** True if every participant at the placement holds the same value. */
  readonly allEqual: E;
}

/** A value held by each client. */
export type AtClients<M extends Type = Type, E extends boolean = boolean> = FederatedType<
  M,
  'clients',
  E
>;
/** A value held by the server. */
export type AtServer<M extends Type = Type> = FederatedType<M, 'server', true>;

export interface PlacementType {
  readonly kind: 'placement';
}

/**
 * A type variable of an intrinsic's signature, or the type of a value that never leaves its
 * executor (a protocol state, a secret key), which the label names.
 */
export interface AbstractType {
  readonly kind: 'abstract';
  readonly label: string;
}

export type Type =
  | TensorType
  | StructType
  | SequenceType
  | FunctionType
  | FederatedType
  | PlacementType
  | AbstractType;

type Rank<S extends Shape> = S extends readonly [] ? readonly [] : Shape;
type TensorConstructor<D extends DType> = <const S extends Shape>(
  ...shape: S
) => TensorType<D, Rank<S>>;

/**
 * Constructors of tensor types: `int32()` is a scalar, `float32(28, 28)` a matrix,
 * `float32(null, 3)` a matrix of unknown length.
 * @throws FederatedTypeError `type.invalid` for a dimension that is no non-negative integer.
 */
export const bool: TensorConstructor<'bool'> = (...shape) => tensor('bool', shape);
export const uint8: TensorConstructor<'uint8'> = (...shape) => tensor('uint8', shape);
export const int32: TensorConstructor<'int32'> = (...shape) => tensor('int32', shape);
export const int64: TensorConstructor<'int64'> = (...shape) => tensor('int64', shape);
export const float32: TensorConstructor<'float32'> = (...shape) => tensor('float32', shape);
export const string: TensorConstructor<'string'> = (...shape) => tensor('string', shape);

/** A tensor type of the given dtype and shape. */
export function tensor<D extends DType, const S extends Shape>(
  dtype: D,
  shape: S,
): TensorType<D, Rank<S>> {
  return tensorOfShape(dtype, shape) as TensorType<D, Rank<S>>;
}

/** A tensor type whose rank may be unknown (`shape: null`). */
export function tensorOfShape<D extends DType>(dtype: D, shape: Shape | null): TensorType<D> {
  for (const size of shape ?? []) {
    if (size !== null && !(Number.isSafeInteger(size) && size >= 0)) {
      throw new FederatedTypeError(
        'type.invalid',
        `A dimension must be a non-negative integer, or null where it is unknown; got ${String(size)} in ${dtype}[${String(shape)}].`,
      );
    }
  }
  return make({ kind: 'tensor', dtype, shape: shape === null ? null : Object.freeze([...shape]) });
}

/** A struct type from an object (named members), an array (unnamed), or `[name | null, type]` pairs. */
export function struct<const M extends StructMembers>(members: M): StructType<M> {
  const elements = Array.isArray(members)
    ? members.map((type: Type): StructElement => ({ name: null, type }))
    : Object.entries(members as { readonly [name: string]: Type }).map(([name, type]) => ({
        name,
        type,
      }));
  return structOf(elements) as StructType<M>;
}

/** A struct type from its elements; named and unnamed ones may mix. */
export function structOf(elements: readonly StructElement[]): StructType {
  const seen = new Set<string>();
  for (const { name, type } of elements) {
    requireType(type, `struct element ${name ?? '(unnamed)'}`);
    if (name === null) continue;
    if (!IDENTIFIER.test(name)) {
      throw new FederatedTypeError(
        'type.invalid',
        `A struct element's name must be an identifier (letters, digits, _); got ${JSON.stringify(name)}.`,
      );
    }
    if (seen.has(name)) {
      throw new FederatedTypeError(
        'type.invalid',
        `The struct element name '${name}' is used twice; names must differ.`,
      );
    }
    seen.add(name);
  }
  return make({
    kind: 'struct',
    elements: Object.freeze(elements.map(({ name, type }) => Object.freeze({ name, type }))),
  });
}

/**
 * The type of a sequence of values at one place.
 * @throws FederatedTypeError `type.invalid` if the element contains a placed value, a function or a sequence.
 */
export function sequence<E extends Type>(element: E): SequenceType<E> {
  requireType(element, 'sequence element');
  requireNone(element, ['federated', 'function', 'sequence'], 'A sequence');
  return make({ kind: 'sequence', element });
}

/** The type of a function; `null` as the parameter means that it takes none. */
export function func<P extends Type | null, R extends Type>(
  parameter: P,
  result: R,
): FunctionType<P, R> {
  if (parameter !== null) requireType(parameter, 'function parameter');
  requireType(result, 'function result');
  return make({ kind: 'function', parameter, result });
}

/** A value at each client; with `allEqual` every client holds the same one. */
export function atClients<M extends Type>(member: M): AtClients<M, false>;
export function atClients<M extends Type, E extends boolean>(
  member: M,
  options: { readonly allEqual: E },
): AtClients<M, E>;
export function atClients<M extends Type>(
  member: M,
  options?: { readonly allEqual: boolean },
): AtClients<M> {
  return federated(member, 'clients', options?.allEqual ?? false);
}

/** A value at the server. */
export function atServer<M extends Type>(member: M): AtServer<M> {
  return federated(member, 'server', true);
}

/**
 * A value at any placement.
 * @throws FederatedTypeError `type.invalid` if the member contains a placed value or a function, or
 *   the placement is not named by a lower-case identifier.
 */
export function federated<M extends Type, P extends PlacementUri, E extends boolean>(
  member: M,
  placement: P,
  allEqual: E,
): FederatedType<M, P, E> {
  requireType(member, 'member of a federated type');
  requireNone(member, ['federated', 'function'], 'A federated type');
  // The notation writes placements in capitals, so two that differ in case only would look the same.
  if (!/^[a-z_][a-z0-9_]*$/.test(placement)) {
    throw new FederatedTypeError(
      'type.invalid',
      `The URI of a placement must be a lower-case identifier; got ${JSON.stringify(placement)}.`,
    );
  }
  return make({ kind: 'federated', member, placement, allEqual });
}

/** @throws FederatedTypeError `type.invalid` if the label is no identifier, or names another type. */
export function abstract(label: string): AbstractType {
  if (!IDENTIFIER.test(label) || isDType(label) || label === 'str' || label === 'placement') {
    throw new FederatedTypeError(
      'type.invalid',
      `The label of an abstract type must be an identifier that names no other type; got ${JSON.stringify(label)}.`,
    );
  }
  return make({ kind: 'abstract', label });
}

/** True if `value` was made by one of the constructors of this module. */
export function isType(value: unknown): value is Type {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === TypePrototype
  );
}

/** True if `predicate` holds for `type` or for any type inside it. */
export function containsType(type: Type, predicate: (type: Type) => boolean): boolean {
  return predicate(type) || childTypes(type).some((child) => containsType(child, predicate));
}

/** The types directly inside a type. */
export function childTypes(type: Type): readonly Type[] {
  switch (type.kind) {
    case 'struct':
      return type.elements.map((element) => element.type);
    case 'sequence':
      return [type.element];
    case 'function':
      return type.parameter === null ? [type.result] : [type.parameter, type.result];
    case 'federated':
      return [type.member];
    case 'tensor':
    case 'placement':
    case 'abstract':
      return [];
  }
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

// One shared prototype gives every type a readable toString() while it stays plain data.
const TypePrototype: object = Object.create(Object.prototype, {
  toString: {
    value(this: Type): string {
      return compactNotation(this);
    },
  },
  [Symbol.for('nodejs.util.inspect.custom')]: {
    value(this: Type): string {
      return compactNotation(this);
    },
  },
});

function make<T extends Type>(fields: T): T {
  return Object.freeze(Object.assign(Object.create(TypePrototype), fields)) as T;
}

/** The type of placement literals. */
export const placementType: PlacementType = make({ kind: 'placement' });

function requireType(value: unknown, what: string): void {
  if (!isType(value)) {
    throw new FederatedTypeError(
      'type.invalid',
      `A ${what} must be a type such as int32() or struct({ … }); got ${describe(value)}.`,
    );
  }
}

function describe(value: unknown): string {
  if (typeof value === 'function')
    return `a function (${value.name || 'unnamed'}; did you forget to call it?)`;
  return typeof value === 'object' ? JSON.stringify(value)?.slice(0, 80) : String(value);
}

function requireNone(type: Type, kinds: readonly Type['kind'][], what: string): void {
  if (containsType(type, (inner) => kinds.includes(inner.kind))) {
    throw new FederatedTypeError(
      'type.invalid',
      `${what} may not contain ${kinds.join(', ')} types; got ${compactNotation(type)}.`,
    );
  }
}
