/** @file Makes a callable computation out of a building block of function type. */

import { type BuildingBlock, call, structBlock } from './building-blocks.ts';
import type { AnyComputation, Computation } from './computation.ts';
import { invokeHere } from './contexts/context.ts';
import { printBlock } from './notation.ts';
import { isTracing } from './trace.ts';
import {
  compactNotation,
  FederatedTypeError,
  type FunctionType,
  requireAssignable,
  type Type,
} from './types/index.ts';
import { bindValue, requireNoValue, toBlock } from './value.ts';

/**
 * @param parameters types of the parameters; several are passed on as one struct.
 * @param inside runs a call whose arguments belong to a trace of another language, if they do.
 */
export function defineComputation<P extends readonly Type[], R extends Type>(
  name: string,
  parameters: P,
  buildingBlock: BuildingBlock,
  inside?: (args: readonly unknown[]) => { readonly result: unknown } | null,
): Computation<P, R> {
  const type = buildingBlock.type as FunctionType;

  const invoke = (...args: readonly unknown[]): unknown => {
    const nested = inside?.(args);
    if (nested) return nested.result;
    requireArity(name, parameters, args);
    if (!isTracing()) {
      args.forEach((arg, i) => {
        requireNoValue(arg, `Argument ${i + 1} of ${name}`);
      });
      return invokeHere(computation as AnyComputation, args);
    }
    const blocks = args.map((arg, i) =>
      toBlock(arg, `Argument ${i + 1} of ${name}`, parameters[i]),
    );
    const [only] = blocks;
    if (only === undefined) return bindValue(call(buildingBlock), name);
    blocks.forEach((given, i) => {
      const expected = parameters[i];
      if (expected) requireAssignable(expected, given.type, `Argument ${i + 1} of ${name}`);
    });
    const names = type.parameter?.kind === 'struct' ? type.parameter.elements : [];
    const argument =
      parameters.length === 1
        ? only
        : structBlock(blocks.map((value, i) => ({ name: names[i]?.name ?? null, value })));
    return bindValue(call(buildingBlock, argument), name);
  };

  const computation = Object.defineProperties(invoke, {
    name: { value: name },
    type: { value: type, enumerable: true },
    parameters: { value: parameters, enumerable: true },
    resultType: { value: type.result, enumerable: true },
    buildingBlock: { value: buildingBlock },
    toString: { value: () => printBlock(buildingBlock) },
    [Symbol.for('nodejs.util.inspect.custom')]: {
      value: () => `Computation ${name}: ${compactNotation(type)}`,
    },
  }) as unknown as Computation<P, R>;
  return computation;
}

function requireArity(name: string, parameters: readonly Type[], args: readonly unknown[]): void {
  if (args.length === parameters.length) return;
  throw new FederatedTypeError(
    'type.arity',
    `${name} takes ${parameters.length} argument${parameters.length === 1 ? '' : 's'} (${parameters.map(compactNotation).join(', ')}); got ${args.length}.`,
  );
}
