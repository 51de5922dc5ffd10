/** @file What stands behind `--data`: a name, the kind of the file or files, and where they are. */

export const DATA_KINDS = ['csv', 'jsonl', 'json', 'parquet', 'idx'] as const;

/** What a file holds: rows of text, of JSON, of a Parquet table, or the arrays of the MNIST format. */
export type DataKind = (typeof DATA_KINDS)[number];

export interface DataSpec {
  /** What `data` blocks call it. */
  readonly name: string;
  readonly kind: DataKind;
  /** One path; for `idx` one for each column. Relative to the working directory. */
  readonly paths: readonly string[];
}

/** A `--data` option cannot be understood. */
export class DataOptionError extends Error {
  override readonly name = 'DataOptionError';
}

/**
 * Reads `name=path`, `name=kind:path`, or `name=idx:path,path`. Without a kind the file's extension
 * tells it; any file but Parquet may be compressed by gzip (`.gz`).
 * @throws DataOptionError
 */
export function parseDataOption(option: string): DataSpec {
  const equals = option.indexOf('=');
  const name = option.slice(0, Math.max(equals, 0));
  const rest = option.slice(equals + 1);
  if (name === '' || rest === '') {
    throw new DataOptionError(
      `--data takes name=path, such as readings=./readings.csv; got ${JSON.stringify(option)}.`,
    );
  }
  if (!NAME.test(name)) {
    throw new DataOptionError(
      `The name in --data must be 1 to 200 letters, digits, or any of _ . / : -; got ${JSON.stringify(name)}.`,
    );
  }
  const { kind, path } = kindAndPath(rest, option);
  const paths = kind === 'idx' ? path.split(',').map((each) => each.trim()) : [path];
  if (paths.includes('')) {
    throw new DataOptionError(`A path is missing in --data ${JSON.stringify(option)}.`);
  }
  return { name, kind, paths };
}

/**
 * Reads several; a name may be there once.
 * @throws DataOptionError
 */
export function parseDataOptions(options: readonly string[]): readonly DataSpec[] {
  const specs = options.map(parseDataOption);
  const names = new Set<string>();
  for (const { name } of specs) {
    if (names.has(name)) throw new DataOptionError(`--data has the name '${name}' twice.`);
    names.add(name);
  }
  return specs;
}

function kindAndPath(rest: string, option: string): { kind: DataKind; path: string } {
  const colon = rest.indexOf(':');
  const scheme = rest.slice(0, Math.max(colon, 0));
  // A drive letter and a colon in a file's name are no kinds.
  if (isKind(scheme)) return { kind: scheme, path: rest.slice(colon + 1) };
  const kind = EXTENSIONS.find(([pattern]) => pattern.test(rest))?.[1];
  if (kind === undefined) {
    throw new DataOptionError(
      `The extension in --data ${JSON.stringify(option)} does not tell what the file is. Put one of ${DATA_KINDS.map((each) => `${each}:`).join(' ')} in front of the path.`,
    );
  }
  return { kind, path: rest };
}

function isKind(text: string): text is DataKind {
  return (DATA_KINDS as readonly string[]).includes(text);
}

const NAME = /^[\w./:-]{1,200}$/;

const EXTENSIONS: readonly (readonly [RegExp, DataKind])[] = [
  [/\.csv(\.gz)?$/i, 'csv'],
  [/\.(jsonl|ndjson)(\.gz)?$/i, 'jsonl'],
  [/\.json(\.gz)?$/i, 'json'],
  [/\.parquet$/i, 'parquet'],
  [/[.-]idx\d(-\w+)?(\.gz)?$/i, 'idx'],
];
