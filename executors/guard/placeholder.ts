/**
 * @file What stands in for a private value that could not be made. Were the server told of each failure,
 * a computation that fails for some values would be a question about a value that costs nothing; so a
 * failed value looks like any other private one until it is to be released, which costs a round.
 */

import {
  allocate,
  type MaterializedValue,
  TensorValue,
  type Type,
} from '../../computations/types/index.ts';
import { PART_BYTES } from '../watching/value-size.ts';

/**
 * Zeros, with nothing where a dimension is not known; no elements of a sequence.
 * @returns `undefined` for types of which there is no data.
 */
export function placeholderOf(type: Type): MaterializedValue | undefined {
  switch (type.kind) {
    case 'tensor': {
      const shape = (type.shape ?? [null]).map((size) => size ?? 0);
      const size = shape.reduce((product, each) => product * each, 1);
      return new TensorValue(type.dtype, shape, allocate(type.dtype, size));
    }
    case 'sequence':
      return { kind: 'sequence', elements: [] };
    case 'struct': {
      const elements = type.elements.map((element) => placeholderOf(element.type));
      if (elements.some((element) => element === undefined)) return undefined;
      return { kind: 'struct', elements: elements as MaterializedValue[] };
    }
    default:
      return undefined;
  }
}

/** What values of a type take in memory, as far as it says how large they are. */
export function leastBytes(type: Type): number {
  if (type.kind === 'struct') {
    return type.elements.reduce((sum, element) => sum + leastBytes(element.type), PART_BYTES);
  }
  if (type.kind !== 'tensor' || type.shape === null) return PART_BYTES;
  const data = type.shape.reduce<number>(
    (product, size) => product * (size ?? 0),
    WIDTHS[type.dtype],
  );
  return PART_BYTES + data;
}

const WIDTHS = { bool: 1, uint8: 1, int32: 4, int64: 8, float32: 4, string: 8 } as const;
