/**
 * @file The syntax tree of federated computations. Eleven kinds of building block, all immutable
 * data with a type; constructors check types, so a block that exists is well-typed.
 * They mirror the building blocks of federated_language (compiler/building_blocks.py).
 */

import type { SourceLocation } from './call-site.ts';
import type { KernelGraph } from './tensors/index.ts';
import {
  compactNotation,
  FederatedTypeError,
  type FunctionType,
  func,
  type MaterializedValue,
  type PlacementUri,
  placementType,
  requireAssignable,
  structOf,
  type Type,
} from './types/index.ts';

/** A name bound by an enclosing lambda or block. */
export interface Reference {
  readonly kind: 'reference';
  readonly name: string;
  readonly type: Type;
}

/** One element of a struct, by index. */
export interface Selection {
  readonly kind: 'selection';
  readonly source: BuildingBlock;
  readonly index: number;
  readonly type: Type;
}

export interface StructBlock {
  readonly kind: 'struct';
  readonly elements: readonly { readonly name: string | null; readonly value: BuildingBlock }[];
  readonly type: Type;
}

/** A function applied to an argument, or to none. */
export interface Call {
  readonly kind: 'call';
  readonly function: BuildingBlock;
  readonly argument: BuildingBlock | null;
  readonly type: Type;
}

export interface Lambda {
  readonly kind: 'lambda';
  /** `null` for a function without parameter. */
  readonly parameter: string | null;
  readonly result: BuildingBlock;
  readonly type: FunctionType;
}

/** Names bound one after the other (later ones see earlier ones), and a result. */
export interface Block {
  readonly kind: 'block';
  readonly locals: readonly { readonly name: string; readonly value: BuildingBlock }[];
  readonly result: BuildingBlock;
  readonly type: Type;
}

/** An operator of the federated language, known by its URI. */
export interface Intrinsic {
  readonly kind: 'intrinsic';
  readonly uri: string;
  readonly type: Type;
  /**
   * The composite intrinsic that this one was reduced from, if any: what the user wrote. Executors
   * name it in errors, and decide by it what may run. It does not travel on the wire.
   */
  readonly origin?: string;
  /**
   * Where the user's code called the intrinsic, if it was traced here. Transformations keep it: they
   * spread the block, and give it to what a composite is reduced to. It is no part of what the block
   * means: it does not travel on the wire, and no hash covers it.
   */
  readonly source?: SourceLocation;
}

/** Named data that the executor at the place of use resolves. */
export interface Data {
  readonly kind: 'data';
  readonly uri: string;
  readonly type: Type;
}

/**
 * A traced tensor computation. The leaves of the parameter type, depth first, are the parameters of
 * the graph; the leaves of the result type are its results.
 */
export interface Compiled {
  readonly kind: 'compiled';
  readonly name: string;
  readonly graph: KernelGraph;
  readonly type: FunctionType;
}

export interface Placement {
  readonly kind: 'placement';
  readonly uri: PlacementUri;
  readonly type: Type;
}

/** A constant without placement. */
export interface Literal {
  readonly kind: 'literal';
  readonly value: MaterializedValue;
  readonly type: Type;
}

export type BuildingBlock =
  | Reference
  | Selection
  | StructBlock
  | Call
  | Lambda
  | Block
  | Intrinsic
  | Data
  | Compiled
  | Placement
  | Literal;

export function reference(name: string, type: Type): Reference {
  return { kind: 'reference', name, type };
}

/**
 * @param which index or name of the element.
 * @throws FederatedTypeError `type.wrong_kind` if the source is no struct or has no such element.
 */
export function selection(source: BuildingBlock, which: number | string): Selection {
  const { type } = source;
  if (type.kind !== 'struct') {
    throw new FederatedTypeError(
      'type.wrong_kind',
      `Only a struct has elements to select; ${compactNotation(type)} has none.`,
    );
  }
  const index =
    typeof which === 'number'
      ? which
      : type.elements.findIndex((element) => element.name === which);
  const element = type.elements[index];
  if (element === undefined) {
    const names = type.elements.map((each, i) => each.name ?? i).join(', ');
    throw new FederatedTypeError(
      'type.wrong_kind',
      `${compactNotation(type)} has no element ${JSON.stringify(which)}; it has ${names || 'none'}.`,
    );
  }
  return { kind: 'selection', source, index, type: element.type };
}

export function structBlock(elements: StructBlock['elements']): StructBlock {
  const type = structOf(elements.map(({ name, value }) => ({ name, type: value.type })));
  return { kind: 'struct', elements, type };
}

/**
 * @param what names the argument in the message if its type does not fit.
 * @throws FederatedTypeError if the function is none, or the argument does not fit its parameter.
 */
export function call(
  fn: BuildingBlock,
  argument: BuildingBlock | null = null,
  what?: string,
): Call {
  const { type } = fn;
  if (type.kind !== 'function') {
    throw new FederatedTypeError(
      'type.wrong_kind',
      `Only a function can be called; got a value of type ${compactNotation(type)}.`,
    );
  }
  const name = what ?? `The argument of ${nameOf(fn)}`;
  if (type.parameter === null || argument === null) {
    if (type.parameter !== null || argument !== null) {
      throw new FederatedTypeError(
        'type.arity',
        argument === null
          ? `${nameOf(fn)} takes an argument of type ${compactNotation(type.parameter as Type)}; got none.`
          : `${nameOf(fn)} takes no argument; got one of type ${compactNotation(argument.type)}.`,
      );
    }
  } else {
    requireAssignable(type.parameter, argument.type, name);
  }
  return { kind: 'call', function: fn, argument, type: type.result };
}

export function lambda(parameter: string, parameterType: Type, result: BuildingBlock): Lambda;
export function lambda(parameter: null, parameterType: null, result: BuildingBlock): Lambda;
export function lambda(
  parameter: string | null,
  parameterType: Type | null,
  result: BuildingBlock,
): Lambda {
  return { kind: 'lambda', parameter, result, type: func(parameterType, result.type) };
}

export function block(locals: Block['locals'], result: BuildingBlock): Block {
  return { kind: 'block', locals, result, type: result.type };
}

/** An intrinsic at a concrete type. Whether the type is one the intrinsic has is checked in `intrinsics/`. */
export function intrinsic(uri: string, type: Type): Intrinsic {
  return { kind: 'intrinsic', uri, type };
}

export function data(uri: string, type: Type): Data {
  return { kind: 'data', uri, type };
}

export function compiled(name: string, graph: KernelGraph, type: FunctionType): Compiled {
  return { kind: 'compiled', name, graph, type };
}

export function placement(uri: PlacementUri): Placement {
  return { kind: 'placement', uri, type: placementType };
}

export function literal(value: MaterializedValue, type: Type): Literal {
  return { kind: 'literal', value, type };
}

/** The building blocks directly inside a block. */
export function childBlocks(node: BuildingBlock): readonly BuildingBlock[] {
  switch (node.kind) {
    case 'selection':
      return [node.source];
    case 'struct':
      return node.elements.map((element) => element.value);
    case 'call':
      return node.argument === null ? [node.function] : [node.function, node.argument];
    case 'lambda':
      return [node.result];
    case 'block':
      return [...node.locals.map((local) => local.value), node.result];
    default:
      return [];
  }
}

function nameOf(fn: BuildingBlock): string {
  return fn.kind === 'intrinsic'
    ? fn.uri
    : fn.kind === 'compiled'
      ? fn.name
      : fn.kind === 'reference'
        ? fn.name
        : 'the function';
}
