/**
 * @file Executes placed values: a server, clients, and further roles, each with an executor of its
 * own. Intrinsics are orchestrated from here; members move between places as data only, and only
 * where an intrinsic says so. After TensorFlow Federated's FederatingExecutor.
 */

import type { BuildingBlock, Data, Intrinsic } from '../computations/building-blocks.ts';
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
  type Type,
  UnsupportedAggregationError,
} from '../computations/types/index.ts';
import { isBlock } from './blocks.ts';
import { atEachChild, gatherFromEach } from './client-work.ts';
import type { Executor, ExecutorInput, ExecutorValue } from './executor.ts';
import { FederatedNode } from './federated-node.ts';
import { PRIMITIVES } from './federated-primitives.ts';
import { type Federation, FunctionNode, type Primitive } from './federation.ts';
import { isReadAgain, readAgain } from './materialized.ts';
import type { PlacedExecutor } from './placed-executor.ts';
import { LayerExecutor } from './tree-executor.ts';
import {
  NodeHandle,
  nodeOf,
  releaseAll,
  StructNode,
  type TargetNode,
  ValueNode,
} from './value-tree.ts';

export interface FederatingChildren {
  /** Runs what is placed at the server, and what has no placement. */
  readonly server: Executor;
  /** One executor for each client. */
  readonly clients: readonly Executor[];
  /** One executor for each further placement, by its URI, e.g. `aggregator`. */
  readonly roles?: { readonly [placement: string]: Executor };
}

/**
 * Knows intrinsics, functions and data; put a ReferenceResolvingExecutor around it for the rest of
 * the syntax. It owns its children: closing it closes them.
 */
export class FederatingExecutor extends LayerExecutor implements PlacedExecutor {
  readonly #children: ReadonlyMap<string, readonly Executor[]>;
  readonly #federation: Federation;

