/** @file How the operators of secure protocols are defined: by a signature in compact notation. */

import {
  type FunctionType,
  parseType,
  requireConcreteInstance,
} from '../../computations/types/index.ts';
import type {
  Operator,
  OperatorEnvironment,
  OperatorPurity,
  OperatorStruct,
  OperatorValue,
  Release,
} from '../leaf/operator.ts';

export interface OperatorDefinition {
  readonly uri: string;
  /** Signature in compact notation. Capital letters are type variables, e.g. `V` for a value. */
  readonly signature: string;
  readonly purity: OperatorPurity;
  /** See `Operator.release`. */
  readonly release?: Release;
  run(
    args: readonly OperatorValue[],
    environment: OperatorEnvironment,
  ): OperatorValue | Promise<OperatorValue>;
}

/** An operator whose arguments are the elements of a struct. */
export function defineOperator({
  uri,
  signature,
  purity,
  release,
  run,
}: OperatorDefinition): Operator {
  const generic = parseType(signature);
  const several = generic.kind === 'function' && generic.parameter?.kind === 'struct';
  return {
    uri,
    purity,
    ...(release !== undefined && { release }),
    checkType: (type: FunctionType) => void requireConcreteInstance(type, generic, uri),
    run: (argument, environment) => {
      if (argument === null) return run([], environment);
      return run(several ? (argument as OperatorStruct).elements : [argument], environment);
    },
  };
}

/** The operators, with a recipe by which another thread makes them of the same options. */
export function withRecipe<O>(
  family: string,
  make: (options: O) => readonly Operator[],
  options: O,
): readonly Operator[] {
  const recipe = { family, options };
  return make(options).map((operator) => ({ ...operator, recipe }));
}

/** The bytes of an argument whose type is `uint8[?]`. */
export function bytesOf(value: OperatorValue | undefined): Uint8Array {
  if (value?.kind === 'tensor' && value.data instanceof Uint8Array) return value.data;
  throw new TypeError('An operator got no bytes where its type says so.');
}
