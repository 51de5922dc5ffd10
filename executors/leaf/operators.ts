/**
 * @file Adds operators to an executor. Opaque values live here: they go from call to call through
 * handles, and neither `compute()` nor the target ever sees them.
 */

import {
  type AbstractType,
  compactNotation,
  containsType,
  ExecutionError,
  type FunctionType,
  type MaterializedValue,
  requireAssignable,
  type Type,
} from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type { Executor, ExecutorInput, RequestOptions } from '../executor.ts';
import { interruptible } from '../interruption.ts';
import { LayerExecutor } from '../tree-executor.ts';
import { releaseAll, StructNode, type TargetNode, ValueNode } from '../value-tree.ts';
import { linearReuse, type OpaqueValue } from './opaque.ts';
import { isData, type Operator, type OperatorValue, type ReleasePermit } from './operator.ts';

export interface OperatorExecutorOptions {
  /** Source of random bytes for operators. @default `crypto.getRandomValues` */
  readonly random?: (n: number) => Uint8Array;
}

export class OperatorExecutor extends LayerExecutor {
  readonly #operators: ReadonlyMap<string, Operator>;
  readonly #random: (n: number) => Uint8Array;
  readonly #opaque = new OpaqueRegistry();

  /**
   * @param target holds all data, and runs everything that is no operator.
   * @throws TypeError if two operators have the same URI.
   */
  constructor(
    target: Executor,
    operators: readonly Operator[],
    options: OperatorExecutorOptions = {},
  ) {
    super(target);
    this.#operators = new Map(operators.map((operator) => [operator.uri, operator]));
    if (this.#operators.size !== operators.length) {
      throw new TypeError(`Two operators have the same URI: ${operators.map(({ uri }) => uri)}.`);
    }
    this.#random = options.random ?? cryptographicBytes;
  }

  protected override embed(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions,
  ): ValueNode | Promise<ValueNode> {
    if (isBlock(value) && value.kind === 'intrinsic' && value.type.kind === 'function') {
      const operator = this.#operators.get(value.uri);
      if (operator !== undefined) {
        operator.checkType(value.type);
        return new OperatorNode(value.type, operator);
      }
    }
    return this.embedInTarget(value, type, options);
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (!(fn instanceof OperatorNode)) return this.applyInTarget(fn, argument, options);
    const { operator } = fn;
    if (argument !== null && type.parameter !== null) {
      requireAssignable(type.parameter, argument.type, `The argument of ${operator.uri}`);
    }
    const given = argument === null ? null : await this.#gatherFor(operator, argument, options);
    this.requireOpen();
    // A linear state that would be spent for nothing is better kept.
    options.signal?.throwIfAborted();
    const { permit } = options;
    // Nothing is awaited between these lines: of two concurrent calls only one gets a linear state.
    if (permit !== undefined) checkRelease(operator, given, permit);
    if (given !== null) spendLinear(operator, given);
    const environment = { type, random: this.#random, context: permit?.context ?? NO_CONTEXT };
    const result = await interruptible(
      Promise.resolve(operator.run(given, environment)),
      options.signal,
      (late) => this.#discard(late),
    );
    try {
      // What an operator made after the executor was closed would never be erased.
      this.requireOpen();
    } catch (error) {
      this.#discard(result);
      throw error;
    }
    return this.#scatter(result, type.result, operator);
  }

  protected override read(
    node: ValueNode,
    options: RequestOptions,
  ): MaterializedValue | Promise<MaterializedValue> {
    if (node instanceof OpaqueNode) throw staysHere(node.type);
    return super.read(node, options);
  }

  protected override async lowerOwn(node: ValueNode): Promise<TargetNode> {
    if (node instanceof OpaqueNode) throw staysHere(node.type);
    throw new ExecutionError(
      'execution.unsupported_value',
      `An operator (${compactNotation(node.type)}) can be called, but not handed to another function.`,
    );
  }

  protected override async shutDown(): Promise<void> {
    this.#opaque.releaseAll();
    await super.shutDown();
  }

  /** The argument, without the value that an operator does not look at. */
  async #gatherFor(
    { release }: Operator,
    argument: ValueNode,
    options: RequestOptions,
  ): Promise<OperatorValue> {
    if (release?.does !== 'state-context') return this.#gather(argument, options);
    if (release.value === 'argument' || !(argument instanceof StructNode)) return NOTHING;
    const elements = await Promise.all(
      argument.elements.map((element, i) =>
        i === release.value ? NOTHING : this.#gather(element, options),
      ),
    );
    return { kind: 'struct', elements };
  }

  /** The argument of an operator: data read from the target, opaque values as they are. */
  async #gather(node: ValueNode, options: RequestOptions): Promise<OperatorValue> {
    if (node instanceof OpaqueNode) return node.value;
    if (node instanceof StructNode) {
      const elements = await Promise.all(
        node.elements.map((element) => this.#gather(element, options)),
      );
      return { kind: 'struct', elements };
    }
    const value = await this.readNode(node, options);
    if (value.kind !== 'federated') return value as OperatorValue;
    throw new ExecutionError(
      'execution.unsupported_value',
      `An operator takes no placed value (${compactNotation(node.type)}).`,
    );
  }

