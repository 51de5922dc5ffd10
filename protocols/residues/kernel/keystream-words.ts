/** @file Reading a keystream as words: little-endian on every machine, or two ends would not cancel. */

import type { Keystream } from '../../crypto/interface.ts';
import { ProtocolError } from '../../errors.ts';

export function keystreamWords32(keystream: Keystream, count: number): Uint32Array {
  const bytes = littleEndian(readKeystream(keystream, 4 * count), 4);
  return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
}

export function keystreamWords64(keystream: Keystream, count: number): BigUint64Array {
  const bytes = littleEndian(readKeystream(keystream, 8 * count), 8);
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, count);
}

/**
 * Reads from a keystream, which may come from outside.
 * @throws ProtocolError `invalid-length` where it gives another length: what takes its place in the
 * mask would be known.
 */
export function readKeystream(keystream: Keystream, byteLength: number): Uint8Array {
  const bytes = keystream.read(byteLength);
  if (bytes.length !== byteLength) {
    throw new ProtocolError(
      'invalid-length',
      `a keystream gave ${bytes.length} bytes when asked for ${byteLength}`,
    );
  }
  return bytes;
}

function littleEndian(bytes: Uint8Array, width: 4 | 8): Uint8Array {
  if (HOST_IS_LITTLE_ENDIAN) return bytes;
  const swapped = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i += 1) {
    swapped[i] = bytes[i - (i % width) + width - 1 - (i % width)]!;
  }
  return swapped;
}

export const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
