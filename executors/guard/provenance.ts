/**
 * @file Where a value came from, as a hash: the functions that were applied, by their content, the
 * public values that went in, by theirs, and the names of private data. It covers no private content
 * and no handle numbers, so two clients that were asked for the same with the same public values get
 * the same hash, whatever their data is. A public value of one client only (its number, a model of its
 * own) makes it differ; in a protocol that binds it such a client's value does not add to the others'.
 *
 * A hash tells which method calls made a value, so all clients of a sum have to be asked by the same
 * calls. Executors that work on many clients ask so.
 */

import type { BuildingBlock } from '../../computations/building-blocks.ts';
import {
  compactNotation,
  type MaterializedValue,
  type Type,
} from '../../computations/types/index.ts';
import { contentHash } from '../../computations/wire/index.ts';
import { toHex } from '../../protocols/index.ts';
import { dataKey, keyOf } from '../caching/content-key.ts';

/** 64 hexadecimal digits. */
export type Provenance = string;

/** Of a value that the server sent. */
export async function provenanceOfPublic(
  value: MaterializedValue,
  type: Type,
): Promise<Provenance> {
  const key = await dataKey(value, type);
  // What can be read only once cannot be read for its hash: it is like nothing else.
  if (key === null) {
    return keyOf('provenance once', toHex(crypto.getRandomValues(new Uint8Array(32))));
  }
  return keyOf('provenance public', key);
}

/** Of a function. */
export function provenanceOfBlock(block: BuildingBlock): Provenance {
  return keyOf('provenance block', contentHash(block));
}

/** Of named data. */
export function provenanceOfData(uri: string, type: Type): Provenance {
  return keyOf('provenance data', uri, compactNotation(type));
}

export function provenanceOfCall(fn: Provenance, argument: Provenance | null): Provenance {
  return keyOf('provenance call', fn, argument ?? 'none');
}

export function provenanceOfStruct(
  names: readonly (string | null)[],
  elements: readonly Provenance[],
): Provenance {
  const parts = elements.flatMap((element, i) => {
    const name = names[i] ?? null;
    return [name === null ? 'unnamed' : `named ${name}`, element];
  });
  return keyOf('provenance struct', String(elements.length), ...parts);
}

export function provenanceOfSelection(source: Provenance, index: number): Provenance {
  return keyOf('provenance selection', String(index), source);
}
