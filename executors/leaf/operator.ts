/**
 * @file Operators: unplaced intrinsics that a leaf executor implements in TypeScript, beside tensor
 * kernels. Cryptography at a client is made of them: they run where the client's data is, and what
 * they keep there is opaque to everyone else.
 */

import type {
  FunctionType,
  MaterializedValue,
  SequenceValue,
  TensorValue,
} from '../../computations/types/index.ts';
import type { OpaqueValue } from './opaque.ts';

/** What an operator takes and returns: data, opaque values, or structs that mix both. */
export type OperatorValue = TensorValue | SequenceValue | OpaqueValue | OperatorStruct;

export interface OperatorStruct {
  readonly kind: 'struct';
  readonly elements: readonly OperatorValue[];
}

/** What an operator may use besides its argument. */
export interface OperatorEnvironment {
  /** The concrete type it was called at. */
  readonly type: FunctionType;
  /** `n` bytes fit for cryptography; tests inject repeatable ones. */
  readonly random: (n: number) => Uint8Array;
}

/**
 * How often the same call may be made:
 * - `pure`: the result depends on the argument only; calls may be cached, merged or dropped.
 * - `random`: each call draws anew.
 * - `linear`: takes a linear opaque value, and so can be made once for each.
 */
export type OperatorPurity = 'pure' | 'random' | 'linear';

/**
 * How another thread makes the same operators: functions cannot be sent there, but the name of those
 * who make them, and what they are made of, can.
 */
export interface OperatorRecipe {
  /** Names the maker, e.g. `masking`. */
  readonly family: string;
  /** What the maker takes, as data. Secrets have no place in it: they stay where they are. */
  readonly options: unknown;
}

export interface Operator {
  readonly uri: string;
  readonly purity: OperatorPurity;
  /** Without one it runs on the thread that made it. The same object for all that it makes. */
  readonly recipe?: OperatorRecipe;
  /**
   * Throws a `FederatedTypeError` unless the operator has this concrete type. It is asked when the
   * operator is put into an executor, so that no call of a wrong type ever runs.
   */
  checkType(type: FunctionType): void;
  /**
   * @param argument `null` for an operator without parameter. Its shape is that of the parameter type.
   * @returns a value of the result type. Opaque values stay in the executor, data goes to the target.
   */
  run(
    argument: OperatorValue | null,
    environment: OperatorEnvironment,
  ): OperatorValue | Promise<OperatorValue>;
}

/** A struct of operator values. */
export function operatorStruct(...elements: readonly OperatorValue[]): OperatorStruct {
  return { kind: 'struct', elements };
}

/** True if there is no opaque value in it, so that it can leave the executor. */
export function isData(value: OperatorValue): value is OperatorValue & MaterializedValue {
  if (value.kind === 'opaque') return false;
  return value.kind !== 'struct' || value.elements.every(isData);
}
