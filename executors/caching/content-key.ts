/**
 * @file Keys of values by their content: equal keys mean equal values. They are SHA-256 hashes, so
 * that a key is short however large the value is, and nobody can make two values share one.
 */

import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { sha256 } from '#crypto';
import { type BuildingBlock, childBlocks } from '../../computations/building-blocks.ts';
import {
  compactNotation,
  type MaterializedValue,
  type Type,
} from '../../computations/types/index.ts';
import { contentHash } from '../../computations/wire/index.ts';
import { isReadAgain } from '../materialized.ts';

/** The key of a building block. Blocks are immutable, so it is computed once for each. */
export function blockKey(block: BuildingBlock): string {
  const known = blockKeys.get(block);
  if (known !== undefined) return known;
  // The canonical bytes leave out what an intrinsic was made from, by which stacks allow or refuse it.
  const key = keyOf('block', contentHash(block), ...originsIn(block));
  blockKeys.set(block, key);
  return key;
}

/**
 * The key of data, or `null` for data that can be read only once. The data must not change before
 * the key is there.
 */
export async function dataKey(value: MaterializedValue, type: Type): Promise<string | null> {
  if (!isReadAgain(value)) return null;
  const parts: Uint8Array[] = [];
  const add = (text: string): void => {
    const bytes = utf8ToBytes(text);
    parts.push(lengthPrefix(bytes.length), bytes);
  };
  add('data');
  add(compactNotation(type));
  const visit = (part: MaterializedValue): void => {
    switch (part.kind) {
      case 'tensor':
        add(`tensor ${part.dtype} ${part.shape.join(',')}`);
        if (ArrayBuffer.isView(part.data)) {
          const { buffer, byteOffset, byteLength } = part.data;
          parts.push(new Uint8Array(buffer, byteOffset, byteLength));
        } else {
          for (const text of part.data as readonly string[]) add(text);
        }
        return;
      case 'struct':
        add(`struct ${part.elements.length}`);
        for (const element of part.elements) visit(element);
        return;
      case 'federated':
        add(`federated ${part.members.length}`);
        for (const member of part.members) visit(member);
        return;
      case 'sequence': {
        const elements = part.elements as readonly MaterializedValue[];
        add(`sequence ${elements.length}`);
        for (const element of elements) visit(element);
      }
    }
  };
  visit(value);
  return bytesToHex(await digest(parts));
}

/** The key of something that is made of others. */
export function keyOf(...parts: readonly string[]): string {
  // A guard makes one for each step of a protocol: in one buffer, by the platform's hash.
  const most = parts.reduce((sum, { length }) => sum + PREFIX_BYTES + 3 * length, 0);
  const bytes = new Uint8Array(most);
  let end = 0;
  for (const part of parts) {
    const { written } = encoder.encodeInto(part, bytes.subarray(end + PREFIX_BYTES));
    bytes.set(lengthPrefix(written), end);
    end += PREFIX_BYTES + written;
  }
  return bytesToHex(sha256(bytes.subarray(0, end)));
}

const blockKeys = new WeakMap<BuildingBlock, string>();

function originsIn(block: BuildingBlock): readonly string[] {
  if (block.kind === 'intrinsic') return [block.origin ?? ''];
  return childBlocks(block).flatMap(originsIn);
}

/** Keeps neighbours apart: without it `ab`, `c` and `a`, `bc` would have one hash. */
function lengthPrefix(length: number): Uint8Array {
  return Uint8Array.of(length, length >>> 8, length >>> 16, length >>> 24);
}

/** Of a length prefix. */
const PREFIX_BYTES = 4;

const encoder = new TextEncoder();

/** Parts of this size and above stand for themselves by their hashes, which are made side by side. */
const LARGE = 16_384;

async function digest(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const short = await Promise.all(parts.map(shortened));
  const bytes = new Uint8Array(short.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const part of short) {
    bytes.set(part, end);
    end += part.length;
  }
  return sha256(bytes);
}

function shortened(part: Uint8Array): Uint8Array | Promise<Uint8Array> {
  if (part.length < LARGE) return part;
  // The platform's hash is ten times as fast; browsers have it in secure contexts only.
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (subtle === undefined) return sha256(part);
  return subtle
    .digest('SHA-256', part as Uint8Array<ArrayBuffer>)
    .then((result) => new Uint8Array(result));
}
