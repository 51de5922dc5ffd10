/** @file What the columns of a table hold, for a start-up message and for errors on this machine. */

import type { Table } from './table.ts';
import { commonText } from './text-cells.ts';

export interface ColumnDescription {
  readonly name: string | null;
  /** A dtype, or words such as `array of float32`; `nothing` if no row has anything there. */
  readonly type: string;
  /** Whether some of the rows that were looked at have nothing there. */
  readonly hasGaps: boolean;
}

/**
 * Looks at rows, and finds the narrowest type that holds them all; where the file says the types, at none.
 * @param rows at most so many.
 */
export async function inferColumns(
  table: Table,
  rows: number = Number.POSITIVE_INFINITY,
): Promise<readonly ColumnDescription[]> {
  return (await describeRows(table, rows)).columns;
}

/** The same, and how many rows there are. */
export async function describeRows(
  table: Table,
  limit: number = Number.POSITIVE_INFINITY,
): Promise<{ readonly columns: readonly ColumnDescription[]; readonly rows: number }> {
  const { columns, cells } = table;
  const types: (string | null)[] = columns.map(({ type }) => type);
  const hasGaps = columns.map(() => false);
  let rows = 0;
  if (columns.every(({ type }) => type !== null) && table.rowCount !== null) {
    rows = table.rowCount;
  } else {
    for await (const row of table.rows()) {
      rows++;
      for (const [index, column] of columns.entries()) {
        const found = cells.infer(row.cells[index]);
        if (found === null) hasGaps[index] = true;
        else if (column.type === null) types[index] = commonText(types[index] ?? null, found);
      }
      if (rows >= limit) break;
    }
  }
  return {
    rows,
    columns: columns.map(({ name }, index) => ({
      name,
      type: types[index] ?? 'nothing',
      hasGaps: hasGaps[index] ?? false,
    })),
  };
}

/** As `a: float32, b: int32 (with gaps)`. */
export function printColumns(columns: readonly ColumnDescription[]): string {
  if (columns.length === 0) return 'none';
  const shown = columns
    .slice(0, MAX_PRINTED)
    .map(
      ({ name, type, hasGaps }, index) =>
        `${name ?? index + 1}: ${type}${hasGaps ? ' (with gaps)' : ''}`,
    );
  if (columns.length > MAX_PRINTED) shown.push(`and ${columns.length - MAX_PRINTED} more`);
  return shown.join(', ');
}

const MAX_PRINTED = 50;
