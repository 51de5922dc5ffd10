/**
 * @file How many clients an invocation has, told from its arguments. Rules of TensorFlow Federated:
 * a value that differs between participants says how many there are, an all-equal one does not.
 */

import {
  CardinalityError,
  compactNotation,
  type FunctionType,
  type Type,
} from '../computations/types/index.ts';
import type { Cardinalities } from '../executors/executor.ts';

/** One argument of a computation, before it is converted. */
export interface NamedArgument {
  /** How messages call it, e.g. `argument 'x'`. */
  readonly what: string;
  readonly data: unknown;
  readonly type: Type;
}

/**
 * The number of participants at each placement that the arguments tell of.
 * @throws CardinalityError `cardinality.not_a_list` for a client value that is no array, and
 *   `cardinality.conflict` if two of them differ in length.
 */
export function inferCardinalities(args: readonly NamedArgument[]): Cardinalities {
  const found = new Map<string, { readonly count: number; readonly what: string }>();
  for (const { what, data, type } of args) {
    visit(data, type, what, (placement, count, where) => {
      const known = found.get(placement);
      if (known !== undefined && known.count !== count) {
        throw new CardinalityError(
          'cardinality.conflict',
          `Conflicting cardinalities for ${placement}: ${known.count} (${known.what}) vs ${count} (${where})`,
        );
      }
      if (known === undefined) found.set(placement, { count, what: where });
    });
  }
  return Object.fromEntries([...found].map(([placement, { count }]) => [placement, count]));
}

/** How messages call the arguments of a computation: by the names of its parameters. */
export function nameArguments(
  parameters: readonly string[],
  types: readonly Type[],
  args: readonly unknown[],
): NamedArgument[] {
  return types.map((type, index) => ({
    what: `argument '${parameters[index] || index + 1}'`,
    data: args[index],
    type,
  }));
}

/** The types of a computation's arguments, taken from its function type. */
export function argumentTypesOf(type: FunctionType, count: number): readonly Type[] {
  const { parameter } = type;
  if (parameter === null) return [];
  if (count !== 1 && parameter.kind === 'struct') {
    return parameter.elements.map((element) => element.type);
  }
  return [parameter];
}

type Found = (placement: string, count: number, what: string) => void;

function visit(data: unknown, type: Type, what: string, found: Found): void {
  if (type.kind === 'federated') {
    if (type.allEqual) return;
    if (!Array.isArray(data)) {
      throw new CardinalityError(
        'cardinality.not_a_list',
        `${what} has type ${compactNotation(type)}, so it must be an array with one entry for each participant at ${type.placement}; got ${kindOf(data)}.`,
      );
    }
    found(type.placement, data.length, what);
  } else if (type.kind === 'struct' && typeof data === 'object' && data !== null) {
    const record = data as { readonly [key: string]: unknown };
    const isArray = Array.isArray(data);
    for (const [index, element] of type.elements.entries()) {
      const key = isArray ? String(index) : (element.name ?? String(index));
      // What is missing is reported when the data is converted.
      if (!Object.hasOwn(record, key)) continue;
      visit(record[key], element.type, isArray ? `${what}[${key}]` : `${what}.${key}`, found);
    }
  }
}

function kindOf(data: unknown): string {
  if (data === null) return 'null';
  return typeof data === 'object'
    ? `an object (${data.constructor?.name ?? 'no class'})`
    : typeof data;
}
