/**
 * @file Resolves the syntax of computations over an executor that knows none of it: lambdas, blocks,
 * references, calls, structs and selections, with lexical scope. The target sees functions that are
 * closed, and values. After TensorFlow Federated's ReferenceResolvingExecutor.
 */

import {
  type Block,
  type BuildingBlock,
  type Call,
  literal,
  selection,
  structBlock,
} from '../computations/building-blocks.ts';
import {
  type CapturedPart,
  capturedParts,
  freeReferences,
  replaceCapturedParts,
} from '../computations/free-references.ts';
import { structuralKey } from '../computations/transformations/index.ts';
import {
  compactNotation,
  containsType,
  FederatedTypeError,
  type FunctionType,
  type MaterializedValue,
  requireAssignable,
  type Type,
} from '../computations/types/index.ts';
import { isBlock } from './blocks.ts';
import type { ExecutorInput, RequestOptions } from './executor.ts';
import { Scope } from './scope.ts';
import { LayerExecutor, requireFunction } from './tree-executor.ts';
import { releaseAll, StructNode, type TargetNode, ValueNode } from './value-tree.ts';

/**
 * Calls are evaluated in the order in which the syntax has them, once each: the locals of a block
 * one after the other, whether used or not. What contains no call (a literal, a compiled
 * computation, named data, a lambda) reaches the target when it is first needed, and once.
 */
export class ReferenceResolvingExecutor extends LayerExecutor {
  protected override embed(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions,
  ): ValueNode | Promise<ValueNode> {
    return isBlock(value)
      ? this.#evaluate(value, null, options)
      : this.embedInTarget(value, type, options);
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (!(fn instanceof SyntaxNode) || fn.block.kind !== 'lambda') {
      return this.applyInTarget(fn, argument, options);
    }
    const { parameter, result } = fn.block;
    if (parameter === null || argument === null || type.parameter === null) {
      return this.#evaluate(result, fn.scope, options);
    }
    requireAssignable(type.parameter, argument.type, `The value for '${parameter}'`);
    const scope = new Scope(parameter, argument.retain(), fn.scope);
    try {
      return await this.#evaluate(result, scope, options);
    } finally {
      scope.release();
    }
  }

  protected override async read(
    node: ValueNode,
    options: RequestOptions,
  ): Promise<MaterializedValue> {
    if (!(node instanceof SyntaxNode)) return super.read(node, options);
    const lowered = await this.lower(node, options);
    try {
      return await lowered.handle.compute(options);
    } finally {
      lowered.release();
    }
  }

  protected override async lowerOwn(
    node: ValueNode,
    { onProgress }: RequestOptions,
  ): Promise<TargetNode> {
    if (!(node instanceof SyntaxNode)) throw new TypeError('A node of no kind known here.');
    // Without the signal: others may use the same node, and not want to end with this request.
    node.lowered ??= this.#lowerSyntax(node, onProgress === undefined ? {} : { onProgress });
    return (await node.lowered).retain();
  }

