/**
 * @file Writes small Parquet files, of required columns with plain pages, in the Thrift compact protocol
 * (github.com/apache/parquet-format).
 */

import { gzipSync } from 'node:zlib';

export interface TestColumn {
  readonly name: string;
  readonly type: 'BOOLEAN' | 'INT32' | 'INT64' | 'FLOAT' | 'DOUBLE' | 'BYTE_ARRAY';
  /** Converted type by its number in parquet.thrift, such as 0 for UTF8. */
  readonly converted?: number;
  readonly values: readonly (number | bigint | boolean | string)[];
}

/** @param groupRows rows in each row group. */
export function parquetFile(
  columns: readonly TestColumn[],
  { groupRows = 1000, gzip = false }: { readonly groupRows?: number; readonly gzip?: boolean } = {},
): Buffer {
  const rows = columns[0]?.values.length ?? 0;
  const parts: Buffer[] = [Buffer.from('PAR1')];
  let offset = 4;
  const groups: Field[][] = [];
  for (let start = 0; start < rows; start += groupRows) {
    const count = Math.min(groupRows, rows - start);
    let groupBytes = 0;
    const chunks = columns.map((column): Field[] => {
      const plain = plainPage(column, start, count);
      const page = gzip ? gzipSync(plain) : plain;
      const header = structBytes([
        [1, i32(0)],
        [2, i32(plain.length)],
        [3, i32(page.length)],
        [
          5,
          record([
            [1, i32(count)],
            [2, i32(0)],
            [3, i32(3)],
            [4, i32(3)],
          ]),
        ],
      ]);
      const at = offset;
      parts.push(header, page);
      offset += header.length + page.length;
      groupBytes += header.length + plain.length;
      return [
        [2, i64(at)],
        [
          3,
          record([
            [1, i32(TYPES[column.type])],
            [2, list(5, [zigzag(0n)])],
            [3, list(8, [text(column.name)])],
            [4, i32(gzip ? 2 : 0)],
            [5, i64(count)],
            [6, i64(header.length + plain.length)],
            [7, i64(header.length + page.length)],
            [9, i64(at)],
          ]),
        ],
      ];
    });
    groups.push([
      [1, list(12, chunks.map(structBytes))],
      [2, i64(groupBytes)],
      [3, i64(count)],
    ]);
  }
  const schema = [
    structBytes([
      [4, { type: 8, bytes: text('schema') }],
      [5, i32(columns.length)],
    ]),
    ...columns.map(({ name, type, converted }) =>
      structBytes([
        [1, i32(TYPES[type])],
        [3, i32(0)],
        [4, { type: 8, bytes: text(name) }],
        ...(converted === undefined ? [] : [[6, i32(converted)] as Field]),
      ]),
    ),
  ];
  const footer = structBytes([
    [1, i32(1)],
    [2, list(12, schema)],
    [3, i64(rows)],
    [4, list(12, groups.map(structBytes))],
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([...parts, footer, length, Buffer.from('PAR1')]);
}

function plainPage({ type, values }: TestColumn, start: number, count: number): Buffer {
  const some = values.slice(start, start + count);
  if (type === 'BOOLEAN') {
    const bits = Buffer.alloc(Math.ceil(count / 8));
    for (const [i, value] of some.entries()) {
      if (value === true) bits[i >> 3] = bits[i >> 3]! | (1 << (i & 7));
    }
    return bits;
  }
  return Buffer.concat(
    some.map((value) => {
      const bytes = Buffer.alloc(type === 'INT32' || type === 'FLOAT' ? 4 : 8);
      switch (type) {
        case 'INT32':
          bytes.writeInt32LE(Number(value));
          return bytes;
        case 'INT64':
          bytes.writeBigInt64LE(BigInt(value));
          return bytes;
        case 'FLOAT':
          bytes.writeFloatLE(Number(value));
          return bytes;
        case 'DOUBLE':
          bytes.writeDoubleLE(Number(value));
          return bytes;
        default: {
          const content = Buffer.from(String(value));
          const length = Buffer.alloc(4);
          length.writeUInt32LE(content.length);
          return Buffer.concat([length, content]);
        }
      }
    }),
  );
}

/** A field's number, and its value with the type that the compact protocol gives it. */
type Field = readonly [id: number, value: { readonly type: number; readonly bytes: Buffer }];

function structBytes(fields: readonly Field[]): Buffer {
  let last = 0;
  const parts = fields.map(([id, { type, bytes }]) => {
    const header = Buffer.from([((id - last) << 4) | type]);
    last = id;
    return Buffer.concat([header, bytes]);
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
}

const record = (fields: readonly Field[]) => ({ type: 12, bytes: structBytes(fields) });
const i32 = (value: number) => ({ type: 5, bytes: zigzag(BigInt(value)) });
const i64 = (value: number) => ({ type: 6, bytes: zigzag(BigInt(value)) });

function list(type: number, items: readonly Buffer[]) {
  const header =
    items.length < 15
      ? Buffer.from([(items.length << 4) | type])
      : Buffer.concat([Buffer.from([0xf0 | type]), varint(BigInt(items.length))]);
  return { type: 9, bytes: Buffer.concat([header, ...items]) };
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(BigInt(bytes.length)), bytes]);
}

function zigzag(value: bigint): Buffer {
  return varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const TYPES = { BOOLEAN: 0, INT32: 1, INT64: 2, FLOAT: 4, DOUBLE: 5, BYTE_ARRAY: 6 } as const;
