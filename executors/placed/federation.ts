/** @file What the federated primitives work with: the participants, and their arguments as nodes. */

import type { Compiled, Intrinsic, Lambda } from '../../computations/building-blocks.ts';
import {
  compactNotation,
  type FederatedType,
  FederatedTypeError,
  type FunctionType,
  type PlacementUri,
  type Type,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { StructNode, type TargetNode, ValueNode } from '../value-tree.ts';
import type { Site } from './client-work.ts';
import { ComposedNode } from './composed-node.ts';
import { FederatedNode } from './federated-node.ts';

export interface Federation {
  readonly server: Executor;
  readonly clients: readonly Executor[];
  /** What came with the request for which the intrinsic runs. */
  readonly options: RequestOptions;
  /** How messages call the clients. */
  readonly site: Site;
  /** Brings an unplaced value to the server's executor. */
  lower(node: ValueNode): Promise<TargetNode>;
}

/** An intrinsic: takes its argument as nodes that stay held meanwhile, returns a hold on its result. */
export type Primitive = (
  federation: Federation,
  argument: ValueNode,
  type: FunctionType,
) => Promise<ValueNode>;

/** A function as syntax: it goes to whichever executor calls it. */
export class FunctionNode extends ValueNode {
  readonly block: Lambda | Compiled | Intrinsic;

  constructor(block: Lambda | Compiled | Intrinsic) {
    super(block.type);
    this.block = block;
  }

  protected override free(): void {}
}

/** Brings a function to an executor; the caller disposes it. */
export function sendFunction(fn: FunctionNode, executor: Executor): Promise<ExecutorValue> {
  return executor.createValue(fn.block, fn.type);
}

/** The struct that an intrinsic with several arguments, or a zip, takes. */
export function asStruct(argument: ValueNode, uri: string): StructNode {
  if (argument instanceof StructNode) return argument;
  throw wrongArgument(uri, 'a struct', argument.type);
}

export function asFunction(node: ValueNode | undefined, uri: string): FunctionNode {
  if (node instanceof FunctionNode) return node;
  throw wrongArgument(uri, 'a function on unplaced values', node?.type);
}

export function asPlaced(
  node: ValueNode | undefined,
  placement: PlacementUri,
  uri: string,
): FederatedNode {
  if (node instanceof FederatedNode && node.placed.placement === placement) return node;
  throw wrongArgument(uri, `a value at ${placement.toUpperCase()}`, node?.type);
}

/** A value at the clients of a tree. */
export function asComposed(node: ValueNode | undefined, uri: string): ComposedNode {
  if (node instanceof ComposedNode) return node;
  throw wrongArgument(uri, 'a value at CLIENTS', node?.type);
}

/** The only member of a value at the server; it belongs to the value. */
export function atServer(node: ValueNode | undefined, uri: string): ExecutorValue {
  const [member] = asPlaced(node, 'server', uri).members;
  if (member === undefined) throw wrongArgument(uri, 'a value at SERVER', node?.type);
  return member;
}

/** The type of a result, which is placed. */
export function placedResult(type: FunctionType, uri: string): FederatedType {
  if (type.result.kind === 'federated') return type.result;
  throw wrongArgument(uri, 'a placed result type', type.result);
}

function wrongArgument(uri: string, expected: string, type: Type | undefined): FederatedTypeError {
  const given = type === undefined ? 'nothing' : compactNotation(type);
  return new FederatedTypeError('type.wrong_kind', `${uri} takes ${expected}; got ${given}.`, {
    expected,
    given,
  });
}