  /** The value of a block; the caller gets a hold on it. */
  #evaluate(
    node: BuildingBlock,
    scope: Scope | null,
    options: RequestOptions,
  ): ValueNode | Promise<ValueNode> {
    switch (node.kind) {
      case 'reference':
        return resolve(node.name, node.type, scope).retain();
      case 'call':
        return this.#evaluateCall(node, scope, options);
      case 'struct':
        return this.#evaluateStruct(node.elements, scope, options);
      case 'selection':
        return this.#evaluateSelection(node.source, node.index, scope, options);
      case 'block':
        return this.#evaluateBlock(node, scope, options);
      case 'lambda':
        return new SyntaxNode(node, scope);
      default:
        return new SyntaxNode(node, null);
    }
  }

  async #evaluateCall(
    node: Call,
    scope: Scope | null,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const fn = await this.#evaluate(node.function, scope, options);
    let argument: ValueNode | null = null;
    try {
      if (node.argument !== null) argument = await this.#evaluate(node.argument, scope, options);
      options.signal?.throwIfAborted();
      const type = requireFunction(fn.type, argument?.type ?? null);
      return await this.apply(fn, argument, type, options);
    } finally {
      fn.release();
      argument?.release();
    }
  }

  async #evaluateStruct(
    elements: readonly { readonly name: string | null; readonly value: BuildingBlock }[],
    scope: Scope | null,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const nodes: ValueNode[] = [];
    try {
      for (const { value } of elements) nodes.push(await this.#evaluate(value, scope, options));
      const names = elements.map(({ name }) => name);
      return StructNode.sharing(names, nodes);
    } finally {
      releaseAll(nodes);
    }
  }

  async #evaluateSelection(
    source: BuildingBlock,
    index: number,
    scope: Scope | null,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const node = await this.#evaluate(source, scope, options);
    try {
      return await this.select(node, index);
    } finally {
      node.release();
    }
  }

  async #evaluateBlock(
    { locals, result }: Block,
    outer: Scope | null,
    options: RequestOptions,
  ): Promise<ValueNode> {
    let scope = outer?.retain() ?? null;
    try {
      for (const { name, value } of locals) {
        const inner: Scope = new Scope(name, await this.#evaluate(value, scope, options), scope);
        scope?.release();
        scope = inner;
      }
      return await this.#evaluate(result, scope, options);
    } finally {
      scope?.release();
    }
  }

  async #lowerSyntax(node: SyntaxNode, options: RequestOptions): Promise<TargetNode> {
    const closed = await this.#close(node.block, node.scope);
    const lowered = await this.embedInTarget(closed, node.type, options);
    node.adopt(lowered);
    return lowered;
  }

  /** Replaces what a block captures from its scope, so that it means the same anywhere. */
  async #close(node: BuildingBlock, scope: Scope | null): Promise<BuildingBlock> {
    const replacements = new Map<string, BuildingBlock>();
    for (const part of capturedParts(node)) {
      const key = structuralKey(part);
      if (replacements.has(key)) continue;
      replacements.set(key, await this.#quotePart(part, scope, node.type));
    }
    if (replacements.size === 0) return node;
    return replaceCapturedParts(node, (part) => replacements.get(structuralKey(part)) ?? part);
  }

  /** Of a struct only the selected elements: others may be of types that cannot be captured. */
  async #quotePart(part: CapturedPart, scope: Scope | null, within: Type): Promise<BuildingBlock> {
    const indices: number[] = [];
    let root = part;
    for (; root.kind === 'selection'; root = root.source) indices.unshift(root.index);
    let node = resolve(root.name, within, scope).retain();
    try {
      while (indices.length > 0 && !(node instanceof SyntaxNode)) {
        const selected = await this.select(node, indices.shift() ?? 0);
        node.release();
        node = selected;
      }
      const quoted = await this.#quote(node, root.name, within);
      return indices.reduce<BuildingBlock>((from, index) => selection(from, index), quoted);
    } finally {
      node.release();
    }
  }

  /** A closed block with the value of a node. */
  async #quote(node: ValueNode, name: string, within: Type): Promise<BuildingBlock> {
    if (node instanceof SyntaxNode) return this.#close(node.block, node.scope);
    if (node instanceof StructNode && node.type.kind === 'struct') {
      const elements: { readonly name: string | null; readonly value: BuildingBlock }[] = [];
      for (const [index, element] of node.elements.entries()) {
        elements.push({
          name: node.type.elements[index]?.name ?? null,
          value: await this.#quote(element, name, within),
        });
      }
      return structBlock(elements);
    }
    if (containsType(node.type, (inner) => inner.kind !== 'tensor' && inner.kind !== 'struct')) {
      throw new FederatedTypeError(
        'type.unbound_reference',
        `A function of type ${compactNotation(within)} captures '${name}', of type ${compactNotation(node.type)}, from the computation around it. Only unplaced tensors can be captured where a function is handed on; pass '${name}' as a parameter.`,
      );
    }
    return literal(await this.readNode(node, {}), node.type);
  }
}

/** Syntax without calls to evaluate, in the scope where it stood. It reaches the target when needed. */
class SyntaxNode extends ValueNode {
  readonly block: BuildingBlock;
  readonly scope: Scope | null;
  /** What the block became in the target, once it was needed there. */
  lowered: Promise<TargetNode> | null = null;
  #adopted: TargetNode | null = null;

  constructor(block: BuildingBlock, scope: Scope | null) {
    super(block.type);
    this.block = block;
    // Closed syntax must not keep alive what it does not use.
    this.scope = scope !== null && freeReferences(block).size > 0 ? scope.retain() : null;
  }

  /** Takes over the hold on what the block became in the target. */
  adopt(lowered: TargetNode): void {
    this.#adopted = lowered;
  }

  protected override free(): void {
    this.scope?.release();
    this.#adopted?.release();
  }
}

function resolve(name: string, type: Type, scope: Scope | null): ValueNode {
  const found = scope?.find(name) ?? null;
  if (found !== null) return found;
  throw new FederatedTypeError(
    'type.unbound_reference',
    `Nothing binds the name '${name}', used in a block of type ${compactNotation(type)}.`,
  );
}