  constructor({ server, clients, roles = {} }: FederatingChildren) {
    super(server);
    this.#children = new Map([
      ...Object.entries(roles).map(([uri, executor]) => [uri, [executor]] as const),
      ['server', [server]],
      ['clients', clients],
    ]);
    this.#federation = {
      server,
      clients,
      lower: async (node) => this.lower(node),
    };
  }

  children(placement: PlacementUri): readonly Executor[] {
    const children = this.#children.get(placement);
    if (children !== undefined) return children;
    throw new CardinalityError(
      'cardinality.unknown',
      `There is no executor at ${placement.toUpperCase()}; this stack has ${[...this.#children.keys()].join(', ')}.`,
    );
  }

  members(value: ExecutorValue): readonly ExecutorValue[] {
    const node = nodeOf(value, this);
    if (node instanceof FederatedNode) return node.members;
    throw new FederatedTypeError(
      'type.wrong_kind',
      `Only a placed value has members; got ${compactNotation(node.type)}.`,
    );
  }

  place(members: readonly ExecutorValue[], type: FederatedType): ExecutorValue {
    try {
      this.requireOpen();
      requireCount(members.length, this.children(type.placement).length, type, 'handles');
    } catch (error) {
      for (const member of members) member[Symbol.dispose]();
      throw error;
    }
    return new NodeHandle(this, new FederatedNode(type, { members }));
  }

  protected override embed(value: ExecutorInput, type: Type): ValueNode | Promise<ValueNode> {
    return isBlock(value) ? this.#embedBlock(value) : this.#embedData(value, type);
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
  ): Promise<ValueNode> {
    if (!(fn instanceof PrimitiveNode)) return this.applyInTarget(fn, argument);
    if (argument === null || type.parameter === null) {
      throw new FederatedTypeError('type.arity', `${fn.uri} takes an argument; got none.`);
    }
    requireAssignable(type.parameter, argument.type, `The argument of ${fn.uri}`);
    return fn.primitive(this.#federation, argument, type);
  }

  protected override read(node: ValueNode): MaterializedValue | Promise<MaterializedValue> {
    return node instanceof FederatedNode ? readMembers(node) : super.read(node);
  }

  protected override async lowerOwn(node: ValueNode): Promise<TargetNode> {
    if (node instanceof FunctionNode) return this.embedInTarget(node.block, node.type);
    const reason =
      node instanceof FederatedNode
        ? 'Placed values reach a computation by a map, and the server by an aggregation.'
        : 'An intrinsic on placed values can be called, but not handed to another function.';
    throw new FederatedTypeError(
      'type.wrong_kind',
      `A value of type ${compactNotation(node.type)} cannot be used without placement. ${reason}`,
    );
  }

  protected override async shutDown(): Promise<void> {
    const children = new Set([...this.#children.values()].flat());
    const attempts = await Promise.allSettled([...children].map((child) => child.close()));
    const failed = attempts.find((attempt) => attempt.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #embedBlock(block: BuildingBlock): ValueNode | Promise<ValueNode> {
    switch (block.kind) {
      case 'intrinsic':
        return embedIntrinsic(block);
      case 'literal':
        return this.#embedData(block.value, block.type);
      case 'lambda':
      case 'compiled':
        return new FunctionNode(block);
      case 'data':
        if (block.type.kind === 'federated') return this.#embedNamedData(block, block.type);
        return this.embedInTarget(block, block.type);
      case 'placement':
        throw new ExecutionError(
          'execution.unsupported_value',
          `A placement (${block.uri}) is no value that can be executed.`,
        );
      default:
        if (!containsType(block.type, isFederated)) return this.embedInTarget(block, block.type);
        throw new ExecutionError(
          'execution.unsupported_value',
          `The federating executor does not take a ${block.kind} block; put a ReferenceResolvingExecutor around it.`,
        );
    }
  }

  #embedData(value: MaterializedValue, type: Type): ValueNode | Promise<ValueNode> {
    if (!containsType(type, isFederated)) return this.embedInTarget(value, type);
    if (type.kind === 'federated' && value.kind === 'federated') {
      return this.#embedMembers(value.members, type);
    }
    if (type.kind === 'struct' && value.kind === 'struct') {
      return this.#embedStruct(value.elements, type);
    }
    throw new ExecutionError(
      'execution.unsupported_value',
      `A ${value.kind} was given where data of type ${compactNotation(type)} is due.`,
    );
  }

  async #embedStruct(
    values: readonly MaterializedValue[],
    type: Extract<Type, { kind: 'struct' }>,
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
        nodes.push(await this.#embedData(value, element.type));
      }
    } catch (error) {
      releaseAll(nodes);
      throw error;
    }
    return new StructNode(type, nodes);
  }

  async #embedMembers(
    values: readonly MaterializedValue[],
    type: FederatedType,
  ): Promise<FederatedNode> {
    const children = this.children(type.placement);
    const what = 'receiving its data';
    if (!type.allEqual) {
      requireCount(values.length, children.length, type, 'members');
      const members = await atEachChild(children, type.placement, what, (child, index) =>
        child.createValue(values[index] as MaterializedValue, type.member),
      );
      return new FederatedNode(type, { members });
    }
    requireCount(values.length, 1, type, 'members');
    const [given] = values as readonly [MaterializedValue];
    const common = isReadAgain(given) ? given : await readAgain(given);
    const members = await atEachChild(children, type.placement, what, (child) =>
      child.createValue(common, type.member),
    );
    return new FederatedNode(type, { members, common });
  }

  /** Named data at a placement: each child finds its own. */
  async #embedNamedData(block: Data, type: FederatedType): Promise<FederatedNode> {
    const atChild: BuildingBlock = { ...block, type: type.member };
    const members = await atEachChild(
      this.children(type.placement),
      type.placement,
      `finding the data '${block.uri}'`,
      (child) => child.createValue(atChild, type.member),
    );
    return new FederatedNode(type, { members });
  }
}

class PrimitiveNode extends ValueNode {
  readonly uri: string;
  readonly primitive: Primitive;

  constructor(type: FunctionType, uri: string, primitive: Primitive) {
    super(type);
    this.uri = uri;
    this.primitive = primitive;
  }

  protected override free(): void {}
}

async function readMembers({ placed, common, members }: FederatedNode): Promise<MaterializedValue> {
  if (!placed.allEqual) {
    const values = await gatherFromEach(members, placed.placement, 'sending its result', (member) =>
      member.compute(),
    );
    return { kind: 'federated', members: values };
  }
  if (common !== null) return { kind: 'federated', members: [common] };
  const [first] = members;
  if (first === undefined) {
    throw new CardinalityError(
      'cardinality.empty',
      `A value of type ${compactNotation(placed)} has no content, because there are no participants to hold it.`,
    );
  }
  return { kind: 'federated', members: [await first.compute()] };
}

function embedIntrinsic(block: Intrinsic): ValueNode {
  const { uri, type } = block;
  const primitive = PRIMITIVES.get(uri);
  if (primitive !== undefined && type.kind === 'function') {
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

const SECURE_SUMS: ReadonlySet<string> = new Set([
  'federated_secure_sum',
  'federated_secure_sum_bitwidth',
  'federated_secure_modular_sum',
]);

function isFederated(type: Type): boolean {
  return type.kind === 'federated';
}

function requireCount(given: number, expected: number, type: FederatedType, what: string): void {
  if (given === expected) return;
  throw new CardinalityError(
    'cardinality.mismatch',
    `A value of type ${compactNotation(type)} has ${expected} ${what} in this stack; got ${given}.`,
  );
}
