/**
 * @file The innermost executor: tensors on a backend, and kernel graphs that are replayed on them.
 * It knows compiled blocks, literals, and tensors or structs of tensors as data; lambdas, sequences
 * and placed values are the business of the executors around it.
 */

import type { BuildingBlock, Compiled } from '../../computations/building-blocks.ts';
import type { Backend, DeviceTensor, Program } from '../../computations/tensors/index.ts';
import {
  ContextError,
  compactNotation,
  ExecutionError,
  type FunctionType,
  type MaterializedValue,
  requireAssignable,
  type TensorType,
  type TensorValue,
  type Type,
  tensorLeaves,
} from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type { ExecutorInput } from '../executor.ts';
import { TreeExecutor } from '../tree-executor.ts';
import { StructNode, ValueNode } from '../value-tree.ts';
import { SharedTensorValue } from './shared-tensor.ts';

export class TensorExecutor extends TreeExecutor {
  /** @internal Where its tensors live. */
  readonly backend: Backend;
  /** Every tensor on the backend that this executor still owns. */
  readonly #resident = new Set<TensorNode>();
  #open = true;

  /** @param backend may be shared between executors; closing an executor leaves it alone. */
  constructor(backend: Backend) {
    super();
    this.backend = backend;
  }

  /** Number of tensors that the executor holds on the backend, for tests of leaks. */
  get residentTensors(): number {
    return this.#resident.size;
  }

  protected override embed(value: ExecutorInput, type: Type): ValueNode {
    return isBlock(value) ? this.#embedBlock(value) : this.#embedData(value, type);
  }

  protected override apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
  ): ValueNode {
    if (!(fn instanceof CompiledNode)) throw unsupported(`a function of type ${String(fn.type)}`);
    const inputs: DeviceTensor[] = [];
    if (argument !== null && type.parameter !== null) {
      requireAssignable(type.parameter, argument.type, `The argument of ${fn.block.name}`);
      this.#collectInputs(argument, inputs);
    }
    const outputs = fn.program(this.backend).run(inputs);
    if (outputs.length !== tensorLeaves(type.result).length) {
      for (const output of outputs) output.dispose();
      throw unsupported(`${fn.block.name}, whose graph does not fit its type ${String(type)}`);
    }
    return this.#arrange(type.result, outputs[Symbol.iterator]());
  }

  protected override read(node: ValueNode): MaterializedValue | Promise<MaterializedValue> {
    if (node instanceof TensorNode) return node.read();
    throw unsupported(`a value of type ${String(node.type)}`);
  }

  protected override async selectFrom(node: ValueNode): Promise<ValueNode> {
    throw unsupported(`a selection from ${String(node.type)}`);
  }

  protected override async shutDown(): Promise<void> {
    this.#open = false;
    for (const node of this.#resident) node.evict();
    this.#resident.clear();
  }

  #embedBlock(block: BuildingBlock): ValueNode {
    switch (block.kind) {
      case 'compiled':
        return new CompiledNode(block);
      case 'literal':
        return this.#embedData(block.value, block.type);
      case 'intrinsic':
        throw new ExecutionError(
          'execution.unsupported_intrinsic',
          `No executor of this stack implements the intrinsic ${block.uri}, of type ${compactNotation(block.type)}.`,
        );
      case 'data':
        throw new ExecutionError(
          'execution.unsupported_value',
          `Nothing here resolves data named '${block.uri}'. Give the stack a data source.`,
        );
      default:
        throw unsupported(
          `a ${block.kind} block; put a ReferenceResolvingExecutor around it for those`,
        );
    }
  }

  #embedData(value: MaterializedValue, type: Type): ValueNode {
    if (value.kind === 'tensor' && type.kind === 'tensor') {
      return new TensorNode(type, this, { host: value, device: null });
    }
    if (value.kind === 'struct' && type.kind === 'struct') {
      const elements = type.elements.map((element, index) => {
        const member = value.elements[index];
        if (member === undefined) throw mismatch(value, type);
        return this.#embedData(member, element.type);
      });
      return new StructNode(type, elements);
    }
    if (value.kind === type.kind) {
      throw unsupported(`a ${value.kind} (${compactNotation(type)})`);
    }
    throw mismatch(value, type);
  }

  #collectInputs(node: ValueNode, inputs: DeviceTensor[]): void {
    if (node instanceof TensorNode) {
      inputs.push(node.onDevice(this.backend));
    } else if (node instanceof StructNode) {
      for (const element of node.elements) this.#collectInputs(element, inputs);
    } else {
      throw unsupported(`an argument of type ${String(node.type)} for a tensor computation`);
    }
  }

  /** Puts the leaves of a result, depth first, into the structure of its type. */
  #arrange(type: Type, outputs: Iterator<DeviceTensor>): ValueNode {
    if (type.kind === 'struct') {
      return new StructNode(
        type,
        type.elements.map((element) => this.#arrange(element.type, outputs)),
      );
    }
    const { value: device } = outputs.next();
    if (type.kind !== 'tensor' || device === undefined) {
      throw unsupported(`a tensor computation with a result of type ${compactNotation(type)}`);
    }
    const node = new TensorNode(type, this, { host: null, device });
    this.#resident.add(node);
    return node;
  }

  /** @internal Tells that a tensor came to the backend. */
  arrived(node: TensorNode): void {
    if (!this.#open) {
      throw new ContextError('context.closed', 'The executor was closed while it worked.');
    }
    this.#resident.add(node);
  }

  /** @internal Tells that a tensor left the backend. */
  left(node: TensorNode): void {
    this.#resident.delete(node);
  }
}

