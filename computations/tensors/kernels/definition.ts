/**
 * @file What the kernel table says of a kernel: its inputs, its attributes, and the rule that gives
 * the types of its outputs. The rule is all that tracing and type checking need; nothing runs.
 */

import type { DType } from '../../types/dtypes.ts';
import { GraphError } from '../../types/errors.ts';
import { type ConcreteSpec, shapeSize } from '../graph.ts';

/** Kinds of attributes; a trailing `?` marks one that may be left out. */
export type AttributeKind =
  | 'int'
  | 'ints'
  | 'number'
  | 'flag'
  | 'text'
  | 'dtype'
  | 'padding'
  | 'pairs';
export type AttributeSchema = Readonly<Record<string, AttributeKind | `${AttributeKind}?`>>;

/** An attribute when all sizes are known. */
export type ConcreteAttribute = boolean | string | number | readonly ConcreteAttribute[];
export type ConcreteAttributes = Readonly<Record<string, ConcreteAttribute>>;
export type ConcreteInputs = Readonly<Record<string, ConcreteSpec>> | readonly ConcreteSpec[];

export interface KernelDefinition {
  /** Names of the inputs, or `'list'` for any positive number of unnamed ones. */
  readonly inputs: readonly string[] | 'list';
  /** Names of inputs that may be left out. */
  readonly optional?: readonly string[];
  readonly attributes: AttributeSchema;
  /** The types of the outputs. Throws by `call.fail` if the kernel does not take such inputs. */
  readonly infer: (call: KernelCall) => readonly ConcreteSpec[];
  /** Floating point operations, where they are more than one per element of input and output. */
  readonly flops?: (call: KernelCall, outputs: readonly ConcreteSpec[]) => number;
  /** False for a kernel that may fail by its data: it is neither dropped nor merged. */
  readonly pure?: false;
}

export type KernelTable = Readonly<Record<string, KernelDefinition>>;

/** One use of a kernel: typed access to its inputs and attributes, with errors that name it. */
export class KernelCall {
  readonly kernel: string;
  readonly #inputs: ConcreteInputs;
  readonly #attributes: ConcreteAttributes;

  constructor(kernel: string, inputs: ConcreteInputs, attributes: ConcreteAttributes) {
    this.kernel = kernel;
    this.#inputs = inputs;
    this.#attributes = attributes;
  }

  input(name: string): ConcreteSpec {
    return this.optional(name) ?? this.fail(`input '${name}' is missing`);
  }

  optional(name: string): ConcreteSpec | undefined {
    return (this.#inputs as Readonly<Record<string, ConcreteSpec>>)[name];
  }

  /** All inputs, in order. */
  list(): readonly ConcreteSpec[] {
    return Object.values(this.#inputs);
  }

  /** The input, after a check of its dtype. */
  typed(name: string, dtypes: readonly DType[]): ConcreteSpec {
    const spec = this.input(name);
    if (!dtypes.includes(spec.dtype)) {
      this.fail(
        `input '${name}' is ${spec.dtype}, but it must be ${dtypes.join(' or ')}; cast it first`,
      );
    }
    return spec;
  }

  has(name: string): boolean {
    return this.#attributes[name] !== undefined;
  }

  int(name: string, otherwise?: number): number {
    return this.number(name, otherwise);
  }

  number(name: string, otherwise?: number): number {
    const value = this.#attributes[name];
    if (typeof value === 'number') return value;
    return otherwise ?? this.fail(`attribute '${name}' must be a number`);
  }

  /** A list of integers; a single one counts as a list of one. */
  ints(name: string): readonly number[] {
    const value = this.#attributes[name];
    if (typeof value === 'number') return [value];
    if (Array.isArray(value)) return value as readonly number[];
    return this.fail(`attribute '${name}' must be a list of integers`);
  }

  pairs(name: string): readonly (readonly [number, number])[] {
    const value = this.#attributes[name];
    const valid =
      Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2);
    if (!valid) return this.fail(`attribute '${name}' must be a list of pairs of integers`);
    return value as readonly (readonly [number, number])[];
  }

  flag(name: string): boolean {
    return this.#attributes[name] === true;
  }

  text(name: string, allowed?: readonly string[], otherwise?: string): string {
    const value = this.#attributes[name] ?? otherwise;
    if (typeof value === 'string' && (allowed?.includes(value) ?? true)) return value;
    return this.fail(`attribute '${name}' must be ${allowed?.join(' or ') ?? 'a string'}`);
  }

  attribute(name: string): ConcreteAttribute | undefined {
    return this.#attributes[name];
  }

  /** An axis in `[0, rank)`; a negative one counts from the end. */
  axis(value: number, rank: number): number {
    const axis = value < 0 ? value + rank : value;
    return axis >= 0 && axis < rank
      ? axis
      : this.fail(`axis ${value} does not exist in a tensor of rank ${rank}`);
  }

  /** Throws a message if the condition does not hold. */
  require(condition: boolean, message: string): void {
    if (!condition) this.fail(message);
  }

  fail(message: string): never {
    throw new GraphError('graph.type_mismatch', `${this.kernel}: ${message}.${this.#given()}`);
  }

  #given(): string {
    const inputs = Object.entries(this.#inputs).map(
      ([name, { dtype, shape }]) => `${name}=${dtype}[${shape.join(',')}]`,
    );
    return `\n  inputs: ${inputs.join(', ') || 'none'}\n  attributes: ${JSON.stringify(this.#attributes)}`;
  }
}

/** Dtypes that tfjs kernels know. */
export const DEVICE_DTYPES: readonly DType[] = ['float32', 'int32', 'bool'];
export const NUMERIC: readonly DType[] = ['float32', 'int32'];

export const spec = (dtype: DType, shape: readonly number[]): ConcreteSpec => ({ dtype, shape });

/** The shape that two shapes broadcast to. */
export function broadcast(
  call: KernelCall,
  a: readonly number[],
  b: readonly number[],
): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left === 1) return right;
    return right === 1 || right === left
      ? left
      : call.fail(`the shapes [${a.join(',')}] and [${b.join(',')}] do not broadcast`);
  });
}

export const elements = (specs: readonly ConcreteSpec[]): number =>
  specs.reduce((sum, { shape }) => sum + shapeSize(shape), 0);
