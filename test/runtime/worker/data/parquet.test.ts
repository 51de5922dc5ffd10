/** @file Parquet files as sequences and tensors, of our own and of others, and damaged ones. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TensorValue } from '../../../../computations/types/index.ts';
import { inspectData } from '../../../../runtime/worker/data/file-source.node.ts';
import { failure, openFilesIn, readAs, readFiles, temporaryFolder } from './files.helpers.ts';
import { parquetFile, type TestColumn } from './parquet-writer.helpers.ts';

const folder = temporaryFolder();

const UTF8 = 0;
const COLUMNS: readonly TestColumn[] = [
  { name: 'flag', type: 'BOOLEAN', values: [true, false, true] },
  { name: 'small', type: 'INT32', values: [1, -2, 2 ** 31 - 1] },
  { name: 'large', type: 'INT64', values: [1n, -(2n ** 63n), 2n ** 63n - 1n] },
  { name: 'single', type: 'FLOAT', values: [0.5, Number.NaN, -0] },
  { name: 'double', type: 'DOUBLE', values: [0.1, 1e30, -2] },
  { name: 'word', type: 'BYTE_ARRAY', converted: UTF8, values: ['a', '', 'ü"\n'] },
];

test.each([
  { groupRows: 1000, gzip: false },
  { groupRows: 2, gzip: false },
  { groupRows: 1, gzip: true },
])('columns keep their values: %o', async (options) => {
  const content = parquetFile(COLUMNS, options);
  const type = '<word=str,large=int64,small=int32,flag=bool,single=float32,double=float32>*';
  expect(await readAs(folder(), 't.parquet', content, type)).toEqual([
    { word: 'a', large: 1n, small: 1, flag: true, single: 0.5, double: Math.fround(0.1) },
    {
      word: '',
      large: -(2n ** 63n),
      small: -2,
      flag: false,
      single: Number.NaN,
      double: Math.fround(1e30),
    },
    { word: 'ü"\n', large: 2n ** 63n - 1n, small: 2 ** 31 - 1, flag: true, single: -0, double: -2 },
  ]);
  expect(await readAs(folder(), 't.parquet', content, '<small=int64[?]>')).toEqual({
    small: new TensorValue('int64', [3], new BigInt64Array([1n, -2n, 2n ** 31n - 1n])),
  });
});

test('a file describes itself', async () => {
  const path = join(folder(), 't.parquet');
  writeFileSync(path, parquetFile(COLUMNS));
  const { rows, columns } = await inspectData({ name: 'd', kind: 'parquet', paths: [path] });
  expect(rows).toBe(3);
  expect(columns.map(({ name, type }) => `${name}: ${type}`)).toEqual([
    'flag: bool',
    'small: int32',
    'large: int64',
    'single: float32',
    'double: float64',
    'word: string',
  ]);
});

test('a column that cannot be of the type is refused before a row is read', async () => {
  const content = parquetFile(COLUMNS);
  for (const type of ['<word=float32>*', '<double=int32>*', '<flag=int32>*', '<small=bool>*']) {
    const { code, message, detail } = await failure(readAs(folder(), 't.parquet', content, type));
    expect(code).toBe('value.wrong_structure');
    expect(message).toContain('its columns do not fit');
    expect(detail).toMatch(/column '\w+' is \w+ and cannot be/);
    expect(detail).toContain('single: float32, double: float64, word: string');
  }
});

test('numbers that do not fit are refused where they stand', async () => {
  const content = parquetFile(COLUMNS);
  const large = await failure(readAs(folder(), 't.parquet', content, '<large=int32>*'));
  expect(large.message).toMatch(/column 'large' of the data 'mine' cannot be int32/);
  expect(large.detail).toMatch(/t\.parquet:2 \(row 2, column 'large'\).*-9223372036854775808/);
  const huge = parquetFile([{ name: 'v', type: 'DOUBLE', values: [1e39] }]);
  const float = await failure(readAs(folder(), 't.parquet', huge, '<v=float32>*'));
  expect(float.detail).toMatch(/1e\+39/);
});

test('a file that is cut anywhere is refused, and let go', async () => {
  const content = parquetFile(COLUMNS, { groupRows: 2 });
  for (let length = 0; length < content.length; length += 7) {
    const cut = content.subarray(0, length);
    const { code, message } = await failure(readAs(folder(), 't.parquet', cut, '<word=str>*'));
    expect(code).toBe('value.wrong_structure');
    expect(message).toMatch(/cannot be read here/);
  }
  expect(openFilesIn(folder())).toEqual([]);
});

test('a file with another byte anywhere is read or refused, and nothing worse', async () => {
  const content = parquetFile(COLUMNS.slice(-2), { groupRows: 2 });
  const limits = { maxBytesInMemory: 2 ** 20 };
  const outcomes = new Set<unknown>();
  for (let at = 0; at < content.length; at++) {
    for (const mask of [0x01, 0xff]) {
      const damaged = Buffer.from(content);
      damaged[at] = damaged[at]! ^ mask;
      const reading = readAs(folder(), 't.parquet', damaged, '<word=str,double=float32>*', {
        limits,
      });
      outcomes.add(
        await reading.then(
          () => 'read',
          (error) => error.code,
        ),
      );
    }
  }
  expect([...outcomes].sort()).toEqual(['read', 'value.wrong_structure', 'value.wrong_type']);
  // What the reader asked for ahead of time, and failed, is not left to bring the process down.
  await new Promise((resolve) => setImmediate(resolve));
});

test('limits are kept', async () => {
  const content = parquetFile(COLUMNS);
  for (const limits of [{ maxRows: 2 }, { maxFileBytes: 100 }, { maxBytesInMemory: 30 }]) {
    const reading = readAs(folder(), 't.parquet', content, '<word=str>*', { limits });
    expect((await failure(reading)).detail).toContain(Object.keys(limits)[0]);
  }
});

test('a file that another program wrote describes itself', async () => {
  const path = join(process.cwd(), 'node_modules/vega-datasets/data/flights-3m.parquet');
  const { rows, columns } = await inspectData({ name: 'd', kind: 'parquet', paths: [path] });
  expect(rows).toBe(3_000_000);
  expect(columns.map(({ name, type }) => `${name}: ${type}`)).toEqual([
    'date: time',
    'delay: int64',
    'distance: int64',
    'origin: string',
    'destination: string',
  ]);
  // Its pages are compressed by Zstandard, which Node 20 does not know.
  const limits = { maxBytesInMemory: 2 ** 31 };
  const { detail } = await failure(readFiles('/', path, '<distance=int32>*', { limits }));
  expect(detail).toMatch(/ZSTD/);
  expect(openFilesIn(path)).toEqual([]);
});
