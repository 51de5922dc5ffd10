/**
 * @file What all executors that hold value trees have in common: handles, structs, selections, the
 * checks on calls, and refusal after closing. `LayerExecutor` adds what an executor around another
 * one needs: bringing a tree down to the target.
 */

import {
  ContextError,
  compactNotation,
  ExecutionError,
  FederatedTypeError,
  type FunctionType,
  type MaterializedValue,
  type Type,
} from '../computations/types/index.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from './executor.ts';
import {
  NodeHandle,
  nodeOf,
  releaseAll,
  StructNode,
  TargetNode,
  type ValueNode,
} from './value-tree.ts';

export abstract class TreeExecutor implements Executor {
  #closing: Promise<void> | null = null;

  async createValue(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    this.requireOpen();
    options.signal?.throwIfAborted();
    return new NodeHandle(this, await this.embed(value, type, options));
  }

  async createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options: RequestOptions = {},
  ): Promise<ExecutorValue> {
    this.requireOpen();
    options.signal?.throwIfAborted();
    const callee = nodeOf(fn, this);
    const given = argument === undefined ? null : nodeOf(argument, this);
    const type = requireFunction(callee.type, given?.type ?? null);
    // Held for the time of the call, so that the caller may dispose its handles meanwhile.
    callee.retain();
    given?.retain();
    try {
      return new NodeHandle(this, await this.apply(callee, given, type, options));
    } finally {
      callee.release();
      given?.release();
    }
  }

  async createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    this.requireOpen();
    const nodes = elements.map(({ value }) => nodeOf(value, this));
    const names = elements.map(({ name }) => name);
    return new NodeHandle(this, StructNode.sharing(names, nodes));
  }

  async createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    this.requireOpen();
    const node = nodeOf(source, this).retain();
    try {
      return new NodeHandle(this, await this.select(node, index));
    } finally {
      node.release();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.shutDown();
    return this.#closing;
  }

  /** The content of a node as data. */
  readNode(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue> {
    if (node.type.kind === 'function') {
      throw new ExecutionError(
        'execution.unsupported_value',
        `A function has no content to compute (${compactNotation(node.type)}); call it, and compute the result.`,
      );
    }
    return node instanceof StructNode ? this.#readStruct(node, options) : this.read(node, options);
  }

  /** Puts a value in; the caller gets the hold on the node. */
  protected abstract embed(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions,
  ): ValueNode | Promise<ValueNode>;
  /** Calls a function whose type and arity were checked; the arguments stay held meanwhile. */
  protected abstract apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): ValueNode | Promise<ValueNode>;
  /** Reads a node that is neither a struct node nor a function. */
  protected abstract read(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue>;
  /** Selects from a node that is of struct type, but no struct node. */
  protected abstract selectFrom(node: ValueNode, index: number): Promise<ValueNode>;
  /** Frees everything; called once. */
  protected abstract shutDown(): Promise<void>;

  /** A hold on an element of a struct. */
  protected select(node: ValueNode, index: number): ValueNode | Promise<ValueNode> {
    requireElement(node.type, index);
    if (!(node instanceof StructNode)) return this.selectFrom(node, index);
    const element = node.elements[index];
    if (element === undefined) throw new RangeError(`Struct node without element ${index}.`);
    return element.retain();
  }

  /** @throws ContextError `context.closed` */
  protected requireOpen(): void {
    if (this.#closing !== null) {
      throw new ContextError(
        'context.closed',
        'The executor is closed; nothing can be run on it any more.',
      );
    }
  }

  async #readStruct(node: StructNode, options: RequestOptions): Promise<MaterializedValue> {
    const elements = await Promise.all(
      node.elements.map((element) => this.readNode(element, options)),
    );
    return { kind: 'struct', elements };
  }
}

/** An executor around another one, the target. */
export abstract class LayerExecutor extends TreeExecutor {
  protected readonly target: Executor;

  constructor(target: Executor) {
    super();
    this.target = target;
  }

