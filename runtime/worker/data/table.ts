/** @file A file as a table: columns, and rows that are read one after the other. */

import type { MaterializedValue, Type, ValueErrorCode } from '../../../computations/types/index.ts';
import type { DataKind } from './data-option.ts';

export interface Column {
  /** `null` where the file does not name its columns. */
  readonly name: string | null;
  /** What the file says of its elements, or `null` where only the cells tell. */
  readonly type: string | null;
}

export interface Row {
  /** From 1: the line of a text file, otherwise the row. */
  readonly number: number;
  /** In the order of the columns; `undefined` where the row has none. */
  readonly cells: readonly unknown[];
}

export interface Table {
  readonly kind: DataKind;
  /** The files, for this machine's log. */
  readonly paths: readonly string[];
  /** What `Row.number` counts. */
  readonly counts: 'line' | 'row';
  /** The number of rows, if it is known without reading them. */
  readonly rowCount: number | null;
  readonly columns: readonly Column[];
  readonly cells: CellRules;
  /**
   * The rows from the first. Every call reads anew; the file is open from the first row until the
   * consumer stops, or all are read.
   * @param columns places of those whose cells are needed; others may be left out. @default all
   * @throws CellProblem, while they are read, if the file is damaged.
   */
  rows(columns?: readonly number[]): AsyncIterable<Row>;
}

/** How what stands in a cell becomes a value. */
export interface CellRules {
  /** @throws CellProblem */
  convert(cell: unknown, type: Type): MaterializedValue;
  /** What a cell looks like, for the description of a file: a dtype, or words. `null` if it is empty. */
  infer(cell: unknown): string | null;
  /** Whether a column of a type that the file states can be asked for as this type at all. */
  fits?(column: string, type: Type): boolean;
}

/** What is wrong with the content of a file. It quotes the content: nobody else is to see the message. */
export class CellProblem extends Error {
  override readonly name = 'CellProblem';
  readonly code: ValueErrorCode;
  /** `file` is about the file as a whole: damaged, too large, not to be read. */
  readonly concerns: 'cell' | 'file';

  constructor(code: ValueErrorCode, message: string, concerns: 'cell' | 'file' = 'cell') {
    super(message);
    this.code = code;
    this.concerns = concerns;
  }
}

/** The file as a whole is at fault. */
export function fileProblem(message: string): CellProblem {
  return new CellProblem('value.wrong_structure', message, 'file');
}
