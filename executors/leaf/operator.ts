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
  /**
   * What the released value came from, as the guard of this client tracked it: equal at all clients
   * that were given the same. Empty where nobody guards, and for what is public anyway.
   */
  readonly context: Uint8Array;
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

/**
 * Says that the result of an operator may leave its client although a value in its argument is
 * private, because a protocol hides it. A guard asks its policy before such a call; results of all
 * operators that do not say so are as private as their arguments.
 */
export interface Release {
  /** Where the value is: the number of an element of the argument, or all of the argument. */
  readonly value: number | 'argument';
  /**
   * - `hide`: the value leaves, hidden by the protocol that `termsOf` describes.
   * - `state-context`: the value is not looked at, and not even handed to the operator (which gets an
   *   empty struct); only what it came from is used.
   */
  readonly does: 'hide' | 'state-context';
  /**
   * What was agreed on, read from the arguments.
   * @throws the operator's own errors for messages that cannot be read.
   */
  termsOf?(args: readonly OperatorValue[]): ReleaseTerms;
}

/** Under which terms a value is to leave. */
export interface ReleaseTerms {
  /** As policies name it: `secAgg`, `secAggPlus`, `masking`, `paillier`, `perturbations`. */
  readonly protocol: string;
  /** Of the cohort. */
  readonly clients: number;
  /** Whom the protocol withstands, where there are several kinds of it. */
  readonly model?: 'active' | 'semi-malicious' | 'semi-honest';
  /** How many of those who hold shares of a secret reveal it, and of how many. */
  readonly threshold?: { readonly shares: number; readonly of: number };
  readonly vectors: readonly ReleasedVector[];
}

export interface ReleasedVector {
  readonly length: number;
  /** The most that a value can be: an upper bound, or the modulus less one. */
  readonly largest: bigint;
}

/** What a guard has to say about one call of a releasing operator. */
export interface ReleasePermit {
  /** See `OperatorEnvironment.context`. */
  readonly context: Uint8Array;
  /** @throws PolicyError before anything is done, so that no state is used up. */
  check(terms: ReleaseTerms): void;
}

export interface Operator {
  readonly uri: string;
  readonly purity: OperatorPurity;
  /** Whether the operator makes something public of a private value. @default it does not */
  readonly release?: Release;
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
