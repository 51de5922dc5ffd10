/**
 * @file Executes placed values over a tree: the clients belong to children, each an executor of
 * placed values of its own, with a server that does a share of the aggregation. Intrinsics are
 * pushed down to the children; what they aggregate comes up as one value a child. After TensorFlow
 * Federated's ComposingExecutor.
 */

import type { Data } from '../../computations/building-blocks.ts';
import {
  compactNotation,
  ExecutionError,
  type FederatedType,
  FederatedTypeError,
  type MaterializedValue,
  type PlacementUri,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import type { Lost } from '../lost-client.ts';
import { readAgain } from '../materialized.ts';
import { NodeHandle, nodeOf, type ValueNode } from '../value-tree.ts';
import { asCounted, atEachChild, gatherFromEach } from './client-work.ts';
import { ComposedNode } from './composed-node.ts';
import { COMPOSING_PRIMITIVES } from './composing-primitives.ts';
import {
  CHILDREN,
  type Composition,
  membersOf,
  optionsBelow,
  shareOut,
  type TreeAggregation,
} from './composition.ts';
import { FederatedNode } from './federated-node.ts';
import { PRIMITIVES } from './federated-primitives.ts';
import type { Federation } from './federation.ts';
import type { LossOptions } from './lost-clients.ts';
import type { PlacedExecutor } from './placed-executor.ts';
import {
  type BoundPrimitive,
  closeAll,
  nobodyHolds,
  PlacedLayerExecutor,
  requireCount,
  requirePlacement,
} from './placed-layer.ts';

/** A part of the clients, and the executor that reaches them. */
export interface ComposingChild {
  /** Executes placed values: a FederatingExecutor, a ComposingExecutor, a stack on another machine. */
  readonly executor: Executor;
  /** How many clients it has. */
  readonly clients: number;
}

export interface ComposingChildren {
  /** Runs what is placed at the server, and what has no placement. */
  readonly server: Executor;
  /** The clients of the first child come first, and so on. */
  readonly children: readonly ComposingChild[];
  /** One executor for each further placement, by its URI, e.g. `aggregator`. */
  readonly roles?: { readonly [placement: string]: Executor };
}

/**
 * What becomes of clients that fail is up to the children, which must be told the same but for
 * `minimumSurvivors: 0`: how many are left counts for all of them, here.
 */
export interface ComposingOptions extends LossOptions {
  /** @default 'in-order' */
  readonly aggregation?: TreeAggregation;
}

/**
 * Knows intrinsics, functions and data; put a ReferenceResolvingExecutor around it for the rest of
 * the syntax. It owns its children: closing it closes them. What children accumulate moves as data
 * between them, so a value that stays in its executor (an opaque one) cannot be an accumulator.
 */
export class ComposingExecutor extends PlacedLayerExecutor {
  readonly clientNumbers: readonly number[];
  readonly #composition: Omit<Composition, 'options' | 'below'>;
  readonly #federation: Omit<Federation, 'options'>;
  readonly #atPlacements: ReadonlyMap<string, readonly Executor[]>;

  constructor(
    { server, children, roles = {} }: ComposingChildren,
    { aggregation = 'in-order', ...losses }: ComposingOptions = {},
  ) {
    super(server);
    this.clientNumbers = Array.from(
      { length: children.reduce((sum, { clients }) => sum + clients, 0) },
      (_, i) => i,
    );
    const lower = async (node: ValueNode) => this.lower(node);
    const site = { placement: 'clients', numberOf: asCounted };
    this.#composition = {
      server,
      executors: children.map(({ executor }) => executor),
      counts: children.map(({ clients }) => clients),
      aggregation,
      lower,
      losses,
      clientCount: children.reduce((sum, { clients }) => sum + clients, 0),
      clients: () => this.children('clients'),
      membersOf: (value) => this.#membersOf(value),
      compose: (members, type) => this.#compose(members, type),
    };
    // What happens at the server only is the same as without a tree.
    this.#federation = { server, clients: [], site, lower };
    this.#atPlacements = new Map([
      ...Object.entries(roles).map(([uri, executor]) => [uri, [executor]] as const),
      ['server', [server]],
    ]);
  }

  children(placement: PlacementUri): readonly Executor[] {
    if (placement !== 'clients') return requirePlacement(this.#atPlacements, placement);
    return this.#composition.executors.flatMap((child) => [
      ...asPlacedExecutor(child).children('clients'),
    ]);
  }

  members(value: ExecutorValue): readonly ExecutorValue[] {
    const node = nodeOf(value, this);
    if (node instanceof FederatedNode) return node.members;
    if (node instanceof ComposedNode) return this.#membersOf(node);
    throw new FederatedTypeError(
      'type.wrong_kind',
      `Only a placed value has members; got ${compactNotation(node.type)}.`,
    );
  }

  place(
    members: readonly ExecutorValue[],
    type: FederatedType,
    missing?: readonly Lost[],
  ): ExecutorValue {
    if (type.placement === 'clients') return new NodeHandle(this, this.#compose(members, type));
    try {
      this.requireOpen();
      requireCount(members.length, this.children(type.placement).length, type, 'handles');
    } catch (error) {
      for (const member of members) member[Symbol.dispose]();
      throw error;
    }
    const content = missing === undefined ? { members } : { members, missing };
    return new NodeHandle(this, new FederatedNode(type, content));
  }

  protected override primitive(uri: string): BoundPrimitive | null {
    const composing = COMPOSING_PRIMITIVES.get(uri);
    if (composing !== undefined) {
      return (argument, type, options) => {
        const below = optionsBelow(options, this.#composition.clientCount);
        return composing({ ...this.#composition, options, below }, argument, type);
      };
    }
    const atServer = PRIMITIVES.get(uri);
    if (atServer === undefined) return null;
    return (argument, type, options) => atServer({ ...this.#federation, options }, argument, type);
  }

  protected override read(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue> {
    if (node instanceof ComposedNode) return this.#readParts(node, options);
    if (!(node instanceof FederatedNode)) return super.read(node, options);
    const [member] = node.members as readonly [ExecutorValue];
    return member.compute(options).then((value) => ({ kind: 'federated', members: [value] }));
  }

  protected override shutDown(): Promise<void> {
    const { executors } = this.#composition;
    return closeAll([...[...this.#atPlacements.values()].flat(), ...executors]);
  }

  protected override async embedMembers(
    values: readonly MaterializedValue[],
    type: FederatedType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (type.placement !== 'clients') return this.#embedAtOne(values, type, options);
    const { executors, counts } = this.#composition;
    requireCount(values.length, type.allEqual ? 1 : this.#composition.clientCount, type, 'members');
    const below = optionsBelow(options, this.#composition.clientCount);
    // All children read an all-equal value, and a sequence in it may be readable only once.
    const common = type.allEqual
      ? await readAgain(values[0] as MaterializedValue, options.signal)
      : null;
    const shares = common === null ? shareOut(values, counts) : executors.map(() => [common]);
    const parts = await atEachChild(
      executors,
      CHILDREN,
      'receiving its data',
      options,
      (child, i) => child.createValue({ kind: 'federated', members: shares[i] ?? [] }, type, below),
    );
    return new ComposedNode(type, parts, common);
  }

  protected override async embedNamedData(
    block: Data,
    type: FederatedType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (type.placement === 'clients') {
      const what = `finding the data '${block.uri}'`;
      const { executors } = this.#composition;
      const below = optionsBelow(options, this.#composition.clientCount);
      const parts = await atEachChild(executors, CHILDREN, what, options, (child) =>
        child.createValue(block, type, below),
      );
      return new ComposedNode(type, parts);
    }
    const [executor] = this.children(type.placement) as readonly [Executor];
    const member = await executor.createValue(
      { ...block, type: type.member },
      type.member,
      options,
    );
    return new FederatedNode(type, { members: [member] });
  }

  #membersOf({ parts }: ComposedNode): readonly ExecutorValue[] {
    return this.#composition.executors.flatMap((child, i) => [
      ...asPlacedExecutor(child).members(parts[i] as ExecutorValue),
    ]);
  }

  /** A value at all clients, of handles there, which are taken over or disposed. */
  #compose(members: readonly ExecutorValue[], type: FederatedType): ComposedNode {
    const { executors, counts, clientCount } = this.#composition;
    const parts: ExecutorValue[] = [];
    let taken = 0;
    try {
      this.requireOpen();
      requireCount(members.length, clientCount, type, 'handles');
      const placed = executors.map(asPlacedExecutor);
      for (const [i, share] of shareOut(members, counts).entries()) {
        // From here on they are the child's, which disposes them if it refuses them.
        taken += share.length;
        parts.push((placed[i] as PlacedExecutor).place(share, type));
      }
    } catch (error) {
      for (const part of parts) part[Symbol.dispose]();
      for (const member of members.slice(taken)) member[Symbol.dispose]();
      throw error;
    }
    return new ComposedNode(type, parts);
  }

  /** Data at the server or at a role. */
  async #embedAtOne(
    values: readonly MaterializedValue[],
    type: FederatedType,
    options: RequestOptions,
  ): Promise<FederatedNode> {
    const [executor] = this.children(type.placement) as readonly [Executor];
    requireCount(values.length, 1, type, 'members');
    const [value] = values as readonly [MaterializedValue];
    const member = await executor.createValue(value, type.member, options);
    return new FederatedNode(type, { members: [member] });
  }

  async #readParts(
    { placed, common, parts }: ComposedNode,
    options: RequestOptions,
  ): Promise<MaterializedValue> {
    // The child names the client, so nothing else need be read.
    await parts
      .find(({ missing }) => missing !== undefined && missing.length > 0)
      ?.compute(options);
    if (placed.allEqual) {
      if (common !== null) return { kind: 'federated', members: [common] };
      const filled = this.#composition.counts.findIndex((count) => count > 0);
      const part = parts[filled];
      if (part === undefined) throw nobodyHolds(placed);
      return part.compute(options);
    }
    const values = await gatherFromEach(parts, CHILDREN, 'sending its result', options, (part) =>
      part.compute(options),
    );
    return { kind: 'federated', members: values.flatMap(membersOf) };
  }
}

/** @throws ExecutionError `execution.unsupported_value` for an executor that shows no members. */
function asPlacedExecutor(executor: Executor): PlacedExecutor {
  if ('members' in executor && 'place' in executor && 'children' in executor) {
    return executor as PlacedExecutor;
  }
  throw new ExecutionError(
    'execution.unsupported_value',
    'A child of this tree does not show its clients one by one (it is no PlacedExecutor), so nothing can work on their values from above, as a secure aggregation does.',
  );
}
