/** @file Text as numbers, truth values and strings, as strictly as data from a program is taken. */

import {
  allocate,
  compactNotation,
  type DType,
  integerRange,
  type MaterializedValue,
  type ScalarOfDType,
  TensorValue,
} from '../../../computations/types/index.ts';
import { CellProblem, type CellRules } from './table.ts';

/** Cells that are strings; each is a scalar. */
export const textCells: CellRules = {
  convert(cell, type) {
    if (typeof cell !== 'string') {
      throw new CellProblem('value.wrong_structure', 'the cell is missing');
    }
    if (type.kind !== 'tensor' || type.shape === null || type.shape.length > 0) {
      throw new CellProblem(
        'value.wrong_shape',
        `a cell of text is a scalar and cannot be ${compactNotation(type)}`,
      );
    }
    return scalar(type.dtype, parseText(cell, type.dtype));
  },
  infer(cell) {
    const text = typeof cell === 'string' ? cell.trim() : '';
    if (text === '') return null;
    for (const dtype of ['int32', 'int64', 'float32'] as const) {
      if (isReadable(text, dtype)) return dtype;
    }
    return /^(true|false)$/i.test(text) ? 'bool' : 'string';
  },
};

/**
 * One element from its text. Space around numbers and truth values is no part of them; a string is
 * taken as it is. `true`, `false`, `1` and `0` are truth values; `nan` and `inf` are floats, in any
 * case; a float is rounded to float32, and is refused where that would make it infinite.
 * @throws CellProblem
 */
export function parseText<D extends DType>(text: string, dtype: D): ScalarOfDType<D> {
  return PARSERS[dtype](text) as ScalarOfDType<D>;
}

const PARSERS: { readonly [D in DType]: (text: string) => ScalarOfDType<D> } = {
  string: (text) => text,
  bool: (text) => {
    const word = text.trim().toLowerCase();
    if (word === 'true' || word === '1') return true;
    if (word === 'false' || word === '0') return false;
    throw unreadable(text, 'bool, one of true, false, 1 and 0');
  },
  uint8: (text) => Number(parseInteger(text, 'uint8')),
  int32: (text) => Number(parseInteger(text, 'int32')),
  int64: (text) => parseInteger(text, 'int64'),
  float32: parseFloat32,
};

function parseInteger(text: string, dtype: 'uint8' | 'int32' | 'int64'): bigint {
  const digits = text.trim();
  const { min, max } = integerRange(dtype);
  const expected = `${dtype}, from ${min} to ${max}`;
  if (!INTEGER.test(digits)) {
    const isNumber = FLOAT.test(digits);
    throw unreadable(
      text,
      isNumber ? `${expected}, without a fraction or an exponent` : expected,
      isNumber ? 'value.not_an_integer' : 'value.wrong_type',
    );
  }
  // So long a number is none of these, and slow to read.
  const integer = digits.length > MAX_DIGITS ? max + 1n : BigInt(digits.replace('+', ''));
  if (integer < min || integer > max) throw unreadable(text, expected, 'value.out_of_range');
  return integer;
}

function parseFloat32(text: string): number {
  const number = text.trim();
  const special = SPECIAL_FLOATS.get(number.toLowerCase());
  if (special !== undefined) return special;
  if (number.length > MAX_DIGITS || !FLOAT.test(number)) throw unreadable(text, 'float32');
  const rounded = Math.fround(Number(number));
  if (!Number.isFinite(rounded)) {
    throw unreadable(text, 'float32, and no larger than any finite one', 'value.out_of_range');
  }
  return rounded;
}

function isReadable(text: string, dtype: DType): boolean {
  try {
    parseText(text, dtype);
    return true;
  } catch (error) {
    if (error instanceof CellProblem) return false;
    throw error;
  }
}

/** A tensor of one element. */
export function scalar(dtype: DType, value: ScalarOfDType<DType>): MaterializedValue {
  const data = allocate(dtype, 1);
  const writable: { [index: number]: unknown } = data;
  writable[0] = dtype === 'bool' ? Number(value) : value;
  return new TensorValue(dtype, [], data);
}

function unreadable(
  text: string,
  expected: string,
  code: CellProblem['code'] = 'value.wrong_type',
): CellProblem {
  const found = text.trim() === '' ? 'an empty cell' : quote(text);
  return new CellProblem(code, `found ${found}, expected ${expected}`);
}

/** At most so much of a cell is repeated, with what could trick a terminal made visible. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);
}

/** The type that a column has whose cells look like this one and like those before. */
export function commonText(left: string | null, right: string | null): string | null {
  if (left === null || right === null || left === right) return left ?? right;
  const [narrow, wide] = [WIDTHS.indexOf(left), WIDTHS.indexOf(right)];
  return narrow < 0 || wide < 0 ? 'string' : WIDTHS[Math.max(narrow, wide)]!;
}

const WIDTHS = ['int32', 'int64', 'float32'];

const INTEGER = /^[+-]?\d+$/;
// No two parts can take the same digits, so that a long text takes linear time.
const FLOAT = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const MAX_DIGITS = 400;

const SPECIAL_FLOATS: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ...['inf', '+inf', 'infinity', '+infinity'].map((text) => [text, Infinity] as const),
  ...['-inf', '-infinity'].map((text) => [text, -Infinity] as const),
]);
