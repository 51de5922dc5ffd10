/**
 * @file Parquet files, read a row group at a time. Pages may be plain or compressed by Snappy, gzip or
 * Brotli.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type SchemaTree,
} from 'hyparquet';
import type { DType, Type } from '../../../computations/types/index.ts';
import { plainFileSize } from './byte-stream.node.ts';
import type { AllDataLimits } from './data-limits.ts';
import { type CellRules, type Column, fileProblem, type Row, type Table } from './table.ts';
import { quote } from './text-cells.ts';
import { typedCells } from './typed-cells.ts';

/** @throws CellProblem `file`; the file system's errors. */
export async function openParquet(path: string, limits: AllDataLimits): Promise<Table> {
  const size = await plainFileSize(path);
  if (size > limits.maxFileBytes) {
    throw fileProblem(`it has more than ${limits.maxFileBytes} bytes (maxFileBytes)`);
  }
  const metadata = await withFile(path, (file) => parquetMetadataAsync(file), limits);
  const rowCount = Number(metadata.num_rows);
  if (!Number.isSafeInteger(rowCount) || rowCount < 0 || rowCount > limits.maxRows) {
    throw fileProblem(
      `it says that it has ${metadata.num_rows} rows; at most ${limits.maxRows} are read (maxRows)`,
    );
  }
  let columns: readonly Column[];
  try {
    columns = parquetSchema(metadata).children.map((child) => ({
      name: child.element.name,
      type: columnType(child),
    }));
  } catch (error) {
    throw damaged(error);
  }
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw fileProblem(`two columns have the name ${quote(String(twice))}`);
  return {
    kind: 'parquet',
    paths: [path],
    counts: 'row',
    rowCount,
    columns,
    cells: parquetCells,
    rows: (wanted) => rows({ path, metadata, columns, limits }, wanted ?? [...columns.keys()]),
  };
}

interface ParquetSource {
  readonly path: string;
  readonly metadata: FileMetaData;
  readonly columns: readonly Column[];
  readonly limits: AllDataLimits;
}

async function* rows(source: ParquetSource, wanted: readonly number[]): AsyncGenerator<Row> {
  const { path, metadata, columns, limits } = source;
  const names = wanted.map((place) => columns[place]?.name ?? '');
  let rowStart = 0;
  for (const { num_rows, total_byte_size } of metadata.row_groups) {
    if (total_byte_size > limits.maxBytesInMemory) {
      throw fileProblem(
        `a row group has ${total_byte_size} bytes, more than ${limits.maxBytesInMemory} (maxBytesInMemory); write the file with smaller ones`,
      );
    }
    const rowEnd = rowStart + Number(num_rows);
    const group = await withFile(
      path,
      (file) =>
        readRows({ file, metadata, rowStart, rowEnd, columns: names, compressors, utf8: false }),
      limits,
    );
    if (group.length !== rowEnd - rowStart) {
      throw fileProblem(`rows ${rowStart + 1} to ${rowEnd} are not all there`);
    }
    for (const [index, read] of group.entries()) {
      const cells: unknown[] = [];
      for (const [i, place] of wanted.entries()) cells[place] = read[names[i] ?? ''];
      yield { number: rowStart + index + 1, cells };
    }
    rowStart = rowEnd;
  }
  if (BigInt(rowStart) !== metadata.num_rows) {
    throw fileProblem(`it says that it has ${metadata.num_rows} rows, and has ${rowStart}`);
  }
}

type ParquetRow = { readonly [column: string]: unknown };

async function readRows(
  options: Omit<Parameters<typeof parquetRead>[0], 'rowFormat' | 'onComplete'>,
): Promise<readonly ParquetRow[]> {
  let complete: readonly ParquetRow[] = [];
  await parquetRead({
    ...options,
    rowFormat: 'object',
    onComplete: (read) => {
      complete = read;
    },
  });
  return complete;
}

