/** @file Data in memory, by name, and several sources as one. */

import {
  compactNotation,
  type MaterializedValue,
  type Type,
} from '../../../computations/types/index.ts';
import type { DataSource } from '../../../executors/leaf/data-source.ts';
import { dataError } from './data-error.ts';
import { CellProblem } from './table.ts';
import { typedCells } from './typed-cells.ts';

/**
 * Plain data (numbers, strings, arrays, typed arrays, objects) as the data of an executor. An object may
 * have more members than the struct that it is asked for as. What does not fit is a ValueError whose
 * message says nothing of the content; `privateDetailOf` gives this machine the rest.
 */
export function arrayDataSource(data: { readonly [name: string]: unknown }): DataSource {
  return {
    resolve(uri: string, type: Type): MaterializedValue | null {
      if (!Object.hasOwn(data, uri)) return null;
      try {
        return typedCells.convert(data[uri], type);
      } catch (error) {
        if (!(error instanceof CellProblem)) throw error;
        throw dataError(
          'value.wrong_type',
          `The data '${uri}' cannot be ${compactNotation(type)}.`,
          `data '${uri}' in memory: ${error.message}.`,
        );
      }
    },
  };
}

/** The first source that has a name gives its data. */
export function combinedDataSource(...sources: readonly DataSource[]): DataSource {
  return {
    async resolve(uri, type) {
      for (const source of sources) {
        const found = await source.resolve(uri, type);
        if (found !== null) return found;
      }
      return null;
    },
  };
}
