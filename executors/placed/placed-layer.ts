/**
 * @file What executors of placed values have in common, however their participants are reached: they
 * take intrinsics, functions as syntax and data, and leave what has no placement to the server.
 */

import type { BuildingBlock, Data, Intrinsic } from '../../computations/building-blocks.ts';
import {
  CardinalityError,
  compactNotation,
  containsType,
  ExecutionError,
  type FederatedType,
  FederatedTypeError,
  type FunctionType,
  type MaterializedValue,
  type PlacementUri,
  requireAssignable,
  type StructType,
  type Type,
  UnsupportedAggregationError,
} from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type { ExecutorInput, ExecutorValue, RequestOptions } from '../executor.ts';
import { withinSpan } from '../spans.ts';
import { LayerExecutor } from '../tree-executor.ts';
import { releaseAll, StructNode, type TargetNode, ValueNode } from '../value-tree.ts';
import { FunctionNode } from './federation.ts';
import type { PlacedExecutor } from './placed-executor.ts';

/** An intrinsic of one executor: its argument stays held meanwhile, the caller gets the result. */
export type BoundPrimitive = (
  argument: ValueNode,
  type: FunctionType,
  options: RequestOptions,
) => Promise<ValueNode>;

/** Its target is the executor of the server. */
export abstract class PlacedLayerExecutor extends LayerExecutor implements PlacedExecutor {
  abstract readonly clientNumbers: readonly number[];
  abstract children(placement: PlacementUri): ReturnType<PlacedExecutor['children']>;
  abstract members(value: ExecutorValue): readonly ExecutorValue[];
  abstract place(...placed: Parameters<PlacedExecutor['place']>): ExecutorValue;

  /** The intrinsic with this URI, if the executor implements it. */
  protected abstract primitive(uri: string): BoundPrimitive | null;
  /** Brings data to a placement: one member a participant, or one for all. */
  protected abstract embedMembers(
    values: readonly MaterializedValue[],
    type: FederatedType,
    options: RequestOptions,
  ): Promise<ValueNode>;
  /** Named data at a placement: each participant finds its own. */
  protected abstract embedNamedData(
    block: Data,
    type: FederatedType,
    options: RequestOptions,
  ): Promise<ValueNode>;

  protected override embed(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions,
  ): ValueNode | Promise<ValueNode> {
    return isBlock(value)
      ? this.#embedBlock(value, options)
      : this.#embedData(value, type, options);
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (!(fn instanceof PrimitiveNode)) return this.applyInTarget(fn, argument, options);
    if (argument === null || type.parameter === null) {
      throw new FederatedTypeError('type.arity', `${fn.uri} takes an argument; got none.`);
    }
    requireAssignable(type.parameter, argument.type, `The argument of ${fn.uri}`);
    options.onProgress?.({ kind: 'intrinsic', uri: fn.uri });
    const attributes = { 'fedloom.intrinsic': fn.uri };
    return withinSpan('fedloom.intrinsic', { attributes }, () =>
      fn.primitive(argument, type, options),
    );
  }

  protected override async lowerOwn(node: ValueNode): Promise<TargetNode> {
    if (node instanceof FunctionNode) return this.embedInTarget(node.block, node.type);
    const reason = isFederated(node.type)
      ? 'Placed values reach a computation by a map, and the server by an aggregation.'
      : 'An intrinsic on placed values can be called, but not handed to another function.';
    throw new FederatedTypeError(
      'type.wrong_kind',
      `A value of type ${compactNotation(node.type)} cannot be used without placement. ${reason}`,
    );
  }

