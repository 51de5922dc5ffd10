/**
 * @file How executors hold values: a tree of reference-counted nodes, and handles on its nodes.
 * Structs and selections share nodes instead of copying, so a handle stays valid when others on
 * the same value are disposed, and what nobody holds any more is freed at once.
 */

import {
  ContextError,
  ExecutionError,
  type MaterializedValue,
  type StructType,
  structOf,
  type Type,
} from '../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from './executor.ts';
import type { Lost } from './lost-client.ts';

/** A value inside an executor. Whoever creates or retains a node releases it, once. */
export abstract class ValueNode {
  readonly type: Type;
  #holders = 1;

  constructor(type: Type) {
    this.type = type;
  }

  /** See `ExecutorValue.missing`. */
  get missing(): readonly Lost[] {
    return NOBODY;
  }

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.free();
  }

  /** Called once, when the last holder let go. */
  protected abstract free(): void;
}

const NOBODY: readonly Lost[] = [];

/** A value that lives in another executor. The node owns its handle there. */
export class TargetNode extends ValueNode {
  readonly handle: ExecutorValue;

  constructor(handle: ExecutorValue) {
    super(handle.type);
    this.handle = handle;
  }

  override get missing(): readonly Lost[] {
    return this.handle.missing ?? NOBODY;
  }

  protected override free(): void {
    this.handle[Symbol.dispose]();
  }
}

/** A struct; it owns a hold on each of its elements. */
export class StructNode extends ValueNode {
  readonly elements: readonly ValueNode[];

  constructor(type: StructType, elements: readonly ValueNode[]) {
    super(type);
    this.elements = elements;
  }

  /** A struct of nodes that the caller goes on holding. */
  static sharing(names: readonly (string | null)[], elements: readonly ValueNode[]): StructNode {
    const type = structOf(
      elements.map((node, index) => ({ name: names[index] ?? null, type: node.type })),
    );
    return new StructNode(
      type,
      elements.map((node) => node.retain()),
    );
  }

  override get missing(): readonly Lost[] {
    return this.elements.flatMap(({ missing }) => missing);
  }

  protected override free(): void {
    releaseAll(this.elements);
  }
}

/** Reads a node of the executor that a handle belongs to. */
export interface NodeReader {
  readNode(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue>;
}

/** A handle on a node. The handle holds the node until it is disposed. */
export class NodeHandle implements ExecutorValue {
  readonly type: Type;
  readonly #owner: Executor & NodeReader;
  #node: ValueNode | null;

  /** Takes over the caller's hold on `node`. */
  constructor(owner: Executor & NodeReader, node: ValueNode) {
    this.type = node.type;
    this.#owner = owner;
    this.#node = node;
  }

  get missing(): readonly Lost[] {
    return this.#node?.missing ?? NOBODY;
  }

  async compute(options: RequestOptions = {}): Promise<MaterializedValue> {
    options.signal?.throwIfAborted();
    const node = this.node().retain();
    try {
      return await this.#owner.readNode(node, options);
    } finally {
      node.release();
    }
  }

  /** @throws ExecutionError `execution.released` */
  node(): ValueNode {
    if (this.#node === null) throw released(this.type);
    return this.#node;
  }

  belongsTo(owner: Executor): boolean {
    return this.#owner === owner;
  }

  [Symbol.dispose](): void {
    const node = this.#node;
    this.#node = null;
    node?.release();
  }
}

/**
 * The node behind a handle of `owner`; the handle goes on holding it.
 * @throws ContextError `context.unknown_value` for a handle of another executor.
 * @throws ExecutionError `execution.released`
 */
export function nodeOf(value: ExecutorValue, owner: Executor): ValueNode {
  if (value instanceof NodeHandle && value.belongsTo(owner)) return value.node();
  throw new ContextError(
    'context.unknown_value',
    `A value of type ${String(value.type)} belongs to another executor than the one it was given to. Bring it over by compute() and createValue().`,
  );
}

/** A handle was used after it was disposed. */
export function released(type: Type): ExecutionError {
  return new ExecutionError(
    'execution.released',
    `This value of type ${String(type)} was disposed already; use it before its handle is disposed.`,
  );
}

/** Releases several nodes. */
export function releaseAll(nodes: readonly ValueNode[]): void {
  for (const node of nodes) node.release();
}
