/** @file Rows stacked into tensors whose first dimension counts them. */

import {
  allocate,
  compactNotation,
  type DType,
  type MaterializedValue,
  structOf,
  TensorValue,
  type Type,
  tensorOfShape,
} from '../../../computations/types/index.ts';
import { ColumnsProblem } from './row-plan.ts';
import { CellProblem, fileProblem } from './table.ts';

/** Takes the values of rows one by one, and is one value in the end. */
export interface Stack {
  /** @throws CellProblem if the row has not the shape of those before, or is one too many. */
  push(row: MaterializedValue): void;
  /** @throws CellProblem if there are fewer rows than the type says. */
  finish(): MaterializedValue;
}

/**
 * The type of one row, of tensors whose first dimension counts rows.
 * @throws ColumnsProblem for a type that has no such dimension.
 */
export function typeOfRow(type: Type): Type {
  if (type.kind === 'tensor' && type.shape !== null && type.shape.length > 0) {
    return tensorOfShape(type.dtype, type.shape.slice(1));
  }
  if (type.kind === 'struct' && type.elements.length > 0) {
    return structOf(
      type.elements.map(({ name, type: element }) => ({ name, type: typeOfRow(element) })),
    );
  }
  throw new ColumnsProblem(
    `rows cannot be ${compactNotation(type)}; ask for a sequence of them, or for tensors whose first dimension counts them`,
  );
}

/** @param budget counts the bytes of all tensors together. */
export function stackOf(type: Type, budget: MemoryBudget): Stack {
  if (type.kind === 'struct') {
    const stacks = type.elements.map((element) => stackOf(element.type, budget));
    return {
      push(row) {
        if (row.kind !== 'struct') return;
        for (const [index, element] of row.elements.entries()) stacks[index]!.push(element);
      },
      finish: () => ({ kind: 'struct', elements: stacks.map((stack) => stack.finish()) }),
    };
  }
  if (type.kind !== 'tensor' || type.shape === null) {
    throw new ColumnsProblem(`rows cannot be stacked as ${compactNotation(type)}`);
  }
  const [rows = null, ...inner] = type.shape;
  return new TensorStack(type.dtype, rows, inner, budget);
}

class TensorStack<D extends DType> implements Stack {
  readonly #dtype: D;
  readonly #rows: number | null;
  readonly #declared: readonly (number | null)[];
  readonly #budget: MemoryBudget;
  #shape: readonly number[] | null = null;
  #data: TensorValue<D>['data'];
  #length = 0;
  #count = 0;

  constructor(
    dtype: D,
    rows: number | null,
    declared: readonly (number | null)[],
    budget: MemoryBudget,
  ) {
    this.#dtype = dtype;
    this.#rows = rows;
    this.#declared = declared;
    this.#budget = budget;
    this.#data = allocate(dtype, 0);
  }

  push(row: MaterializedValue): void {
    if (row.kind !== 'tensor') return;
    this.#shape ??= row.shape;
    if (row.shape.join() !== this.#shape.join()) {
      throw new CellProblem(
        'value.wrong_shape',
        `found shape [${row.shape.join(', ')}], expected [${this.#shape.join(', ')}] as in the rows before`,
      );
    }
    if (this.#count === this.#rows) {
      throw new CellProblem('value.wrong_shape', `there are more than ${this.#rows} rows`, 'file');
    }
    this.#makeRoom(this.#length + row.data.length);
    const writable: { [index: number]: unknown } = this.#data;
    for (const element of row.data) {
      if (typeof element === 'string') this.#budget.take(2 * element.length);
      writable[this.#length++] = element;
    }
    this.#count++;
  }

  finish(): MaterializedValue {
    if (this.#rows !== null && this.#count !== this.#rows) {
      throw new CellProblem(
        'value.wrong_shape',
        `there are ${this.#count} rows, expected ${this.#rows}`,
        'file',
      );
    }
    // The sizes inside no rows cannot be seen; those of the type stand for them.
    const shape = this.#shape ?? this.#declared.map((size) => size ?? 0);
    const data = this.#data.slice(0, this.#length) as TensorValue<D>['data'];
    return new TensorValue(this.#dtype, [this.#count, ...shape], data);
  }

  #makeRoom(length: number): void {
    if (length <= this.#data.length) return;
    const capacity = Math.max(length, 2 * this.#data.length, 64);
    this.#budget.take((capacity - this.#data.length) * BYTES[this.#dtype]);
    const grown = allocate(this.#dtype, capacity);
    const writable: { [index: number]: unknown } = grown;
    for (let i = 0; i < this.#length; i++) writable[i] = this.#data[i];
    this.#data = grown;
  }
}

/** Bytes that may still be taken. */
export class MemoryBudget {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws CellProblem if it is more than is left. */
  take(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken > this.#limit) {
      throw fileProblem(
        `the rows need more than ${this.#limit} bytes in memory (maxBytesInMemory); ask for a sequence of them`,
      );
    }
  }
}

/** Of an element; of a string what it takes beside its characters, about. */
const BYTES: { readonly [D in DType]: number } = {
  bool: 1,
  uint8: 1,
  int32: 4,
  int64: 8,
  float32: 4,
  string: 32,
};
