/**
 * @file Executes placed values: a server, clients, and further roles, each with an executor of its
 * own. Intrinsics are orchestrated from here; members move between places as data only, and only
 * where an intrinsic says so. After TensorFlow Federated's FederatingExecutor.
 */

import type { BuildingBlock, Data } from '../../computations/building-blocks.ts';
import {
  CardinalityError,
  compactNotation,
  type FederatedType,
  FederatedTypeError,
  type MaterializedValue,
  type PlacementUri,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { forMany } from '../leaf/shared-tensor.ts';
import type { Lost } from '../lost-client.ts';
import { isReadAgain, readAgain } from '../materialized.ts';
import { NodeHandle, nodeOf, type ValueNode } from '../value-tree.ts';
import {
  asCounted,
  atEachClient,
  gatherFromEach,
  requireNoneLost,
  type Site,
} from './client-work.ts';
import { FederatedNode } from './federated-node.ts';
import { PRIMITIVES } from './federated-primitives.ts';
import type { Federation } from './federation.ts';
import type { LossOptions } from './lost-clients.ts';
import {
  type BoundPrimitive,
  closeAll,
  nobodyHolds,
  PlacedLayerExecutor,
  requireCount,
  requirePlacement,
} from './placed-layer.ts';

export interface FederatingChildren {
  /** Runs what is placed at the server, and what has no placement. */
  readonly server: Executor;
  /** One executor for each client. */
  readonly clients: readonly Executor[];
  /** One executor for each further placement, by its URI, e.g. `aggregator`. */
  readonly roles?: { readonly [placement: string]: Executor };
  /** How messages count the first of these clients, if they are part of a tree. @default 0 */
  readonly firstClient?: number;
  /**
   * How messages and protocols number the clients, in rising order, where they are some of many: a
   * cohort of a roster has its places there. @default one after the other from `firstClient`
   */
  readonly clientNumbers?: readonly number[];
}

/**
 * Knows intrinsics, functions and data; put a ReferenceResolvingExecutor around it for the rest of
 * the syntax. It owns its children: closing it closes them.
 */
export class FederatingExecutor extends PlacedLayerExecutor {
  readonly clientNumbers: readonly number[];
  readonly #children: ReadonlyMap<string, readonly Executor[]>;
  readonly #federation: Omit<Federation, 'options'>;

  /** @param losses what becomes of clients that fail. */
  constructor(
    { server, clients, roles = {}, firstClient = 0, clientNumbers }: FederatingChildren,
    losses: LossOptions = {},
  ) {
    super(server);
    this.clientNumbers = clientNumbers ?? clients.map((_, i) => firstClient + i);
    requireNumbers(this.clientNumbers, clients.length);
    this.#children = new Map([
      ...Object.entries(roles).map(([uri, executor]) => [uri, [executor]] as const),
      ['server', [server]],
      ['clients', clients],
    ]);
    this.#federation = {
      server,
      clients,
      site: {
        placement: 'clients',
        numberOf: (index) => this.clientNumbers[index] as number,
        losses,
      },
      lower: async (node) => this.lower(node),
    };
  }

  children(placement: PlacementUri): readonly Executor[] {
    return requirePlacement(this.#children, placement);
  }

  members(value: ExecutorValue): readonly ExecutorValue[] {
    const node = nodeOf(value, this);
    if (node instanceof FederatedNode) return node.members;
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
    const primitive = PRIMITIVES.get(uri);
    if (primitive === undefined) return null;
    return (argument, type, options) => primitive({ ...this.#federation, options }, argument, type);
  }

  protected override read(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue> {
    return node instanceof FederatedNode
      ? this.#readMembers(node, options)
      : super.read(node, options);
  }

  protected override shutDown(): Promise<void> {
    return closeAll([...this.#children.values()].flat());
  }

  protected override async embedMembers(
    values: readonly MaterializedValue[],
    type: FederatedType,
    options: RequestOptions,
  ): Promise<FederatedNode> {
    const children = this.children(type.placement);
    const site = this.#site(type.placement);
    const work = { what: 'receiving its data', type: type.member };
    if (!type.allEqual) {
      requireCount(values.length, children.length, type, 'members');
      const members = await atEachClient(children, site, work, options, (child, i, gate) =>
        child.createValue(values[i] as MaterializedValue, type.member, gate.options),
      );
      return new FederatedNode(type, { members });
    }
    requireCount(values.length, 1, type, 'members');
    const [given] = values as readonly [MaterializedValue];
    const common = isReadAgain(given) ? given : await readAgain(given, options.signal);
    const shared = forMany(common);
    const members = await atEachClient(children, site, work, options, (child, _i, gate) =>
      child.createValue(shared, type.member, gate.options),
    );
    return new FederatedNode(type, { members, common });
  }

  protected override async embedNamedData(
    block: Data,
    type: FederatedType,
    options: RequestOptions,
  ): Promise<FederatedNode> {
    const atChild: BuildingBlock = { ...block, type: type.member };
    const members = await atEachClient(
      this.children(type.placement),
      this.#site(type.placement),
      { what: `finding the data '${block.uri}'`, type: type.member },
      options,
      (child, _i, gate) => child.createValue(atChild, type.member, gate.options),
    );
    return new FederatedNode(type, { members });
  }

  async #readMembers(
    { placed, common, members }: FederatedNode,
    options: RequestOptions,
  ): Promise<MaterializedValue> {
    requireNoneLost(members);
    if (!placed.allEqual) {
      const site = this.#site(placed.placement);
      const values = await gatherFromEach(
        members,
        site,
        'sending its result',
        options,
        (member, _i, passed) => member.compute(passed),
      );
      return { kind: 'federated', members: values };
    }
    if (common !== null) return { kind: 'federated', members: [common] };
    const [first] = members;
    if (first === undefined) throw nobodyHolds(placed);
    return { kind: 'federated', members: [await first.compute(options)] };
  }

  #site(placement: PlacementUri): Site {
    return placement === 'clients' ? this.#federation.site : { placement, numberOf: asCounted };
  }
}

/** @throws CardinalityError `cardinality.mismatch` unless there is a number for each, rising. */
function requireNumbers(numbers: readonly number[], clients: number): void {
  const rising = numbers.every(
    (number, i) => Number.isSafeInteger(number) && number > (numbers[i - 1] ?? -1),
  );
  if (rising && numbers.length === clients) return;
  throw new CardinalityError(
    'cardinality.mismatch',
    `${clients} clients have as many numbers, whole and rising; got ${numbers.length}: ${numbers.slice(0, 5).join(', ')}.`,
  );
}
