/** @file The data of a worker: files by the names that computations call them. */

import { resolve } from 'node:path';
import type { MaterializedValue, Type } from '../../../computations/types/index.ts';
import type { DataSource } from '../../../executors/leaf/data-source.ts';
import { plainFileSize } from './byte-stream.node.ts';
import { openCsv } from './csv-table.node.ts';
import { type AllDataLimits, type DataLimits, dataLimits } from './data-limits.ts';
import type { DataKind, DataSpec } from './data-option.ts';
import { openIdx } from './idx-table.node.ts';
import { type ColumnDescription, describeRows } from './infer-columns.ts';
import { openJson, openJsonLines } from './json-tables.node.ts';
import { openParquet } from './parquet-table.node.ts';
import { fileProblem, type Table } from './table.ts';
import { readingError, tableValue } from './table-value.ts';

export interface FileDataOptions {
  readonly limits?: DataLimits;
  /** What relative paths begin at. @default the working directory */
  readonly baseFolder?: string;
  /**
   * Names the columns of a file and their types in errors that go to whoever asked, who may be a
   * server. Helps while a computation is written. @default false
   */
  readonly discloseColumns?: boolean;
}

/**
 * Files as the data of an executor. A file is opened when a computation asks for it and closed when
 * that is done with it: a sequence is read row by row, and anew each time that it is iterated; a tensor
 * is read at once. Of a file that changes meanwhile, each reading gives what is there then.
 *
 * A name that is not among the specs resolves to `null`. Everything else that goes wrong is a
 * ValueError whose message says nothing of the content; `privateDetailOf` gives this machine the rest.
 * @throws FederatedTypeError `type.invalid` for a limit that is none.
 */
export function fileDataSource(
  specs: readonly DataSpec[],
  { limits, baseFolder = '.', discloseColumns = false }: FileDataOptions = {},
): DataSource {
  const allLimits = dataLimits(limits);
  const files = new Map(
    specs.map((spec) => [spec.name, { ...spec, paths: absolute(spec, baseFolder) }] as const),
  );
  return {
    async resolve(uri: string, type: Type): Promise<MaterializedValue | null> {
      const spec = files.get(uri);
      if (spec === undefined) return null;
      const request = { name: uri, type, limits: allLimits, discloseColumns };
      try {
        const opened = await openData(spec, allLimits);
        return opened.kind === 'value'
          ? opened.convert(type)
          : await tableValue(opened.table, request);
      } catch (error) {
        throw readingError(error, { paths: spec.paths, counts: COUNTS[spec.kind] }, request);
      }
    },
  };
}

/** What a worker says of a file when it starts. */
export interface DataDescription {
  readonly name: string;
  readonly kind: DataKind;
  readonly paths: readonly string[];
  /** Of all files together, as they are on the disk. */
  readonly bytes: number;
  /** `null` for a JSON document that is no array. */
  readonly rows: number | null;
  readonly columns: readonly ColumnDescription[];
}

/**
 * Reads a file to its end, and so finds out early that it can be read.
 * @throws ValueError with a private detail.
 */
export async function inspectData(
  spec: DataSpec,
  { limits, baseFolder = '.' }: Omit<FileDataOptions, 'discloseColumns'> = {},
): Promise<DataDescription> {
  const { name, kind } = spec;
  const paths = absolute(spec, baseFolder);
  const allLimits = dataLimits(limits);
  try {
    let bytes = 0;
    for (const path of paths) bytes += await plainFileSize(path);
    const opened = await openData({ ...spec, paths }, allLimits);
    const described =
      opened.kind === 'value' ? { rows: null, columns: [] } : await describeRows(opened.table);
    return { name, kind, paths, bytes, ...described };
  } catch (error) {
    throw readingError(error, { paths, counts: COUNTS[kind] }, spec);
  }
}

type Opened =
  | { readonly kind: 'table'; readonly table: Table }
  | { readonly kind: 'value'; convert(type: Type): MaterializedValue };

async function openData({ kind, paths }: DataSpec, limits: AllDataLimits): Promise<Opened> {
  if (kind === 'idx') return { kind: 'table', table: await openIdx(paths, limits) };
  const [path] = paths;
  if (path === undefined || paths.length > 1) {
    throw fileProblem(`data of kind ${kind} is one file; got ${paths.length}`);
  }
  if (kind === 'json') return openJson(path, limits);
  return { kind: 'table', table: await OPENERS[kind](path, limits) };
}

const OPENERS = { csv: openCsv, jsonl: openJsonLines, parquet: openParquet };

const COUNTS: { readonly [K in DataKind]: Table['counts'] } = {
  csv: 'line',
  jsonl: 'line',
  json: 'row',
  parquet: 'row',
  idx: 'row',
};

function absolute({ paths }: DataSpec, baseFolder: string): readonly string[] {
  return paths.map((path) => resolve(baseFolder, path));
}
