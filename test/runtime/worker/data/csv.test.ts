/** @file CSV files as sequences and tensors: round trips, and files that mean ill. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type DType,
  float32,
  integerRange,
  sequence,
  structOf,
  TensorValue,
  tensor,
} from '../../../../computations/types/index.ts';
import { statusOf } from '../../../../executors/remote/status.ts';
import { fileDataSource, inspectData } from '../../../../runtime/worker/data/file-source.node.ts';
import { failure, openFilesIn, readAs, readFiles, temporaryFolder } from './files.helpers.ts';

const folder = temporaryFolder();

test('columns are found by name, and parsed by the type that is asked for', async () => {
  const content = 'name,b,a,ok\nx,7,0.5,true\n"y, z",-8,1e3,FALSE\n';
  const read = (type: string) => readAs(folder(), 'r.csv', content, type);
  expect(await read('<a=float32,b=int32>*')).toEqual([
    { a: 0.5, b: 7 },
    { a: 1000, b: -8 },
  ]);
  expect(await read('<ok=bool,name=str,b=int64>*')).toEqual([
    { ok: true, name: 'x', b: 7n },
    { ok: false, name: 'y, z', b: -8n },
  ]);
  // Columns one by one, with the rows along the first dimension.
  expect(await read('<b=int32[?],a=float32[2]>')).toEqual({
    b: new TensorValue('int32', [2], new Int32Array([7, -8])),
    a: new TensorValue('float32', [2], new Float32Array([0.5, 1000])),
  });
});

test('all columns make a vector a row, or a matrix', async () => {
  const content = 'x,y,z\n1,2,3\n4,5,6\n';
  const matrix = new TensorValue('float32', [2, 3], new Float32Array([1, 2, 3, 4, 5, 6]));
  for (const type of ['float32[?,3]', 'float32[2,3]', 'float32[?,?]']) {
    expect(await readAs(folder(), 'r.csv', content, type)).toEqual(matrix);
  }
  expect(await readAs(folder(), 'r.csv', content, 'int32[3]*')).toEqual([
    new TensorValue('int32', [3], new Int32Array([1, 2, 3])),
    new TensorValue('int32', [3], new Int32Array([4, 5, 6])),
  ]);
  expect(await readAs(folder(), 'r.csv', content, '<int32,float32,str>*')).toEqual([
    [1, 2, '3'],
    [4, 5, '6'],
  ]);
  expect(await readAs(folder(), 'one.csv', 'v\n1\n2\n', 'float32[?]')).toEqual(
    new TensorValue('float32', [2], new Float32Array([1, 2])),
  );
  expect(await readAs(folder(), 'one.csv', 'v\n1\n2\n', 'int64*')).toEqual([1n, 2n]);
  expect(await readAs(folder(), 'none.csv', 'a,b\n', 'float32[?,2]')).toEqual(
    new TensorValue('float32', [0, 2], new Float32Array(0)),
  );
});

const CELLS = {
  bool: fc.boolean(),
  uint8: fc.integer({ min: 0, max: 255 }),
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  int64: fc.bigInt(integerRange('int64')),
  float32: fc.float({ noDefaultInfinity: false }),
  // A blank line is no row, so a lone empty string would be lost; every table here has a number too.
  string: fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Surrogate}/u.test(text)),
} satisfies { readonly [D in DType]: fc.Arbitrary<unknown> };

const dtypes = fc.array(fc.constantFrom<DType>('bool', 'uint8', 'int64', 'float32', 'string'), {
  maxLength: 4,
});

test('what is written in CSV is read again', async () => {
  const tables = dtypes
    .map((some): DType[] => ['int32', ...some])
    .chain((columns) =>
      fc.record({
        columns: fc.constant(columns),
        rows: fc.array(fc.tuple(...columns.map((dtype): fc.Arbitrary<unknown> => CELLS[dtype]))),
        end: fc.constantFrom('\n', '\r\n'),
        mark: fc.constantFrom('', '\uFEFF'),
        zipped: fc.boolean(),
      }),
    );
  await fc.assert(
    fc.asyncProperty(tables, async ({ columns, rows, end, mark, zipped }) => {
      const names = columns.map((_, i) => `c${i}`);
      const lines = [names, ...rows].map((row) => row.map(writeCell).join(','));
      const text = mark + lines.map((line) => line + end).join('');
      const type = sequence(
        structOf(columns.map((dtype, i) => ({ name: `c${i}`, type: tensor(dtype, []) }))),
      );
      const content = zipped ? gzipSync(text) : text;
      const expected = rows.map((row) => Object.fromEntries(row.map((cell, i) => [`c${i}`, cell])));
      expect(await readAs(folder(), 'p.csv', content, type)).toEqual(expected);
    }),
    { numRuns: 100 },
  );
});

test('numbers are not taken for what they are not', async () => {
  const bad: readonly (readonly [type: string, cell: string, found: RegExp])[] = [
    ['int32', '2147483648', /expected int32, from -2147483648 to 2147483647/],
    ['int32', '-2147483649', /expected int32/],
    ['int64', '9223372036854775808', /expected int64/],
    ['int64', '9'.repeat(1000), /expected int64/],
    ['int32', '1.0', /without a fraction/],
    ['int32', '1e3', /without a fraction/],
    ['int32', 'nan', /found "nan"/],
    ['int32', '""', /found an empty cell/],
    ['int32', '0x10', /found "0x10"/],
    ['int32', '1\u0000', /found "1\\u0000"/],
    ['int32', '１', /found "１"/],
    ['uint8', '256', /from 0 to 255/],
    ['uint8', '-1', /from 0 to 255/],
    ['float32', '1e39', /no larger than any finite one/],
    ['float32', '-1e999', /no larger than any finite one/],
    ['float32', '1_000', /expected float32/],
    ['float32', '1.2.3', /expected float32/],
    ['float32', '"1,5"', /found "1,5"/],
    ['float32', `${'1'.repeat(100_000)}x`, /found "1+…"/],
    ['bool', '2', /one of true, false, 1 and 0/],
    ['bool', 'yes', /one of true/],
  ];
  for (const [dtype, cell, found] of bad) {
    const type = `<v=${dtype}>*`;
    const reading = readAs(folder(), 'r.csv', `w,v\n1,${cell}\n`, type);
    const { code, message, detail } = await failure(reading);
    expect(code).toBe('value.wrong_type');
    expect(detail).toMatch(found);
    expect(detail).toMatch(/r\.csv:2 \(line 2, column 'v'\)/);
    expect(message).toBe(
      `[value.wrong_type] A value in column 'v' of the data 'mine' cannot be ${dtype}.`,
    );
  }
});

test('floats that are none of the finite ones are read where they are written so', async () => {
  const content = 'v\nnan\nNaN\ninf\n-Inf\nInfinity\n .5 \n1.\n-0\n1e-60\n';
  expect(await readAs(folder(), 'r.csv', content, 'float32*')).toEqual([
    Number.NaN,
    Number.NaN,
    Infinity,
    -Infinity,
    Infinity,
    0.5,
    1,
    -0,
    0,
  ]);
});

test('nothing of the content goes to another process with an error', async () => {
  const secret = 'hunter2';
  const contents: readonly (readonly [content: string, type: string])[] = [
    [`a,b\n1,${secret}\n`, '<b=int32>*'],
    [`a,b\n1,${secret}\n`, 'float32[?,2]'],
    [`${secret},b\n1,2\n`, '<c=int32>*'],
    [`a,b\n1,"${secret}`, '<b=str>*'],
    [`a,b\n1,x"${secret}"\n`, '<b=str>*'],
    [`a,b\n1,${secret},3\n`, '<b=str>*'],
    [`a,a\n${secret},3\n`, '<b=str>*'],
  ];
  for (const [content, type] of contents) {
    try {
      await readAs(folder(), `${secret}.csv`, content, type);
      expect.unreachable();
    } catch (error) {
      expect(JSON.stringify(statusOf(error))).not.toContain(secret);
      expect(JSON.stringify(statusOf(error))).not.toContain(folder());
    }
  }
});

test('columns that do not fit are listed with their types on this machine, elsewhere if wanted', async () => {
  const content = 'age,name,big\n5,Jo,9999999999\n,Al,1.5\n';
  const listed = 'age: int32 (with gaps), name: string, big: float32';
  const hidden = await failure(readAs(folder(), 'r.csv', content, '<height=float32>*'));
  expect(hidden.code).toBe('value.wrong_structure');
  expect(hidden.message).toContain("The data 'mine' cannot be <height=float32>*");
  expect(hidden.message).not.toMatch(/age|name|big/);
  expect(hidden.detail).toContain("there is no column 'height'");
  expect(hidden.detail).toContain(listed);
  const options = { discloseColumns: true };
  const told = await failure(readAs(folder(), 'r.csv', content, '<height=float32>*', options));
  expect(told.message).toContain(listed);
  for (const type of [
    'float32[4]*',
    '<int32,int32>*',
    'int32*',
    'int32',
    '<age=int32>',
    'int32@CLIENTS',
  ]) {
    const { code, detail } = await failure(readAs(folder(), 'r.csv', content, type));
    expect(code).toBe('value.wrong_structure');
    expect(detail).toContain(listed);
  }
});

test('files that are no CSV are refused with the reason', async () => {
  const bad: readonly (readonly [content: string | Uint8Array, reason: RegExp])[] = [
    ['', /is empty/],
    ['\n\n', /is empty/],
    ['1,2\n3,4\n', /must name the columns; column 1 of it is "1"/],
    ['a,\n3,4\n', /column 2 of it is empty/],
    ['a,a\n3,4\n', /two columns have the name "a"/],
    ['a,b\n1,2\n3\n', /no CSV.*line 3/],
    ['a,b\n1,2,3\n', /no CSV.*line 2/],
    ['a,b\n1,"2\n3,4\n', /no CSV: Quote Not Closed/],
    ['a,b\n1,"2"3\n', /no CSV/],
    [`a,b\n1,${'2'.repeat(2 ** 20 + 2)}\n`, /maxRowBytes/],
    [`a,b\n1,"${'2\n'.repeat(2 ** 20)}`, /maxRowBytes/],
    [new Uint8Array([0x61, 0x2c, 0x62, 0x0a, 0xff, 0x2c, 0x31]), /no UTF-8/],
    [Buffer.from('\uFEFFa,b\n1,2\n', 'utf16le'), /no UTF-8/],
    [gzipSync('a,b\n1,2\n').subarray(0, -9), /gzip data is damaged/],
    [damage(gzipSync(`a,b\n${'1,2\n'.repeat(1000)}`)), /gzip data is damaged/],
  ];
  for (const [content, reason] of bad) {
    const { code, message, detail } = await failure(
      readAs(folder(), 'r.csv', content, '<b=str,a=str>*'),
    );
    expect(code).toBe('value.wrong_structure');
    expect(message).toMatch(/The data 'mine' cannot be read here\.$/);
    expect(detail).toMatch(reason);
  }
  expect(openFilesIn(folder())).toEqual([]);
});

test('limits are kept', async () => {
  const content = `a\n${'1\n'.repeat(1000)}`;
  const detailWith = async (limits: object, type = 'int32*'): Promise<string> =>
    (await failure(readAs(folder(), 'r.csv', content, type, { limits }))).detail;
  expect(await detailWith({ maxRows: 999 })).toMatch(/more than 999 rows/);
  expect(await detailWith({ maxFileBytes: 2001 })).toMatch(/more than 2001 bytes/);
  expect(await detailWith({ maxBytesInMemory: 3999 }, 'int32[?]')).toMatch(/maxBytesInMemory/);
  expect(
    await readAs(folder(), 'r.csv', content, 'int32*', { limits: { maxRows: 1000 } }),
  ).toHaveLength(1000);
  const words = readAs(folder(), 'w.csv', `a\n${`${'x'.repeat(500)}\n`.repeat(100)}`, 'str[?]', {
    limits: { maxBytesInMemory: 50_000 },
  });
  expect((await failure(words)).detail).toMatch(/maxBytesInMemory/);
  // What counts is what comes out of the decompression.
  const zipped = gzipSync(content);
  const bomb = readAs(folder(), 'r.csv', zipped, 'int32*', { limits: { maxFileBytes: 2001 } });
  expect((await failure(bomb)).detail).toMatch(/more than 2001 bytes/);
  expect(() => fileDataSource([], { limits: { maxRows: 0 } })).toThrow(/maxRows/);
});

test('tensors have the rows that their type says', async () => {
  for (const type of ['int32[1]', 'int32[3]']) {
    const { code, message, detail } = await failure(readAs(folder(), 'r.csv', 'a\n1\n2\n', type));
    expect(code).toBe('value.wrong_shape');
    expect(message).not.toMatch(/2|two/);
    expect(detail).toMatch(/expected 3|more than 1 rows/);
  }
});

test('a sequence is read again from the file, and closes it when its consumer stops', async () => {
  writeFileSync(join(folder(), 'r.csv'), `a\n${'1\n'.repeat(100_000)}`);
  const source = fileDataSource([{ name: 'd', kind: 'csv', paths: ['r.csv'] }], {
    baseFolder: folder(),
  });
  const value = await source.resolve('d', sequence(float32()));
  if (value?.kind !== 'sequence') throw new Error('no sequence');
  expect(openFilesIn(folder())).toEqual([]);
  for (let reading = 0; reading < 2; reading++) {
    let count = 0;
    for await (const _ of value.elements) {
      count++;
      if (existsSync('/proc/self/fd') && count === 1) expect(openFilesIn(folder())).toHaveLength(1);
      if (count === 10) break;
    }
    expect(openFilesIn(folder())).toEqual([]);
  }
  let all = 0;
  for await (const _ of value.elements) all++;
  expect(all).toBe(100_000);
});

test('what is not there is not found, and what is no file is not read', async () => {
  const source = fileDataSource([{ name: 'd', kind: 'csv', paths: ['missing.csv'] }]);
  expect(await source.resolve('other', float32())).toBeNull();
  expect(await source.resolve('toString', float32())).toBeNull();
  mkdirSync(join(folder(), 'folder.csv'));
  for (const [path, reason] of [
    ['missing.csv', /ENOENT/],
    ['folder.csv', /no plain file/],
    ['csv:/dev/zero', /no plain file/],
  ] as const) {
    const { message, detail } = await failure(readFiles(folder(), path, 'int32*'));
    expect(message).toMatch(/The data 'mine' cannot be read here\.$/);
    expect(detail).toMatch(reason);
  }
});

test('a file is described by its columns and rows', async () => {
  const path = join(folder(), 'r.csv');
  writeFileSync(path, 'i,l,f,b,s,e\n1,9999999999,1,true,x,\n-2,1,2.5,False,3,\n');
  expect(await inspectData({ name: 'd', kind: 'csv', paths: [path] })).toEqual({
    name: 'd',
    kind: 'csv',
    paths: [path],
    bytes: 53,
    rows: 2,
    columns: [
      { name: 'i', type: 'int32', hasGaps: false },
      { name: 'l', type: 'int64', hasGaps: false },
      { name: 'f', type: 'float32', hasGaps: false },
      { name: 'b', type: 'bool', hasGaps: false },
      { name: 's', type: 'string', hasGaps: false },
      { name: 'e', type: 'nothing', hasGaps: true },
    ],
  });
  const missing = inspectData({ name: 'd', kind: 'csv', paths: ['/nowhere/at.csv'] });
  expect((await failure(missing)).detail).toMatch(/ENOENT/);
});

function writeCell(cell: unknown): string {
  if (typeof cell !== 'string') return Object.is(cell, -0) ? '-0' : String(cell);
  return `"${cell.replaceAll('"', '""')}"`;
}

/** Other bytes in the middle. */
function damage(bytes: Uint8Array): Uint8Array {
  const damaged = new Uint8Array(bytes);
  for (let i = 12; i < 24; i++) damaged[i] = 255 - damaged[i]!;
  return damaged;
}
