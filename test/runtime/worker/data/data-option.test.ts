/** @file What `--data` takes. */

import { expect, test } from 'vitest';
import {
  DataOptionError,
  parseDataOption,
  parseDataOptions,
} from '../../../../runtime/worker/data/index.ts';

test.each([
  ['readings=./readings.csv', 'readings', 'csv', ['./readings.csv']],
  ['a=x.CSV.gz', 'a', 'csv', ['x.CSV.gz']],
  ['a=x.ndjson', 'a', 'jsonl', ['x.ndjson']],
  ['a=x.jsonl.gz', 'a', 'jsonl', ['x.jsonl.gz']],
  ['a=x.json', 'a', 'json', ['x.json']],
  ['a=x.parquet', 'a', 'parquet', ['x.parquet']],
  ['a=csv:x.txt', 'a', 'csv', ['x.txt']],
  ['a=csv:C:\\x=1,2.txt', 'a', 'csv', ['C:\\x=1,2.txt']],
  ['a=C:\\x.csv', 'a', 'csv', ['C:\\x.csv']],
  [
    'digits=idx:images.idx3-ubyte,labels.idx1-ubyte',
    'digits',
    'idx',
    ['images.idx3-ubyte', 'labels.idx1-ubyte'],
  ],
  [
    'digits=train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz',
    'digits',
    'idx',
    ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz'],
  ],
  ['my/data:1.0=x.json', 'my/data:1.0', 'json', ['x.json']],
])('%s', (option, name, kind, paths) => {
  expect(parseDataOption(option)).toEqual({ name, kind, paths });
});

test.each([
  ['readings', /name=path/],
  ['=x.csv', /name=path/],
  ['a=', /name=path/],
  ['', /name=path/],
  ['a=x.txt', /Put one of csv: jsonl: json: parquet: idx:/],
  ['a=http://x/y', /Put one of/],
  ['a=csv:', /A path is missing/],
  ['a=idx:x,,y', /A path is missing/],
  ['a b=x.csv', /letters, digits/],
  [`${'a'.repeat(201)}=x.csv`, /letters, digits/],
])('%s is refused', (option, reason) => {
  expect(() => parseDataOption(option)).toThrow(DataOptionError);
  expect(() => parseDataOption(option)).toThrow(reason);
});

test('a name is there once', () => {
  expect(parseDataOptions(['a=x.csv', 'b=x.csv'])).toHaveLength(2);
  expect(() => parseDataOptions(['a=x.csv', 'a=y.csv'])).toThrow(/'a' twice/);
});
