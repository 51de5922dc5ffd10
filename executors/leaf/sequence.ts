/**
 * @file Adds sequences to an executor that has none. They stay lazy until something consumes them;
 * the state of a reduction stays in the target between steps and is never read back.
 */

import {
  compactNotation,
  containsType,
  ExecutionError,
  type FunctionType,
  func,
  type MaterializedValue,
  requireAssignable,
  type SequenceType,
  sequence,
  struct,
  type Type,
} from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type { Executor, ExecutorInput, ExecutorValue, RequestOptions } from '../executor.ts';
import { LayerExecutor } from '../tree-executor.ts';
import { StructNode, TargetNode, ValueNode } from '../value-tree.ts';
import { DataSourceElements, type ElementSource, MappedElements } from './element-source.ts';

/**
 * Implements, beside sequences as data:
 * - `sequence_map` `(<(T -> U),T*> -> U*)`
 * - `sequence_reduce` `(<T*,U,(<U,T> -> U)> -> U)`
 * - `select_by_keys` `(<int32[N],U*> -> U*)`: the elements at the keys, in the order of the keys.
 *
 * A sequence from an array, or from `RereadableElements`, can be read any number of times; one from
 * another iterable only once.
 * A second reading fails with `execution.sequence_consumed`.
 */
export class SequenceExecutor extends LayerExecutor {
  /** @param target runs the functions that are mapped and reduced with, on elements. */
  constructor(target: Executor) {
    super(target);
  }

  protected override embed(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions,
  ): ValueNode | Promise<ValueNode> {
    if (!isBlock(value)) return this.#embedData(value, type);
    if (value.kind === 'intrinsic') {
      const operation = OPERATIONS.get(value.uri);
      if (operation !== undefined && type.kind === 'function') {
        return new OperationNode(type, value.uri, operation);
      }
    }
    if (value.kind === 'literal') return this.#embedData(value.value, value.type);
    return this.embedInTarget(value, type, options);
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (!(fn instanceof OperationNode)) return this.applyInTarget(fn, argument, options);
    if (argument === null || type.parameter === null) throw refuseArgument(fn.uri, null);
    requireAssignable(type.parameter, argument.type, `The argument of ${fn.uri}`);
    if (!(argument instanceof StructNode)) throw refuseArgument(fn.uri, argument.type);
    return fn.operation({ ...this.#tools, options }, argument.elements, type);
  }

  protected override read(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue> {
    if (!(node instanceof SequenceNode)) return super.read(node, options);
    return node.source.toArray(options).then((elements) => ({ kind: 'sequence', elements }));
  }

  protected override async lowerOwn(node: ValueNode): Promise<TargetNode> {
    throw new ExecutionError(
      'execution.unsupported_value',
      node instanceof OperationNode
        ? `${node.uri} cannot be handed to a tensor computation or to another sequence operation.`
        : `A tensor computation takes no sequence (${compactNotation(node.type)}); map or reduce it first.`,
    );
  }

  readonly #tools: Omit<SequenceTools, 'options'> = {
    target: this.target,
    lower: async (node) => this.lower(node),
  };

  #embedData(value: MaterializedValue, type: Type): ValueNode | Promise<ValueNode> {
    if (!containsType(type, isSequence)) return this.embedInTarget(value, type);
    if (type.kind === 'sequence' && value.kind === 'sequence') {
      return new SequenceNode(
        type,
        new DataSourceElements(this.target, type.element, value.elements),
      );
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
        if (value === undefined) throw refuseArgument('A struct', type);
        nodes.push(await this.#embedData(value, element.type));
      }
    } catch (error) {
      for (const node of nodes) node.release();
      throw error;
    }
    return new StructNode(type, nodes);
  }
}

class SequenceNode extends ValueNode {
  readonly source: ElementSource;
  readonly elementType: Type;

  constructor(type: SequenceType, source: ElementSource) {
    super(type);
    this.elementType = type.element;
    this.source = source;
  }

  protected override free(): void {
    this.source.free();
  }
}

class OperationNode extends ValueNode {
  readonly uri: string;
  readonly operation: Operation;

  constructor(type: FunctionType, uri: string, operation: Operation) {
    super(type);
    this.uri = uri;
    this.operation = operation;
  }

