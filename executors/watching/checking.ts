/**
 * @file Checks every value against its type, at every step, for finding the executor or operator
 * that breaks its promise: what goes in, what a call returns, and what comes out.
 */

import {
  compactNotation,
  containsType,
  ExecutionError,
  isAssignable,
  type MaterializedValue,
  type Type,
} from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from '../executor.ts';
import { checkValue } from './check-value.ts';
import { WrappingExecutor } from './wrapping.ts';

export interface CheckingOptions {
  /** How messages call the executor, e.g. `clients 3`. */
  readonly name: string;
  /**
   * Reads every tensor and struct of tensors as soon as it exists, so that a wrong one is found where
   * it came from and not where it is used. Sequences are checked when they are read. @default false
   */
  readonly eager?: boolean;
}

/** Errors are `execution.wrong_value`, and name the executor, the step and the place in the value. */
export class CheckingExecutor extends WrappingExecutor {
  readonly #name: string;
  readonly #eager: boolean;

  constructor(target: Executor, { name, eager = false }: CheckingOptions) {
    super(target);
    this.#name = name;
    this.#eager = eager;
  }

  override async createValue(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    const step = isBlock(value) ? `createValue(${value.kind})` : 'createValue';
    if (isBlock(value)) this.#requireType(type, value.type, `${step}: the block`);
    const checked = isBlock(value) ? value : this.#check(value, type, `${step}: the data`);
    return this.#made(await super.createValue(checked, type, options), type, step, options);
  }

  override async createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    const made = await super.createCall(fn, argument, options);
    // The target refuses to call anything but a function.
    const expected = fn.type.kind === 'function' ? fn.type.result : made.type;
    return this.#made(made, expected, `a call of ${compactNotation(fn.type)}`, options);
  }

  override async createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    const made = await super.createStruct(elements);
    const given = made.type.kind === 'struct' ? made.type.elements : null;
    const fits =
      given?.length === elements.length &&
      elements.every(
        ({ name, value }, i) =>
          given[i]?.name === name && isAssignable(value.type, given[i]?.type as Type),
      );
    if (fits) return made;
    made[Symbol.dispose]();
    throw this.#wrong(
      `createStruct made ${compactNotation(made.type)} of elements of types ${elements.map(({ value }) => compactNotation(value.type)).join(', ')}.`,
    );
  }

  override async createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    const made = await super.createSelection(source, index);
    const element = source.type.kind === 'struct' ? source.type.elements[index]?.type : undefined;
    // The target refuses to select what is not there.
    return this.#made(made, element ?? made.type, `createSelection(${index})`);
  }

  override async read(inner: ExecutorValue, options?: RequestOptions): Promise<MaterializedValue> {
    return this.#check(await super.read(inner, options), inner.type, 'compute: the result');
  }

  /** Checks what the target made; a value that does not fit is disposed. */
  async #made(
    made: ExecutorValue,
    expected: Type,
    step: string,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    try {
      this.#requireType(expected, made.type, `The result of ${step}`);
      if (this.#eager && !containsType(made.type, hasToBeLeftAlone)) {
        await made.compute(options);
      }
    } catch (error) {
      made[Symbol.dispose]();
      throw error;
    }
    return made;
  }

  #requireType(expected: Type, given: Type, what: string): void {
    if (isAssignable(expected, given)) return;
    throw this.#wrong(
      `${what} has type ${compactNotation(given)}, where ${compactNotation(expected)} is due.`,
    );
  }

  #check(value: MaterializedValue, type: Type, what: string): MaterializedValue {
    return checkValue(value, type, (place, problem) =>
      this.#wrong(`${what}${place}, of type ${compactNotation(type)}, ${problem}.`),
    );
  }

  #wrong(message: string): ExecutionError {
    return new ExecutionError('execution.wrong_value', `At ${this.#name}: ${message}`);
  }
}

/** What cannot be read, or can be read once only. */
function hasToBeLeftAlone({ kind }: Type): boolean {
  return kind !== 'tensor' && kind !== 'struct';
}
