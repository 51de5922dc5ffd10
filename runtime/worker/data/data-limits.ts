/** @file How much of a file is read at most: a wrong path or a damaged file must not take the memory. */

import { FederatedTypeError } from '../../../computations/types/index.ts';

export interface DataLimits {
  /** Bytes of a file, after it was decompressed. @default 8 GiB */
  readonly maxFileBytes?: number;
  /** Rows of a file. @default 100,000,000 */
  readonly maxRows?: number;
  /** Bytes of a row of text: of a line, or of a CSV record with line breaks in quotes. @default 1 MiB */
  readonly maxRowBytes?: number;
  /**
   * Bytes that are in memory at once: a JSON document, a row group of a Parquet file, the tensors that
   * a file is asked for as. Rows of a sequence are read one by one and do not count. @default 1 GiB
   */
  readonly maxBytesInMemory?: number;
}

export type AllDataLimits = Required<DataLimits>;

export const DEFAULT_DATA_LIMITS: AllDataLimits = {
  maxFileBytes: 8 * 2 ** 30,
  maxRows: 100_000_000,
  maxRowBytes: 2 ** 20,
  maxBytesInMemory: 2 ** 30,
};

/** @throws FederatedTypeError `type.invalid` for a limit that is no positive integer. */
export function dataLimits(limits: DataLimits = {}): AllDataLimits {
  const all: AllDataLimits = { ...DEFAULT_DATA_LIMITS, ...limits };
  for (const [name, limit] of Object.entries(all)) {
    if (!Number.isSafeInteger(limit) || limit <= 0) {
      throw new FederatedTypeError(
        'type.invalid',
        `${name} must be a positive integer; got ${String(limit)}.`,
      );
    }
  }
  return all;
}
