/** @file Data that a worker owns, of what needs no files. */

export { arrayDataSource, combinedDataSource } from './array-source.ts';
export { privateDetailOf } from './data-error.ts';
export type { DataLimits } from './data-limits.ts';
export {
  type DataKind,
  DataOptionError,
  type DataSpec,
  parseDataOption,
  parseDataOptions,
} from './data-option.ts';
export { type ColumnDescription, printColumns } from './infer-columns.ts';