  #embedBlock(block: BuildingBlock, options: RequestOptions): ValueNode | Promise<ValueNode> {
    switch (block.kind) {
      case 'intrinsic':
        return this.#embedIntrinsic(block);
      case 'literal':
        return this.#embedData(block.value, block.type, options);
      case 'lambda':
      case 'compiled':
        return new FunctionNode(block);
      case 'data':
        if (block.type.kind === 'federated') {
          return this.embedNamedData(block, block.type, options);
        }
        return this.embedInTarget(block, block.type, options);
      case 'placement':
        throw new ExecutionError(
          'execution.unsupported_value',
          `A placement (${block.uri}) is no value that can be executed.`,
        );
      default:
        if (!containsType(block.type, isFederated)) {
          return this.embedInTarget(block, block.type, options);
        }
        throw new ExecutionError(
          'execution.unsupported_value',
          `The executor of placed values does not take a ${block.kind} block; put a ReferenceResolvingExecutor around it.`,
        );
    }
  }

  #embedIntrinsic(block: Intrinsic): ValueNode {
    const { uri, type } = block;
    const primitive = this.primitive(uri);
    if (primitive !== null && type.kind === 'function') {
      return new PrimitiveNode(type, uri, primitive);
    }
    if (SECURE_SUMS.has(uri)) {
      throw new UnsupportedAggregationError(
        'aggregation.no_secure_protocol',
        `This executor stack has no secure aggregation, and ${uri} is never computed in the clear. Stacks made with localExecutorFactory({ secureAggregation: paillier() }) or localExecutorFactory({ secureAggregation: masking() }) support it.`,
      );
    }
    if (type.kind !== 'function' || containsType(type, isFederated)) {
      throw new ExecutionError(
        'execution.unsupported_intrinsic',
        `No executor of this stack implements the intrinsic ${uri}, of type ${compactNotation(type)}.`,
      );
    }
    // Without placement: the executor where it is called knows it, or says that it does not.
    return new FunctionNode(block);
  }

  #embedData(
    value: MaterializedValue,
    type: Type,
    options: RequestOptions,
  ): ValueNode | Promise<ValueNode> {
    if (!containsType(type, isFederated)) return this.embedInTarget(value, type, options);
    if (type.kind === 'federated' && value.kind === 'federated') {
      return this.embedMembers(value.members, type, options);
    }
    if (type.kind === 'struct' && value.kind === 'struct') {
      return this.#embedStruct(value.elements, type, options);
    }
    throw new ExecutionError(
      'execution.unsupported_value',
      `A ${value.kind} was given where data of type ${compactNotation(type)} is due.`,
    );
  }

  async #embedStruct(
    values: readonly MaterializedValue[],
    type: StructType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const nodes: ValueNode[] = [];
    try {
      for (const [index, element] of type.elements.entries()) {
        const value = values[index];
        if (value === undefined) {
          throw new ExecutionError(
            'execution.unsupported_value',
            `A struct of ${values.length} was given where ${compactNotation(type)} is due.`,
          );
        }
        nodes.push(await this.#embedData(value, element.type, options));
      }
    } catch (error) {
      releaseAll(nodes);
      throw error;
    }
    return new StructNode(type, nodes);
  }
}

/** @throws CardinalityError `cardinality.mismatch` */
export function requireCount(
  given: number,
  expected: number,
  type: FederatedType,
  what: string,
): void {
  if (given === expected) return;
  throw new CardinalityError(
    'cardinality.mismatch',
    `A value of type ${compactNotation(type)} has ${expected} ${what} in this stack; got ${given}.`,
  );
}

/** The executors at a placement. @throws CardinalityError `cardinality.unknown` */
export function requirePlacement<T>(
  children: ReadonlyMap<string, readonly T[]>,
  placement: PlacementUri,
): readonly T[] {
  const found = children.get(placement);
  if (found !== undefined) return found;
  throw new CardinalityError(
    'cardinality.unknown',
    `There is no executor at ${placement.toUpperCase()}; this stack has ${[...children.keys()].join(', ')}.`,
  );
}

/** An all-equal value without anyone to hold it was to be read. */
export function nobodyHolds(type: FederatedType): CardinalityError {
  return new CardinalityError(
    'cardinality.empty',
    `A value of type ${compactNotation(type)} has no content, because there are no participants to hold it.`,
  );
}

/** Closes all of them, each once; then throws what the first failure was, if any. */
export async function closeAll(executors: Iterable<{ close(): Promise<void> }>): Promise<void> {
  const attempts = await Promise.allSettled(
    [...new Set(executors)].map(async (executor) => executor.close()),
  );
  const failed = attempts.find((attempt) => attempt.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

class PrimitiveNode extends ValueNode {
  readonly uri: string;
  readonly primitive: BoundPrimitive;

  constructor(type: FunctionType, uri: string, primitive: BoundPrimitive) {
    super(type);
    this.uri = uri;
    this.primitive = primitive;
  }

  protected override free(): void {}
}

const SECURE_SUMS: ReadonlySet<string> = new Set([
  'federated_secure_sum',
  'federated_secure_sum_bitwidth',
  'federated_secure_modular_sum',
]);

function isFederated(type: Type): boolean {
  return type.kind === 'federated';
}
