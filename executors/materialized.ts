/** @file Values as data that several places need: one-shot sequences in them are read into arrays. */

import type { MaterializedValue } from '../computations/types/index.ts';

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

/** The same value, with every sequence in an array. */
export async function readAgain(value: MaterializedValue): Promise<MaterializedValue> {
  if (isReadAgain(value)) return value;
  switch (value.kind) {
    case 'sequence': {
      const elements: MaterializedValue[] = [];
      for await (const element of value.elements) elements.push(element);
      return { kind: 'sequence', elements };
    }
    case 'struct':
      return { kind: 'struct', elements: await Promise.all(value.elements.map(readAgain)) };
    case 'federated':
      return { kind: 'federated', members: await Promise.all(value.members.map(readAgain)) };
    default:
      return value;
  }
}
