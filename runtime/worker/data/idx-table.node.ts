/**
 * @file IDX files, the format of the MNIST database (LeCun, Cortes and Burges): a header with the element
 * type and the sizes, then the elements in big-endian order. The first size counts rows. Several files
 * with as many rows are the columns of one table.
 */

import {
  allocate,
  compactNotation,
  integerRange,
  isIntegerDType,
  type MaterializedValue,
  type TensorType,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import { fileBytes } from './byte-stream.node.ts';
import type { AllDataLimits } from './data-limits.ts';
import { CellProblem, type CellRules, fileProblem, type Row, type Table } from './table.ts';

/** @throws CellProblem `file`, also if the files have different numbers of rows; the file system's errors. */
export async function openIdx(paths: readonly string[], limits: AllDataLimits): Promise<Table> {
  const headers: IdxHeader[] = [];
  for (const path of paths) headers.push(await readHeader(path, limits));
  const [first] = headers;
  if (first === undefined) throw fileProblem('there is no file');
  const counts = headers.map(({ rows }) => rows);
  if (counts.some((count) => count !== first.rows)) {
    throw fileProblem(`the files have different numbers of rows: ${counts.join(', ')}`);
  }
  return {
    kind: 'idx',
    paths,
    counts: 'row',
    rowCount: first.rows,
    columns: headers.map(({ format, shape }) => ({
      name: null,
      type: shape.length === 0 ? format.name : `${format.name}[${shape.join(',')}]`,
    })),
    cells: idxCells,
    rows: () => rows(paths, first.rows, limits),
  };
}

interface IdxHeader {
  readonly format: ElementFormat;
  readonly rows: number;
  /** Of the part of the file that is one row. */
  readonly shape: readonly number[];
  readonly rowBytes: number;
}

async function readHeader(path: string, limits: AllDataLimits): Promise<IdxHeader> {
  const reader = new ByteReader(path, limits);
  try {
    return await headerFrom(reader, limits);
  } finally {
    await reader.close();
  }
}

async function headerFrom(reader: ByteReader, limits: AllDataLimits): Promise<IdxHeader> {
  const magic = await reader.read(4);
  const format = FORMATS.get(magic.getUint8(2));
  const rank = magic.getUint8(3);
  if (magic.getUint16(0) !== 0 || format === undefined || rank === 0 || rank > MAX_RANK) {
    throw fileProblem('it is no IDX file: its first four bytes are not those of one');
  }
  const sizes = await reader.read(4 * rank);
  const [rowCount = 0, ...shape] = Array.from({ length: rank }, (_, i) => sizes.getUint32(4 * i));
  const rowBytes = shape.reduce((product, size) => product * size, format.bytes);
  if (rowCount > limits.maxRows) {
    throw fileProblem(`there are more than ${limits.maxRows} rows (maxRows)`);
  }
  if (rowBytes > limits.maxBytesInMemory || rowBytes === 0) {
    throw fileProblem(
      `a row of ${rowBytes} bytes is not read; there may be 1 to ${limits.maxBytesInMemory} (maxBytesInMemory)`,
    );
  }
  return { format, rows: rowCount, shape, rowBytes };
}

async function* rows(
  paths: readonly string[],
  count: number,
  limits: AllDataLimits,
): AsyncGenerator<Row> {
  const readers = paths.map((path) => new ByteReader(path, limits));
  try {
    const headers: IdxHeader[] = [];
    for (const reader of readers) headers.push(await headerFrom(reader, limits));
    for (let number = 1; number <= count; number++) {
      const cells: IdxCell[] = [];
      for (const [i, { format, shape, rowBytes }] of headers.entries()) {
        cells.push(new IdxCell(format, shape, await readers[i]!.read(rowBytes)));
      }
      yield { number, cells };
    }
    for (const reader of readers) await reader.requireEnd();
  } finally {
    for (const reader of readers) await reader.close();
  }
}

/** The part of a file that belongs to a row. */
class IdxCell {
  readonly format: ElementFormat;
  readonly shape: readonly number[];
  readonly bytes: DataView;

  constructor(format: ElementFormat, shape: readonly number[], bytes: DataView) {
    this.format = format;
    this.shape = shape;
    this.bytes = bytes;
  }
}

const idxCells: CellRules = {
  convert(cell, type) {
    if (!(cell instanceof IdxCell) || type.kind !== 'tensor') {
      throw new CellProblem(
        'value.wrong_type',
        `the elements of an IDX file cannot be ${compactNotation(type)}`,
      );
    }
    return convert(cell, type);
  },
  infer: (cell) => (cell instanceof IdxCell ? cell.format.name : null),
  fits(_column, type: Type) {
    return type.kind === 'tensor' && type.dtype !== 'bool' && type.dtype !== 'string';
  },
};

/** Elements keep their values: the bytes of an image become floats from 0 to 255. */
function convert({ format, shape, bytes }: IdxCell, type: TensorType): MaterializedValue {
  const { dtype } = type;
  const size = bytes.byteLength / format.bytes;
  const data = allocate(dtype, size);
  const writable: { [index: number]: unknown } = data;
  const range = isIntegerDType(dtype) ? integerRange(dtype) : null;
  for (let i = 0; i < size; i++) {
    const element = format.read(bytes, i * format.bytes);
    if (range !== null) {
      const isHeld = Number.isInteger(element) && element >= range.min && element <= range.max;
      if (!isHeld)
        throw new CellProblem('value.out_of_range', `found ${element}, expected ${dtype}`);
    } else if (Number.isFinite(element) && !Number.isFinite(Math.fround(element))) {
      throw new CellProblem('value.out_of_range', `found ${element}, expected ${dtype}`);
    }
    writable[i] = dtype === 'int64' ? BigInt(element) : element;
  }
  return new TensorValue(dtype, shapeFor(type, shape, size), data);
}

/** The shape that is asked for, if it has as many elements in the same order, such as 784 for 28 by 28. */
function shapeFor(type: TensorType, shape: readonly number[], size: number): readonly number[] {
  const asked = type.shape;
  if (asked === null) return shape;
  const isSame =
    asked.length === shape.length &&
    asked.every((dimension, axis) => dimension === null || dimension === shape[axis]);
  if (isSame) return shape;
  const known = asked.reduce<number>((product, dimension) => product * (dimension ?? 1), 1);
  const unknown = asked.filter((dimension) => dimension === null).length;
  if (unknown === 0 && known === size) return asked.map((dimension) => dimension ?? 1);
  if (unknown === 1 && known > 0 && size % known === 0) {
    return asked.map((dimension) => dimension ?? size / known);
  }
  throw new CellProblem(
    'value.wrong_structure',
    `found shape [${shape.join(', ')}], expected ${compactNotation(type)}`,
  );
}

/** Takes the bytes of a file piece by piece. */
class ByteReader {
  readonly #chunks: AsyncGenerator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string, limits: AllDataLimits) {
    this.#chunks = fileBytes(path, limits);
  }

  /** @throws CellProblem if there are not so many left. */
  async read(length: number): Promise<DataView> {
    if (this.#rest.length < length) {
      const pieces = [this.#rest];
      let available = this.#rest.length;
      while (available < length) {
        const { done, value } = await this.#chunks.next();
        if (done) throw fileProblem('it ends before all rows that its header says');
        pieces.push(value);
        available += value.length;
      }
      this.#rest = Buffer.concat(pieces);
    }
    const { buffer, byteOffset } = this.#rest;
    this.#rest = this.#rest.subarray(length);
    return new DataView(buffer, byteOffset, length);
  }

  async requireEnd(): Promise<void> {
    const isOver = this.#rest.length === 0 && (await this.#chunks.next()).done;
    if (!isOver) throw fileProblem('there is more in it than its header says');
  }

  async close(): Promise<void> {
    await this.#chunks.return(undefined);
  }
}

interface ElementFormat {
  readonly name: string;
  readonly bytes: number;
  read(view: DataView, offset: number): number;
}

const FORMATS: ReadonlyMap<number, ElementFormat> = new Map([
  [0x08, { name: 'uint8', bytes: 1, read: (view, at) => view.getUint8(at) }],
  [0x09, { name: 'int8', bytes: 1, read: (view, at) => view.getInt8(at) }],
  [0x0b, { name: 'int16', bytes: 2, read: (view, at) => view.getInt16(at) }],
  [0x0c, { name: 'int32', bytes: 4, read: (view, at) => view.getInt32(at) }],
  [0x0d, { name: 'float32', bytes: 4, read: (view, at) => view.getFloat32(at) }],
  [0x0e, { name: 'float64', bytes: 8, read: (view, at) => view.getFloat64(at) }],
] satisfies [number, ElementFormat][]);

const MAX_RANK = 8;
