/**
 * @file CSV files (RFC 4180): the first record names the columns, every other one is a row. Fields may be
 * quoted, lines may end in LF, CRLF or CR, and a byte order mark is passed over; blank lines are no rows.
 */

import { pipeline, Readable } from 'node:stream';
import { CsvError, type Parser, parse } from 'csv-parse';
import { closed, fileText } from './byte-stream.node.ts';
import type { AllDataLimits } from './data-limits.ts';
import { type CellProblem, type Column, fileProblem, type Row, type Table } from './table.ts';
import { quote, textCells } from './text-cells.ts';

/** @throws CellProblem `file`; the file system's errors. */
export async function openCsv(path: string, limits: AllDataLimits): Promise<Table> {
  let columns: readonly Column[] | null = null;
  for await (const { cells } of records(path, limits)) {
    columns = columnsOf(cells);
    break;
  }
  if (columns === null) throw fileProblem('it is empty; the first line must name the columns');
  return {
    kind: 'csv',
    paths: [path],
    counts: 'line',
    rowCount: null,
    columns,
    cells: textCells,
    rows: () => rowsAfterHeader(path, limits),
  };
}

async function* rowsAfterHeader(path: string, limits: AllDataLimits): AsyncGenerator<Row> {
  let rows = -1;
  for await (const record of records(path, limits)) {
    rows++;
    if (rows > limits.maxRows) {
      throw fileProblem(`there are more than ${limits.maxRows} rows (maxRows)`);
    }
    if (rows > 0) yield record;
  }
}

/** A record as it comes out of the parser. */
interface ParsedRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

async function* records(path: string, limits: AllDataLimits): AsyncGenerator<Row> {
  const parser: Parser = parse({
    info: true,
    max_record_size: limits.maxRowBytes,
    skip_empty_lines: true,
  });
  const text = Readable.from(fileText(path, limits));
  // An error of either end comes out of the parser; what is told to the callback is nothing else.
  pipeline(text, parser, () => {});
  try {
    for await (const { record, info } of parser as AsyncIterable<ParsedRecord>) {
      yield { number: info.lines, cells: record };
    }
  } catch (error) {
    throw error instanceof CsvError ? problemOf(error, limits) : error;
  } finally {
    await closed(parser);
    await closed(text);
  }
}

function problemOf(error: CsvError, { maxRowBytes }: AllDataLimits): CellProblem {
  return fileProblem(
    error.code === 'CSV_MAX_RECORD_SIZE'
      ? `a record is longer than ${maxRowBytes} bytes (maxRowBytes); a quote may be open: ${error.message}`
      : `it is no CSV: ${error.message}`,
  );
}

function columnsOf(cells: readonly unknown[]): readonly Column[] {
  const names = cells.map((cell) => String(cell).trim());
  for (const [index, name] of names.entries()) {
    // Without this the first row of a file without a header would be lost without a word.
    if (name === '' || /^[+-]?[\d.]/.test(name)) {
      throw fileProblem(
        `the first line must name the columns; column ${index + 1} of it is ${name === '' ? 'empty' : quote(name)}`,
      );
    }
    if (names.indexOf(name) !== index) {
      throw fileProblem(`two columns have the name ${quote(name)}`);
    }
  }
  return names.map((name) => ({ name, type: null }));
}
