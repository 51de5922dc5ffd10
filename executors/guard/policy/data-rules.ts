/** @file Which named data a server may use, and as what. */

import {
  type BuildingBlock,
  childBlocks,
  type Data,
} from '../../../computations/building-blocks.ts';
import {
  compactNotation,
  ExecutionError,
  isIdentical,
  PolicyError,
  parseType,
} from '../../../computations/types/index.ts';
import type { DataSource } from '../../leaf/data-source.ts';
import { checkValue } from '../../watching/check-value.ts';
import type { GuardPolicy } from './policy.ts';

/** All named data in a piece of syntax. */
export function dataIn(block: BuildingBlock): readonly Data[] {
  const known = dataOf.get(block);
  if (known !== undefined) return known;
  const found = block.kind === 'data' ? [block] : childBlocks(block).flatMap(dataIn);
  dataOf.set(block, found);
  return found;
}

const dataOf = new WeakMap<BuildingBlock, readonly Data[]>();

/** Why data may not be used so, or nothing. */
export function problemOfData(
  { uri, type }: Data,
  allowed: GuardPolicy['data'],
): string | undefined {
  if (allowed === 'any') return undefined;
  const notation = Object.hasOwn(allowed, uri) ? allowed[uri] : undefined;
  if (notation === undefined) return 'This client has no data of that name for computations';
  const expected = parseType(notation);
  if (isIdentical(expected, type)) return undefined;
  return `This data of the client is used as ${compactNotation(expected)} only; asked for as ${compactNotation(type)}`;
}

/** A data source whose values have the type that was asked for, whatever the source does. */
export function checkedSource(source: DataSource): DataSource {
  return {
    async resolve(uri, type) {
      const value = await source.resolve(uri, type);
      if (value === null) {
        throw new PolicyError(
          'policy.computation_refused',
          `This client has no data named '${uri}'.`,
          { rule: 'data' },
        );
      }
      return checkValue(
        value,
        type,
        (place, problem) =>
          new ExecutionError(
            'execution.wrong_value',
            `The data '${uri}' is no ${compactNotation(type)}: ${place} ${problem}.`,
          ),
      );
    },
  };
}
