/** @file Which columns of a table a row's value is made of. */

import {
  allocate,
  compactNotation,
  type MaterializedValue,
  type StructType,
  type TensorType,
  TensorValue,
  type Type,
  tensor,
} from '../../../computations/types/index.ts';
import { CellProblem, type Row, type Table } from './table.ts';

/** What a row's value is made of, and how. */
export interface RowPlan {
  /** Places of the columns that are needed. */
  readonly columns: readonly number[];
  /** @throws RowProblem */
  value(row: Row): MaterializedValue;
}

/** The columns are not what the type asks for. */
export class ColumnsProblem extends Error {
  override readonly name = 'ColumnsProblem';
}

/** A cell that is not what the type asks for. The message quotes it. */
export class RowProblem extends Error {
  override readonly name = 'RowProblem';
  readonly row: number;
  /** As the computation calls it, or its place from 1 where it has no name; `null` for the whole row. */
  readonly column: string | null;
  readonly expected: Type;
  override readonly cause: CellProblem;

  constructor(row: Row, column: string | null, expected: Type, cause: CellProblem) {
    super(cause.message);
    this.row = row.number;
    this.column = column;
    this.expected = expected;
    this.cause = cause;
  }
}

/**
 * How rows become values of a type:
 * - a struct with names takes the columns of these names, whatever others there are;
 * - a struct without names, or any struct where the file names no columns, takes all in their order;
 * - any other type takes the cell, where there is one column;
 * - a vector takes all columns, as its elements.
 * @throws ColumnsProblem
 */
export function rowPlan(table: Table, type: Type): RowPlan {
  if (type.kind === 'struct') return structPlan(table, type);
  if (table.columns.length === 1) return cellPlan(table, 0, columnName(table, 0), type);
  if (type.kind === 'tensor' && type.shape?.length === 1) {
    const [length = null] = type.shape;
    return vectorPlan(table, tensor(type.dtype, [length]));
  }
  throw new ColumnsProblem(
    `a row of ${table.columns.length} columns cannot be ${compactNotation(type)}; ask for a struct of the columns that are needed`,
  );
}

function structPlan(table: Table, type: StructType): RowPlan {
  const plans = columnsOf(table, type).map((column, index) => {
    const element = type.elements[index]!;
    return cellPlan(table, column, element.name ?? columnName(table, column), element.type);
  });
  return {
    columns: plans.flatMap((plan) => plan.columns),
    value: (row) => ({ kind: 'struct', elements: plans.map((plan) => plan.value(row)) }),
  };
}

/** For each element of the struct, the place of its column. */
function columnsOf({ columns }: Table, type: StructType): readonly number[] {
  const byName =
    columns.some(({ name }) => name !== null) && type.elements.every(({ name }) => name !== null);
  if (!byName) {
    if (columns.length !== type.elements.length) {
      throw new ColumnsProblem(
        `there are ${columns.length} columns, and ${compactNotation(type)} takes ${type.elements.length} in their order`,
      );
    }
    return columns.map((_, index) => index);
  }
  return type.elements.map((element) => {
    const found = columns.findIndex(({ name }) => name === element.name);
    if (found < 0) throw new ColumnsProblem(`there is no column '${element.name}'`);
    return found;
  });
}

function cellPlan({ cells, columns }: Table, column: number, name: string, type: Type): RowPlan {
  const stated = columns[column]?.type ?? null;
  if (stated !== null && cells.fits?.(stated, type) === false) {
    throw new ColumnsProblem(
      `column '${name}' is ${stated} and cannot be ${compactNotation(type)}`,
    );
  }
  return {
    columns: [column],
    value(row) {
      try {
        return cells.convert(row.cells[column], type);
      } catch (error) {
        if (!(error instanceof CellProblem)) throw error;
        throw new RowProblem(row, name, type, error);
      }
    },
  };
}

function vectorPlan(
  table: Table,
  type: TensorType<TensorType['dtype'], readonly (number | null)[]>,
): RowPlan {
  const { length } = table.columns;
  const [expected = null] = type.shape;
  if (expected !== null && expected !== length) {
    throw new ColumnsProblem(
      `there are ${length} columns, and ${compactNotation(type)} takes ${expected}`,
    );
  }
  const element = tensor(type.dtype, []);
  const plans = table.columns.map((_, column) =>
    cellPlan(table, column, columnName(table, column), element),
  );
  return {
    columns: plans.map((_, column) => column),
    value(row) {
      const data = allocate(type.dtype, length);
      const writable: { [index: number]: unknown } = data;
      for (const [index, plan] of plans.entries()) {
        const cell = plan.value(row);
        if (cell.kind === 'tensor') writable[index] = cell.data[0];
      }
      return new TensorValue(type.dtype, [length], data);
    },
  };
}

function columnName({ columns }: Table, index: number): string {
  return columns[index]?.name ?? String(index + 1);
}
