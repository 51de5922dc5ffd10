/** @file Cells that are JavaScript values: of JSON, of Parquet, and of arrays in memory. */

import {
  compactNotation,
  type MaterializedValue,
  type StructType,
  type TensorType,
  type Type,
  toMaterialized,
  ValueError,
} from '../../../computations/types/index.ts';
import { CellProblem, type CellRules } from './table.ts';
import { quote } from './text-cells.ts';

/**
 * Cells that are numbers, bigints, booleans, strings, nested arrays and objects. An int64 may be given
 * as a string of digits, since JSON has no other exact form for a large one; a bigint may become a
 * float. An object may have more members than the struct that it is asked for as.
 */
export const typedCells: CellRules = { convert: convertTyped, infer: inferTyped };

function convertTyped(cell: unknown, type: Type): MaterializedValue {
  switch (type.kind) {
    case 'tensor':
      return convertTensor(cell, type);
    case 'struct':
      return { kind: 'struct', elements: structElements(cell, type) };
    case 'sequence':
      return {
        kind: 'sequence',
        elements: listOf(cell, type).map((item) => convertTyped(item, type.element)),
      };
    default:
      throw mismatch(cell, type);
  }
}

function convertTensor(cell: unknown, type: TensorType): MaterializedValue {
  if (cell === null || cell === undefined) {
    throw new CellProblem(
      'value.wrong_type',
      `found ${cell === null ? 'null' : 'nothing'}, expected ${compactNotation(type)}`,
    );
  }
  const adapt = ADAPTERS[type.dtype];
  try {
    return toMaterialized(adapt === undefined ? cell : adapted(cell, adapt), type, 'the cell');
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const message = error.message.replace(/^\[[^\]]*\] /, '');
    throw new CellProblem(error.code, `${message} (found ${describe(cell)})`);
  }
}

function structElements(cell: unknown, type: StructType): MaterializedValue[] {
  if (typeof cell !== 'object' || cell === null || ArrayBuffer.isView(cell)) {
    throw mismatch(cell, type);
  }
  if (Array.isArray(cell) && cell.length !== type.elements.length) throw mismatch(cell, type);
  return type.elements.map(({ name, type: elementType }, index) => {
    const key = Array.isArray(cell) || name === null ? String(index) : name;
    if (!Object.hasOwn(cell, key)) {
      throw new CellProblem(
        'value.wrong_structure',
        `'${key}' is missing from ${describe(cell)}, expected ${compactNotation(type)}`,
      );
    }
    return convertTyped(Reflect.get(cell, key), elementType);
  });
}

/** An array, or a typed array, whose elements may be anything. */
function listOf(cell: unknown, type: Type): readonly unknown[] {
  if (Array.isArray(cell)) return cell;
  if (ArrayBuffer.isView(cell) && Symbol.iterator in cell) {
    return Array.from<unknown>(cell as Iterable<unknown> & ArrayBufferView);
  }
  throw mismatch(cell, type);
}

type Adapter = (element: unknown) => unknown;

const ADAPTERS: { readonly [dtype: string]: Adapter | undefined } = {
  int64: (element) =>
    typeof element === 'string' && /^-?\d{1,19}$/.test(element) ? BigInt(element) : element,
  float32: (element) => (typeof element === 'bigint' ? Number(element) : element),
};

function adapted(cell: unknown, adapt: Adapter): unknown {
  if (cell instanceof BigInt64Array || cell instanceof BigUint64Array) {
    return Array.from<unknown, unknown>(cell, adapt);
  }
  return Array.isArray(cell) ? cell.map((item) => adapted(item, adapt)) : adapt(cell);
}

function inferTyped(cell: unknown): string | null {
  if (cell === null || cell === undefined) return null;
  if (Array.isArray(cell)) return `array of ${inferTyped(cell[0]) ?? 'nothing'}`;
  switch (typeof cell) {
    case 'number':
      if (!Number.isInteger(cell) || Object.is(cell, -0)) return 'float32';
      if ((cell | 0) === cell) return 'int32';
      return Number.isSafeInteger(cell) ? 'int64' : 'float32';
    case 'bigint':
      return 'int64';
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    default:
      return cell instanceof Date ? 'time' : 'object';
  }
}

function mismatch(cell: unknown, type: Type): CellProblem {
  return new CellProblem(
    'value.wrong_structure',
    `found ${describe(cell)}, expected ${compactNotation(type)}`,
  );
}

/** For this machine's log: what a cell holds, shortly. */
export function describe(cell: unknown): string {
  if (typeof cell === 'string') return quote(cell);
  if (Array.isArray(cell)) return `an array of ${cell.length}`;
  if (typeof cell !== 'object' || cell === null) return String(cell);
  if (cell instanceof Date || ArrayBuffer.isView(cell)) return `a ${cell.constructor.name}`;
  return `an object with ${Object.keys(cell).slice(0, 8).map(quote).join(', ') || 'no members'}`;
}
