/** @file JSON documents and lines, and data in memory. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  float32,
  int32,
  parseType,
  sequence,
  TensorValue,
  toPlain,
} from '../../../../computations/types/index.ts';
import { inspectData } from '../../../../runtime/worker/data/file-source.node.ts';
import {
  arrayDataSource,
  combinedDataSource,
  privateDetailOf,
} from '../../../../runtime/worker/data/index.ts';
import { failure, readAs, temporaryFolder } from './files.helpers.ts';

const folder = temporaryFolder();

const ROWS = [
  { id: '9007199254740993', x: [1, 2.5], ok: true, label: 'a', more: { deep: 1 } },
  { label: 'b', ok: false, x: [3, 4], id: 5, more: { deep: 2, other: null } },
];
const TYPE = '<id=int64,x=float32[2],ok=bool,label=str,more=<deep=int32>>*';
const READ = [
  {
    id: 9007199254740993n,
    x: new TensorValue('float32', [2], new Float32Array([1, 2.5])),
    ok: true,
    label: 'a',
    more: { deep: 1 },
  },
  {
    id: 5n,
    x: new TensorValue('float32', [2], new Float32Array([3, 4])),
    ok: false,
    label: 'b',
    more: { deep: 2 },
  },
];

test('objects are rows, in lines or in an array', async () => {
  const lines = ROWS.map((row) => JSON.stringify(row)).join('\r\n\n');
  expect(await readAs(folder(), 'r.jsonl', `\uFEFF${lines}`, TYPE)).toEqual(READ);
  expect(await readAs(folder(), 'r.ndjson.gz', gzipSync(`${lines}\n`), TYPE)).toEqual(READ);
  expect(await readAs(folder(), 'r.json', JSON.stringify(ROWS), TYPE)).toEqual(READ);
  expect(
    await readAs(folder(), 'r.json', JSON.stringify(ROWS), '<x=float32[?,2],id=int64[?]>'),
  ).toEqual({
    x: new TensorValue('float32', [2, 2], new Float32Array([1, 2.5, 3, 4])),
    id: new TensorValue('int64', [2], new BigInt64Array([9007199254740993n, 5n])),
  });
});

test('arrays and numbers are rows as well, and any other document is a value', async () => {
  expect(await readAs(folder(), 'r.json', '[[1,2],[3,4]]', 'int32[2,2]')).toEqual(
    new TensorValue('int32', [2, 2], new Int32Array([1, 2, 3, 4])),
  );
  expect(await readAs(folder(), 'r.jsonl', '[1,"a"]\n[2,"b"]\n', '<int32,str>*')).toEqual([
    [1, 'a'],
    [2, 'b'],
  ]);
  expect(await readAs(folder(), 'r.jsonl', '1\n2\n', 'float32*')).toEqual([1, 2]);
  expect(await readAs(folder(), 'r.json', '42', 'int32')).toBe(42);
  expect(
    await readAs(folder(), 'r.json', '{"a":[1,2],"b":0.5,"c":1}', '<a=int32*,b=float32>'),
  ).toEqual({ a: [1, 2], b: 0.5 });
});

test('lines of numbers and texts are read as they were written', async () => {
  const rows = fc.array(
    fc.record({
      n: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      f: fc.float({ noNaN: true, noDefaultInfinity: true }).filter((f) => !Object.is(f, -0)),
      s: fc.string({ unit: 'binary' }).filter((text) => !/\p{Surrogate}/u.test(text)),
    }),
    { minLength: 1 },
  );
  await fc.assert(
    fc.asyncProperty(rows, async (written) => {
      const content = written.map((row) => `${JSON.stringify(row)}\n`).join('');
      const read = await readAs(folder(), 'r.jsonl', content, '<f=float32,s=str,n=int32>*');
      expect(read).toEqual(written);
    }),
    { numRuns: 50 },
  );
});

test('what is not JSON, or not what it should be, is refused', async () => {
  const bad: readonly (readonly [content: string, detail: RegExp])[] = [
    ['', /is empty/],
    ['{"a":1}\n{"a":\n', /line 2 is no JSON/],
    ['{"a":1}\n{"b":1}\n', /line 2, column 'a'\): found nothing/],
    ['{"a":1}\n{"a":null}\n', /found null/],
    ['{"a":1}\n7\n', /line 2, column 'a'/],
    ['{"a":1.5}\n', /must be int32, an integer/],
    ['{"a":2147483648}\n', /from -2147483648/],
    ['{"a":"1"}\n', /found "1"/],
    ['{"a":[1]}\n', /found an array of 1/],
    ['{"a":{"toString":1}}\n', /found an object with "toString"/],
    ['{"__proto__":{"a":1}}\n', /no column 'a'/],
    [`{"a":"${'x'.repeat(2 ** 20)}"}\n`, /line 1 is longer than 1048576 bytes/],
    ['x'.repeat(2 ** 20 + 1), /maxRowBytes/],
    ['{"a":1}\u0000\n', /no JSON/],
    ['NaN\n', /no JSON/],
  ];
  for (const [content, expected] of bad) {
    const { message, detail } = await failure(readAs(folder(), 'r.jsonl', content, '<a=int32>*'));
    expect(detail).toMatch(expected);
    expect(message).not.toMatch(/found|1\.5|2147483648|toString|line/);
  }
  const unsafe = readAs(folder(), 'r.jsonl', '{"a":9007199254740993}\n', '<a=int64>*');
  expect((await failure(unsafe)).detail).toMatch(/does not hold exactly/);
  const deep = readAs(folder(), 'r.json', '['.repeat(100_000), 'int32*');
  expect((await failure(deep)).code).toBe('value.wrong_structure');
  const limits = { maxBytesInMemory: 10 };
  const long = readAs(folder(), 'r.json', '[1,2,3,4,5,6]', 'int32*', { limits });
  expect((await failure(long)).detail).toMatch(/more than 10 bytes/);
  const ragged = readAs(folder(), 'r.json', '[[1,2],[3]]', 'int32[2,2]');
  expect((await failure(ragged)).detail).toMatch(/row 2/);
});

test('what columns hold is told', async () => {
  const path = join(folder(), 'r.jsonl');
  writeFileSync(path, '{"a":1,"b":[0.5],"c":"x","d":null}\n{"a":5000000000,"b":[],"c":true}\n');
  const { rows, columns } = await inspectData({ name: 'd', kind: 'jsonl', paths: [path] });
  expect(rows).toBe(2);
  expect(columns).toEqual([
    { name: 'a', type: 'int64', hasGaps: false },
    { name: 'b', type: 'string', hasGaps: false },
    { name: 'c', type: 'string', hasGaps: false },
    { name: 'd', type: 'nothing', hasGaps: true },
  ]);
});

test('data in memory is found by name', async () => {
  const source = arrayDataSource({ v: new Float32Array([1, 2]), rows: ROWS, secret: 'hunter2' });
  expect(await source.resolve('none', int32())).toBeNull();
  expect(await source.resolve('constructor', int32())).toBeNull();
  expect(await source.resolve('v', float32(2))).toEqual(
    new TensorValue('float32', [2], new Float32Array([1, 2])),
  );
  const numbers = await source.resolve('v', sequence(float32()));
  expect(await toPlain(numbers!, sequence(float32()))).toEqual([1, 2]);
  const type = parseType(TYPE);
  expect(await toPlain((await source.resolve('rows', type))!, type)).toEqual(READ);
  try {
    await source.resolve('secret', int32());
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toContain('hunter2');
    expect(privateDetailOf(error)).toContain('hunter2');
    expect(privateDetailOf(new Error('outer', { cause: error }))).toContain('hunter2');
  }
});

test('of several sources the first that has a name gives it', async () => {
  const both = combinedDataSource(arrayDataSource({ a: 1 }), arrayDataSource({ a: 2, b: 3 }));
  const read = async (name: string) => {
    const value = await both.resolve(name, int32());
    return value === null ? null : toPlain(value, int32());
  };
  expect(await read('a')).toBe(1);
  expect(await read('b')).toBe(3);
  expect(await read('c')).toBeNull();
});
