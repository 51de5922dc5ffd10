/** @file A table as the value that a computation asks for. */

import {
  compactNotation,
  FedloomError,
  type MaterializedValue,
  RereadableElements,
  type Type,
  type ValueError,
} from '../../../computations/types/index.ts';
import { dataError } from './data-error.ts';
import type { AllDataLimits } from './data-limits.ts';
import { inferColumns, printColumns } from './infer-columns.ts';
import { ColumnsProblem, type RowPlan, RowProblem, rowPlan } from './row-plan.ts';
import { MemoryBudget, stackOf, typeOfRow } from './stacked-rows.ts';
import { CellProblem, type Row, type Table } from './table.ts';

/** What a value is made for. */
export interface TableRequest {
  /** What the computation calls the data. */
  readonly name: string;
  readonly type: Type;
  readonly limits: AllDataLimits;
  /** Puts columns and their types into what everyone is told where they do not fit. */
  readonly discloseColumns: boolean;
}

/**
 * The rows as a sequence, which is read when and as often as it is iterated; or as tensors whose first
 * dimension counts the rows.
 * @throws ValueError with a private detail (data-error.ts); a sequence throws it while it is read.
 */
export async function tableValue(table: Table, request: TableRequest): Promise<MaterializedValue> {
  const { type, limits } = request;
  try {
    if (type.kind === 'sequence') {
      const plan = rowPlan(table, type.element);
      const elements = new RereadableElements(() => rowsOf(table, plan, request));
      return { kind: 'sequence', elements };
    }
    const plan = rowPlan(table, typeOfRow(type));
    const stack = stackOf(type, new MemoryBudget(limits.maxBytesInMemory));
    let row: Row | null = null;
    try {
      for await (row of table.rows(plan.columns)) stack.push(plan.value(row));
    } catch (error) {
      throw error instanceof CellProblem && error.concerns === 'cell' && row !== null
        ? new RowProblem(row, null, type, error)
        : error;
    }
    return stack.finish();
  } catch (error) {
    throw error instanceof ColumnsProblem
      ? await columnsError(error, table, request)
      : readingError(error, table, request);
  }
}

async function* rowsOf(
  table: Table,
  plan: RowPlan,
  request: TableRequest,
): AsyncGenerator<MaterializedValue> {
  try {
    for await (const row of table.rows(plan.columns)) yield plan.value(row);
  } catch (error) {
    throw readingError(error, table, request);
  }
}

async function columnsError(
  problem: ColumnsProblem,
  table: Table,
  { name, type, discloseColumns }: TableRequest,
): Promise<ValueError> {
  const columns = await columnsIn(table);
  const outside = discloseColumns
    ? ` ${capitalised(problem.message)}; the columns are ${columns}.`
    : '';
  return dataError(
    'value.wrong_structure',
    `The data '${name}' cannot be ${compactNotation(type)}: its columns do not fit.${outside}`,
    `${table.paths.join(', ')}: ${problem.message}. Expected ${compactNotation(type)}; the columns are ${columns}.`,
  );
}

async function columnsIn(table: Table): Promise<string> {
  try {
    return printColumns(await inferColumns(table, SAMPLED_ROWS));
  } catch (error) {
    // The columns are what is wrong; that a row is damaged too can be told when it is read.
    if (!(error instanceof CellProblem)) throw error;
    return table.columns.map((column, index) => column.name ?? String(index + 1)).join(', ');
  }
}

/** Anything that went wrong while rows were read, as what may be told and what may not. */
export function readingError(
  error: unknown,
  { paths, counts }: Pick<Table, 'paths' | 'counts'>,
  { name }: Pick<TableRequest, 'name'>,
): FedloomError {
  const file = paths.join(', ');
  if (error instanceof RowProblem) {
    const { row, column, expected, cause } = error;
    const place = column === null ? '' : `, column '${column}'`;
    return dataError(
      cause.code === 'value.wrong_shape' ? 'value.wrong_shape' : 'value.wrong_type',
      `A value in ${column === null ? 'a row' : `column '${column}'`} of the data '${name}' cannot be ${compactNotation(expected)}.`,
      `${file}:${row} (${counts} ${row}${place}): ${error.message}.`,
    );
  }
  if (error instanceof CellProblem) {
    const detail = `${file}: ${error.message}.`;
    if (error.concerns === 'cell') {
      return dataError(
        'value.wrong_type',
        `The data '${name}' is not of the type that is asked for.`,
        detail,
      );
    }
    if (error.code === 'value.wrong_shape') {
      const message = `The data '${name}' has not the number of rows that is asked for.`;
      return dataError('value.wrong_shape', message, detail);
    }
    return dataError('value.wrong_structure', `The data '${name}' cannot be read here.`, detail);
  }
  if (error instanceof FedloomError) return error;
  // Of the file system, or of a library that met what it did not expect: its words may quote the file.
  return dataError(
    'value.wrong_structure',
    `The data '${name}' cannot be read here.`,
    `${file}: ${error instanceof Error ? error.message : String(error)}.`,
  );
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const SAMPLED_ROWS = 1000;
