/** @file Values as data that several places need: one-shot sequences in them are read into arrays. */

import { type MaterializedValue, TensorValue } from '../computations/types/index.ts';
import { breathe, interruptibleElements } from './interruption.ts';

/** True if the value can be read any number of times. */
export function isReadAgain(value: MaterializedValue): boolean {
  switch (value.kind) {
    case 'tensor':
      return true;
    case 'sequence':
      return Array.isArray(value.elements);
    case 'struct':
      return value.elements.every(isReadAgain);
    case 'federated':
      return value.members.every(isReadAgain);
  }
}

/**
 * The same value, with every sequence in an array.
 * @throws the signal's reason, if it is aborted before all is read
 */
export async function readAgain(
  value: MaterializedValue,
  signal?: AbortSignal,
): Promise<MaterializedValue> {
  if (isReadAgain(value)) return value;
  switch (value.kind) {
    case 'sequence': {
      const elements: MaterializedValue[] = [];
      for await (const element of interruptibleElements(value.elements, signal)) {
        elements.push(element);
        await breathe();
      }
      return { kind: 'sequence', elements };
    }
    case 'struct':
      return { kind: 'struct', elements: await readAll(value.elements, signal) };
    case 'federated':
      return { kind: 'federated', members: await readAll(value.members, signal) };
    default:
      return value;
  }
}

function readAll(
  values: readonly MaterializedValue[],
  signal: AbortSignal | undefined,
): Promise<MaterializedValue[]> {
  return Promise.all(values.map((value) => readAgain(value, signal)));
}

/**
 * A copy that shares no data with the original.
 * @param value readable any number of times; a sequence that is not stays as it is.
 */
export function copyOf(value: MaterializedValue): MaterializedValue {
  switch (value.kind) {
    case 'tensor':
      return new TensorValue(value.dtype, value.shape, value.data.slice() as typeof value.data);
    case 'struct':
      return { kind: 'struct', elements: value.elements.map(copyOf) };
    case 'federated':
      return { kind: 'federated', members: value.members.map(copyOf) };
    case 'sequence':
      return Array.isArray(value.elements)
        ? { kind: 'sequence', elements: value.elements.map(copyOf) }
        : value;
  }
}
