/**
 * @file Values as data: what executors exchange and what literals hold. A tensor is dtype, shape
 * and a typed array; nothing here has to be disposed.
 */

import type { DataOfDType, DType, ScalarOfDType } from './dtypes.ts';
import { ValueError } from './errors.ts';
import type { NestedArray } from './plain.ts';

/** A tensor as plain data, row-major. Results of array type are given to the user in this form. */
export class TensorValue<D extends DType = DType> {
  readonly kind = 'tensor';
  readonly dtype: D;
  /** Sizes of the dimensions, outermost first; all known. */
  readonly shape: readonly number[];
  /** The elements, row-major. */
  readonly data: DataOfDType<D>;

  constructor(dtype: D, shape: readonly number[], data: DataOfDType<D>) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  /**
   * The only element of a scalar (or of any tensor with one element).
   * @throws ValueError `value.wrong_shape` if there are more elements, or none.
   */
  scalar(): ScalarOfDType<D> {
    if (this.data.length !== 1) {
      throw new ValueError(
        'value.wrong_shape',
        `scalar() needs a tensor of one element; this one has shape [${this.shape.join(', ')}]. Use toArray().`,
      );
    }
    return elementAt(this, 0);
  }

  /** Nested JavaScript arrays; a scalar gives its value. */
  toArray(): NestedArray<ScalarOfDType<D>> {
    return nest(this, 0, 0, this.data.length);
  }

  /** Like `toArray()`, with int64 as strings, since JSON has no other exact form for them. */
  toJSON(): unknown {
    const json = (value: NestedArray<unknown>): unknown =>
      Array.isArray(value) ? value.map(json) : typeof value === 'bigint' ? String(value) : value;
    return json(this.toArray());
  }

  toString(): string {
    return print(this);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return print(this);
  }
}

/** A struct as data: one value an element, in the order of its type. */
export interface StructValue {
  readonly kind: 'struct';
  readonly elements: readonly MaterializedValue[];
}

/**
 * A sequence as data; it may be produced lazily, and is consumed only once unless its elements are an
 * array or `RereadableElements`.
 */
export interface SequenceValue {
  readonly kind: 'sequence';
  readonly elements: Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>;
}

/**
 * Elements that are read anew each time they are needed: rows of a file, not results of a query that is
 * costly or changes.
 * @example new RereadableElements(() => rowsOf('readings.csv'))
 */
export class RereadableElements implements AsyncIterable<MaterializedValue> {
  readonly #open: () => Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>;

  /** @param open begins with the first element. */
  constructor(open: () => Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>) {
    this.#open = open;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<MaterializedValue> {
    yield* this.#open();
  }
}

/** A placed value as data: one member a participant, or a single one if all are equal. */
export interface FederatedValue {
  readonly kind: 'federated';
  readonly members: readonly MaterializedValue[];
}

/** Any value that can be sent between executors. */
export type MaterializedValue = TensorValue | StructValue | SequenceValue | FederatedValue;

function elementAt<D extends DType>(tensor: TensorValue<D>, index: number): ScalarOfDType<D> {
  const element = tensor.data[index];
  return (tensor.dtype === 'bool' ? element === 1 : element) as ScalarOfDType<D>;
}

function nest<D extends DType>(
  tensor: TensorValue<D>,
  axis: number,
  start: number,
  length: number,
): NestedArray<ScalarOfDType<D>> {
  const size = tensor.shape[axis];
  if (size === undefined) return elementAt(tensor, start);
  const stride = size === 0 ? 0 : length / size;
  return Array.from({ length: size }, (_, i) => nest(tensor, axis + 1, start + i * stride, stride));
}

const MAX_PRINTED = 1000;

function print(tensor: TensorValue): string {
  if (tensor.data.length > MAX_PRINTED) {
    return `TensorValue(${tensor.dtype}[${tensor.shape.join(',')}])`;
  }
  const text = (value: NestedArray<unknown>): string =>
    Array.isArray(value)
      ? `[${value.map(text).join(', ')}]`
      : typeof value === 'string'
        ? JSON.stringify(value)
        : Object.is(value, -0)
          ? '-0'
          : String(value);
  return text(tensor.toArray());
}
