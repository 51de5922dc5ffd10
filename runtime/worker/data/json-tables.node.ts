/**
 * @file JSON files: lines with a value each, or one document. The members of the first object are the
 * columns; the entries of an array are columns without names; anything else is the only column.
 */

import type { MaterializedValue, Type } from '../../../computations/types/index.ts';
import { fileLines, wholeText } from './byte-stream.node.ts';
import type { AllDataLimits } from './data-limits.ts';
import { type Column, fileProblem, type Row, type Table } from './table.ts';
import { typedCells } from './typed-cells.ts';

/** A file with a value on every line. @throws CellProblem `file`; the file system's errors. */
export async function openJsonLines(path: string, limits: AllDataLimits): Promise<Table> {
  let shape: RowShape | null = null;
  for await (const { value } of values(path, limits)) {
    shape = shapeOf(value);
    break;
  }
  if (shape === null) throw fileProblem('it is empty');
  const { columns, cells } = shape;
  return {
    kind: 'jsonl',
    paths: [path],
    counts: 'line',
    rowCount: null,
    columns,
    cells: typedCells,
    async *rows() {
      for await (const { number, value } of values(path, limits)) {
        yield { number, cells: cells(value) };
      }
    },
  };
}

/** A document that is an array is a table; any other is a value as it stands. */
export type JsonDocument =
  | { readonly kind: 'table'; readonly table: Table }
  | { readonly kind: 'value'; convert(type: Type): MaterializedValue };

/** @throws CellProblem `file`; the file system's errors. */
export async function openJson(path: string, limits: AllDataLimits): Promise<JsonDocument> {
  const document = parseJson(await wholeText(path, limits), 'the file');
  if (!Array.isArray(document)) {
    return { kind: 'value', convert: (type) => typedCells.convert(document, type) };
  }
  const entries: readonly unknown[] = document;
  if (entries.length > limits.maxRows) {
    throw fileProblem(`there are more than ${limits.maxRows} rows (maxRows)`);
  }
  const { columns, cells } = shapeOf(entries[0]);
  const table: Table = {
    kind: 'json',
    paths: [path],
    counts: 'row',
    rowCount: entries.length,
    columns,
    cells: typedCells,
    async *rows(): AsyncGenerator<Row> {
      for (const [index, value] of entries.entries()) {
        yield { number: index + 1, cells: cells(value) };
      }
    },
  };
  return { kind: 'table', table };
}

interface RowShape {
  readonly columns: readonly Column[];
  /** The cells of a value, `undefined` where it has none. */
  cells(value: unknown): readonly unknown[];
}

function shapeOf(first: unknown): RowShape {
  if (Array.isArray(first)) {
    const columns = first.map(() => UNNAMED);
    const cells = (value: unknown): readonly unknown[] => {
      if (Array.isArray(value) && value.length === columns.length) return value;
      return columns.map(() => undefined);
    };
    return { columns, cells };
  }
  if (typeof first === 'object' && first !== null) {
    const names = Object.keys(first);
    const cells = (value: unknown): readonly unknown[] =>
      names.map((name) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, name)
          ? Reflect.get(value, name)
          : undefined,
      );
    return { columns: names.map((name) => ({ name, type: null })), cells };
  }
  return { columns: [UNNAMED], cells: (value) => [value] };
}

const UNNAMED: Column = { name: null, type: null };

async function* values(
  path: string,
  limits: AllDataLimits,
): AsyncGenerator<{ readonly number: number; readonly value: unknown }> {
  let rows = 0;
  for await (const [number, line] of fileLines(path, limits)) {
    rows++;
    if (rows > limits.maxRows) {
      throw fileProblem(`there are more than ${limits.maxRows} rows (maxRows)`);
    }
    yield { number, value: parseJson(line, `line ${number}`) };
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw fileProblem(`${where} is no JSON: ${error.message}`);
    throw error;
  }
}