interface Residence {
  readonly host: TensorValue | null;
  readonly device: DeviceTensor | null;
}

/** A tensor: on the host until a kernel needs it, and then on the backend. */
class TensorNode extends ValueNode {
  readonly #owner: TensorExecutor;
  readonly #host: TensorValue | null;
  #device: DeviceTensor | null;

  constructor(type: TensorType, owner: TensorExecutor, { host, device }: Residence) {
    super(type);
    this.#owner = owner;
    this.#host = host;
    this.#device = device;
  }

  onDevice(backend: Backend): DeviceTensor {
    if (this.#device !== null) return this.#device;
    if (this.#host === null) throw evicted();
    this.#owner.arrived(this);
    this.#device =
      this.#host instanceof SharedTensorValue
        ? this.#host.acquire(backend)
        : backend.upload(this.#host);
    return this.#device;
  }

  read(): TensorValue | Promise<TensorValue> {
    if (this.#host !== null) return this.#host;
    if (this.#device === null) throw evicted();
    return this.#device.read();
  }

  /** Takes the tensor off the backend. */
  evict(): void {
    const device = this.#device;
    this.#device = null;
    if (device === null) return;
    if (this.#host instanceof SharedTensorValue) this.#host.release(this.#owner.backend);
    else device.dispose();
  }

  protected override free(): void {
    if (this.#device === null) return;
    this.#owner.left(this);
    this.evict();
  }
}

class CompiledNode extends ValueNode {
  readonly block: Compiled;
  #program: Program | null = null;

  constructor(block: Compiled) {
    super(block.type);
    this.block = block;
  }

  /** The backend keeps the program of a graph, so that this is quick for all but the first. */
  program(backend: Backend): Program {
    this.#program ??= backend.prepare(this.block.graph);
    return this.#program;
  }

  protected override free(): void {}
}

function evicted(): ContextError {
  return new ContextError('context.closed', 'The executor that held this tensor is closed.');
}

function unsupported(what: string): ExecutionError {
  return new ExecutionError(
    'execution.unsupported_value',
    `The tensor executor does not take ${what}.`,
  );
}

function mismatch(value: MaterializedValue, type: Type): ExecutionError {
  return new ExecutionError(
    'execution.unsupported_value',
    `A ${value.kind} was given where data of type ${compactNotation(type)} is due.`,
  );
}