  protected override free(): void {}
}

interface SequenceTools {
  readonly target: Executor;
  readonly options: RequestOptions;
  lower(node: ValueNode): Promise<TargetNode>;
}

type Operation = (
  tools: SequenceTools,
  argument: readonly ValueNode[],
  type: FunctionType,
) => Promise<ValueNode>;

const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['sequence_map', sequenceMap],
  ['sequence_reduce', sequenceReduce],
  ['select_by_keys', selectByKeys],
]);

async function sequenceMap(
  tools: SequenceTools,
  [fn, source]: readonly ValueNode[],
  type: FunctionType,
): Promise<ValueNode> {
  if (fn === undefined || !(source instanceof SequenceNode) || type.result.kind !== 'sequence') {
    throw refuseArgument('sequence_map', type);
  }
  const lowered = await tools.lower(fn);
  const mapped = new MappedElements(tools.target, source.source, lowered, source.retain());
  return new SequenceNode(type.result, mapped);
}

async function sequenceReduce(
  tools: SequenceTools,
  [source, zero, fn]: readonly ValueNode[],
  type: FunctionType,
): Promise<ValueNode> {
  if (!(source instanceof SequenceNode) || zero === undefined || fn === undefined) {
    throw refuseArgument('sequence_reduce', type);
  }
  const step = await tools.lower(fn);
  let state: TargetNode | null = null;
  try {
    state = await tools.lower(zero);
    for await (const element of source.source.values(tools.options)) {
      const next = await reduceStep(tools, step, state, element);
      state.release();
      state = next;
    }
    return state.retain();
  } finally {
    step.release();
    state?.release();
  }
}

/** One step; disposes the element, not the state. */
async function reduceStep(
  { target, options }: SequenceTools,
  step: TargetNode,
  state: TargetNode,
  element: ExecutorValue,
): Promise<TargetNode> {
  let pair: ExecutorValue;
  try {
    pair = await target.createStruct([
      { name: null, value: state.handle },
      { name: null, value: element },
    ]);
  } finally {
    element[Symbol.dispose]();
  }
  try {
    return new TargetNode(await target.createCall(step.handle, pair, options));
  } finally {
    pair[Symbol.dispose]();
  }
}

async function selectByKeys(
  tools: SequenceTools,
  [keyNode, rowNode]: readonly ValueNode[],
  type: FunctionType,
): Promise<ValueNode> {
  if (
    keyNode === undefined ||
    !(rowNode instanceof SequenceNode) ||
    type.result.kind !== 'sequence'
  ) {
    throw refuseArgument('select_by_keys', type);
  }
  const lowered = await tools.lower(keyNode);
  try {
    const keys = await lowered.handle.compute(tools.options);
    if (keys.kind !== 'tensor' || keys.dtype !== 'int32') {
      throw refuseArgument('select_by_keys', type);
    }
    const rows = await rowNode.source.toArray(tools.options);
    const indices: Iterable<unknown> = keys.data;
    const picked = Array.from(indices, (key) => rowAt(rows, Number(key)));
    return new SequenceNode(
      type.result,
      new DataSourceElements(tools.target, type.result.element, picked),
    );
  } finally {
    lowered.release();
  }
}

/** The concrete type of `select_by_keys` for the type of the keys and of a row. */
export function selectByKeysType(keys: Type, row: Type): FunctionType {
  return func(struct([keys, sequence(row)]), sequence(row));
}

function rowAt(rows: readonly MaterializedValue[], key: number): MaterializedValue {
  const row = rows[key];
  if (row === undefined) {
    // The key itself stays out of the message: it is the client's, and errors travel.
    throw new ExecutionError(
      'execution.key_out_of_range',
      `A key of this client is out of range; keys go from 0 to ${rows.length - 1}.`,
    );
  }
  return row;
}

function isSequence(type: Type): boolean {
  return type.kind === 'sequence';
}

function refuseArgument(uri: string, type: Type | null): ExecutionError {
  return new ExecutionError(
    'execution.unsupported_value',
    `${uri} does not take an argument of type ${type === null ? 'none' : compactNotation(type)}.`,
  );
}
