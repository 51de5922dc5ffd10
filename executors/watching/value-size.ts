/**
 * @file How large data is. Counted are tensors, wherever they stand: in structs, in sequences, as
 * members of placed values. An element of a string tensor has as many bytes as its UTF-8 form; all
 * others have the width of their dtype (bool and uint8 1, int32 and float32 4, int64 8). Names,
 * shapes and the framing of a wire format are not counted.
 */

import type { DType, MaterializedValue, TensorValue } from '../../computations/types/index.ts';

/** Told of each tensor. */
export type Tally = (dtype: DType, elements: number, bytes: number) => void;

/** Counts what is there already. A sequence that comes from an iterable is left alone. */
export function tallyNow(value: MaterializedValue, tally: Tally): void {
  switch (value.kind) {
    case 'tensor':
      tally(value.dtype, value.data.length, bytesOf(value));
      return;
    case 'struct':
      for (const element of value.elements) tallyNow(element, tally);
      return;
    case 'federated':
      for (const member of value.members) tallyNow(member, tally);
      return;
    case 'sequence':
      if (!Array.isArray(value.elements)) return;
      for (const element of value.elements) tallyNow(element, tally);
  }
}

/**
 * Bytes that a value takes in memory, about: its data, and for each of its parts what an object takes. A
 * sequence of a million single numbers is large, whatever they have together.
 */
export function memoryOf(value: MaterializedValue): number {
  const sum = (parts: readonly MaterializedValue[]): number =>
    parts.reduce((bytes, part) => bytes + memoryOf(part), PART_BYTES);
  switch (value.kind) {
    case 'tensor':
      return PART_BYTES + bytesOf(value) + (value.dtype === 'string' ? 24 * value.data.length : 0);
    case 'struct':
      return sum(value.elements);
    case 'federated':
      return sum(value.members);
    case 'sequence':
      return Array.isArray(value.elements) ? sum(value.elements) : PART_BYTES;
  }
}

/** A tensor is an object, a shape and an array with memory of its own. */
export const PART_BYTES = 200;

/**
 * Counts what is there already, and the elements of other sequences as they are read.
 * @returns the value to use instead of the given one.
 */
export function tallied(value: MaterializedValue, tally: Tally): MaterializedValue {
  switch (value.kind) {
    case 'struct':
      return { ...value, elements: value.elements.map((element) => tallied(element, tally)) };
    case 'federated':
      return { ...value, members: value.members.map((member) => tallied(member, tally)) };
    case 'sequence':
      if (!Array.isArray(value.elements)) {
        return { ...value, elements: talliedElements(value.elements, tally) };
      }
  }
  tallyNow(value, tally);
  return value;
}

function bytesOf({ data }: TensorValue): number {
  if (ArrayBuffer.isView(data)) return data.byteLength;
  let bytes = 0;
  for (const text of data as readonly string[]) bytes += utf8Length(text);
  return bytes;
}

/** Bytes of a text in UTF-8, where a lone surrogate becomes a replacement character. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

async function* talliedElements(
  elements: Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>,
  tally: Tally,
): AsyncGenerator<MaterializedValue> {
  for await (const element of elements) yield tallied(element, tally);
}