  /** Frees the opaque values of a result that nobody waits for, but none that somebody holds. */
  #discard(value: OperatorValue): void {
    if (value.kind === 'opaque') {
      this.#opaque.add(value);
      this.#opaque.remove(value);
    } else if (value.kind === 'struct') {
      for (const element of value.elements) this.#discard(element);
    }
  }

  /** The result of an operator: data goes to the target, opaque values stay. */
  async #scatter(value: OperatorValue, type: Type, operator: Operator): Promise<ValueNode> {
    if (value.kind === 'opaque') {
      if (type.kind !== 'abstract' || type.label !== value.label) {
        value.release();
        throw wrongResult(operator, type, value.label);
      }
      return new OpaqueNode(type, value, this.#opaque);
    }
    if (isData(value) && !containsType(type, isAbstract)) return this.embedInTarget(value, type);
    if (value.kind !== 'struct' || type.kind !== 'struct') {
      throw wrongResult(operator, type, value.kind);
    }
    const nodes: ValueNode[] = [];
    try {
      for (const [index, element] of type.elements.entries()) {
        const member = value.elements[index];
        if (member === undefined) throw wrongResult(operator, type, 'a shorter struct');
        nodes.push(await this.#scatter(member, element.type, operator));
      }
    } catch (error) {
      releaseAll(nodes);
      throw error;
    }
    return new StructNode(type, nodes);
  }
}

class OpaqueNode extends ValueNode {
  readonly value: OpaqueValue;
  readonly #registry: OpaqueRegistry;

  constructor(type: AbstractType, value: OpaqueValue, registry: OpaqueRegistry) {
    super(type);
    this.value = value;
    this.#registry = registry;
    registry.add(value);
  }

  protected override free(): void {
    this.#registry.remove(this.value);
  }
}

/** How many nodes hold each opaque value: an operator may hand back a value that it was given. */
class OpaqueRegistry {
  readonly #holders = new Map<OpaqueValue, number>();

  add(value: OpaqueValue): void {
    this.#holders.set(value, (this.#holders.get(value) ?? 0) + 1);
  }

  remove(value: OpaqueValue): void {
    const left = (this.#holders.get(value) ?? 1) - 1;
    if (left > 0) {
      this.#holders.set(value, left);
    } else {
      this.#holders.delete(value);
      value.release();
    }
  }

  releaseAll(): void {
    for (const value of this.#holders.keys()) value.release();
    this.#holders.clear();
  }
}

class OperatorNode extends ValueNode {
  readonly operator: Operator;

  constructor(type: FunctionType, operator: Operator) {
    super(type);
    this.operator = operator;
  }

  protected override free(): void {}
}

/** @throws PolicyError for terms that the client's policy does not allow. */
function checkRelease(
  { uri, release }: Operator,
  argument: OperatorValue | null,
  permit: ReleasePermit,
): void {
  if (release?.does !== 'hide') return;
  if (release.termsOf === undefined) throw new TypeError(`${uri} hides a value on unknown terms.`);
  permit.check(release.termsOf(argument?.kind === 'struct' ? argument.elements : []));
}

const NOTHING: OperatorValue = { kind: 'struct', elements: [] };
const NO_CONTEXT = new Uint8Array(0);

/** Takes all linear values of an argument, or none if one of them was used up before. */
function spendLinear(operator: Operator, argument: OperatorValue): void {
  const values = linearValues(argument);
  if (values.length > 0 && operator.purity !== 'linear') {
    throw new TypeError(
      `The operator ${operator.uri} takes a linear value, so its purity must be 'linear'; it is '${operator.purity}'.`,
    );
  }
  const reused = values.find((value, i) => value.spent || values.indexOf(value) !== i);
  if (reused !== undefined) throw linearReuse(reused.label);
  for (const value of values) value.spend();
}

function linearValues(value: OperatorValue): OpaqueValue[] {
  if (value.kind === 'opaque') return value.linear ? [value] : [];
  return value.kind === 'struct' ? value.elements.flatMap(linearValues) : [];
}

function isAbstract(type: Type): boolean {
  return type.kind === 'abstract';
}

function staysHere(type: Type): ExecutionError {
  return new ExecutionError(
    'execution.opaque_value',
    `A value of type ${compactNotation(type)} stays in the executor that made it; it can only be passed on to operators there.`,
  );
}

function wrongResult(operator: Operator, type: Type, given: string): ExecutionError {
  return new ExecutionError(
    'execution.unsupported_value',
    `The operator ${operator.uri} returned ${given} where its type says ${compactNotation(type)}.`,
  );
}

/** The largest request that `crypto.getRandomValues` accepts, in bytes. */
const MAX_RANDOM_REQUEST = 65_536;

function cryptographicBytes(n: number): Uint8Array {
  const bytes = new Uint8Array(n);
  for (let start = 0; start < n; start += MAX_RANDOM_REQUEST) {
    crypto.getRandomValues(bytes.subarray(start, start + MAX_RANDOM_REQUEST));
  }
  return bytes;
}