/** @throws CellProblem for anything that goes wrong in the reader: it trusts what the file says. */
async function withFile<T>(
  path: string,
  read: (file: AsyncBuffer) => Promise<T>,
  limits: AllDataLimits,
): Promise<T> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    return await read({
      byteLength: size,
      slice(start, end = size) {
        const bytes = slice(handle, start, Math.min(end, size), limits);
        // The reader asks for parts ahead of time, and forgets them when another part fails.
        bytes.catch(() => {});
        return bytes;
      },
    });
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? error : damaged(error);
  } finally {
    await handle.close();
  }
}

async function slice(
  handle: FileHandle,
  start: number,
  end: number,
  { maxBytesInMemory }: AllDataLimits,
): Promise<ArrayBuffer> {
  const length = end - start;
  if (!(start >= 0 && length >= 0)) throw new RangeError(`there are no bytes ${start} to ${end}`);
  if (length > maxBytesInMemory) {
    throw new RangeError(`a part has more than ${maxBytesInMemory} bytes (maxBytesInMemory)`);
  }
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, start + filled);
    if (bytesRead === 0) throw new RangeError('it ends too early');
    filled += bytesRead;
  }
  return bytes.buffer;
}

const compressors: Compressors = {
  GZIP: (input, maxOutputLength) => gunzipSync(input, { maxOutputLength }),
  BROTLI: (input, maxOutputLength) => brotliDecompressSync(input, { maxOutputLength }),
};

function damaged(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'CellProblem') return error;
  return fileProblem(`it is damaged or no Parquet file: ${error.message}`);
}

const parquetCells: CellRules = {
  ...typedCells,
  fits(column, type) {
    const element = column.replace(/^(array of )+/, '');
    return type.kind !== 'tensor' || isFitting(element, type);
  },
};

function isFitting(column: string, type: Extract<Type, { kind: 'tensor' }>): boolean {
  return SOURCES[type.dtype].includes(column);
}

/** From which columns a dtype is made; whole numbers are checked against its range one by one. */
const SOURCES: { readonly [D in DType]: readonly string[] } = {
  bool: ['bool'],
  uint8: ['int32', 'int64', 'bytes'],
  int32: ['int32', 'int64'],
  int64: ['int32', 'int64'],
  float32: ['float32', 'float64', 'int32', 'int64', 'decimal'],
  string: ['string'],
};

/** A dtype where there is one, otherwise a word for what the column holds. */
function columnType({ element, children }: SchemaTree): string {
  const { type, converted_type, logical_type, repetition_type } = element;
  if (converted_type === 'LIST' || logical_type?.type === 'LIST') {
    const item = children[0]?.children[0] ?? children[0];
    return item === undefined ? 'object' : `array of ${columnType(item)}`;
  }
  const own =
    WORDS[logical_type?.type ?? ''] ??
    WORDS[converted_type ?? ''] ??
    PHYSICAL[type ?? ''] ??
    'object';
  return repetition_type === 'REPEATED' ? `array of ${own}` : own;
}

const WORDS: { readonly [type: string]: string | undefined } = {
  STRING: 'string',
  UTF8: 'string',
  ENUM: 'string',
  DECIMAL: 'decimal',
  DATE: 'date',
  TIME: 'time',
  TIME_MILLIS: 'time',
  TIME_MICROS: 'time',
  TIMESTAMP: 'time',
  TIMESTAMP_MILLIS: 'time',
  TIMESTAMP_MICROS: 'time',
  UINT_32: 'int64',
  JSON: 'json',
  BSON: 'bson',
  INTERVAL: 'interval',
  UUID: 'uuid',
  FLOAT16: 'float32',
  MAP: 'object',
  VARIANT: 'object',
};

const PHYSICAL: { readonly [type: string]: string | undefined } = {
  BOOLEAN: 'bool',
  INT32: 'int32',
  INT64: 'int64',
  INT96: 'time',
  FLOAT: 'float32',
  DOUBLE: 'float64',
  BYTE_ARRAY: 'bytes',
  FIXED_LEN_BYTE_ARRAY: 'bytes',
};