  /**
   * Brings a value down to the target.
   * @returns a hold on a node of the target.
   */
  protected lower(node: ValueNode, options: RequestOptions = {}): TargetNode | Promise<TargetNode> {
    if (node instanceof TargetNode) return node.retain();
    return node instanceof StructNode
      ? this.#lowerStruct(node, options)
      : this.lowerOwn(node, options);
  }

  /** Brings down a node of the executor's own kinds, or refuses to. */
  protected abstract lowerOwn(node: ValueNode, options: RequestOptions): Promise<TargetNode>;

  /** Calls a function of the target. */
  protected async applyInTarget(
    fn: ValueNode,
    argument: ValueNode | null,
    options: RequestOptions,
  ): Promise<TargetNode> {
    const callee = await this.lower(fn, options);
    try {
      if (argument === null) {
        return new TargetNode(await this.target.createCall(callee.handle, undefined, options));
      }
      const given = await this.lower(argument, options);
      try {
        return new TargetNode(await this.target.createCall(callee.handle, given.handle, options));
      } finally {
        given.release();
      }
    } finally {
      callee.release();
    }
  }

  protected async embedInTarget(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<TargetNode> {
    return new TargetNode(await this.target.createValue(value, type, options));
  }

  protected override read(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue> {
    if (node instanceof TargetNode) return node.handle.compute(options);
    throw new ExecutionError(
      'execution.unsupported_value',
      `A value of type ${compactNotation(node.type)} cannot be read.`,
    );
  }

  protected override async selectFrom(node: ValueNode, index: number): Promise<ValueNode> {
    const source = await this.lower(node);
    try {
      return new TargetNode(await this.target.createSelection(source.handle, index));
    } finally {
      source.release();
    }
  }

  protected override shutDown(): Promise<void> {
    return this.target.close();
  }

  async #lowerStruct(node: StructNode, options: RequestOptions): Promise<TargetNode> {
    const lowered: TargetNode[] = [];
    try {
      for (const element of node.elements) lowered.push(await this.lower(element, options));
      const names = node.type.kind === 'struct' ? node.type.elements : [];
      const handle = await this.target.createStruct(
        lowered.map((element, index) => ({
          name: names[index]?.name ?? null,
          value: element.handle,
        })),
      );
      return new TargetNode(handle);
    } finally {
      releaseAll(lowered);
    }
  }
}

/**
 * The type of a function that is called on an argument of type `argument`, or on none.
 * @throws FederatedTypeError `type.wrong_kind` if it is no function, `type.arity` if an argument is
 *   missing or too many. Whether the argument fits is checked by who runs the call.
 */
export function requireFunction(type: Type, argument: Type | null): FunctionType {
  if (type.kind !== 'function') {
    const hint = type.kind === 'federated' ? ' Computations reach a placed value by a map.' : '';
    throw new FederatedTypeError(
      'type.wrong_kind',
      `Only a function can be called; got a value of type ${compactNotation(type)}.${hint}`,
    );
  }
  if ((type.parameter === null) !== (argument === null)) {
    const given = argument === null ? 'none' : `one of type ${compactNotation(argument)}`;
    throw new FederatedTypeError(
      'type.arity',
      `A function of type ${compactNotation(type)} was called with the wrong number of arguments: got ${given}.`,
    );
  }
  return type;
}

/** @throws FederatedTypeError `type.wrong_kind` if the type is no struct with such an element. */
export function requireElement(type: Type, index: number): void {
  if (type.kind !== 'struct') {
    const hint = type.kind === 'federated' ? ' Map the selection over the placed value.' : '';
    throw new FederatedTypeError(
      'type.wrong_kind',
      `Only a struct has elements to select; got a value of type ${compactNotation(type)}.${hint}`,
    );
  }
  if (type.elements[index] === undefined) {
    throw new FederatedTypeError(
      'type.wrong_kind',
      `${compactNotation(type)} has no element ${index}; it has ${type.elements.length}, counted from 0.`,
    );
  }
}
