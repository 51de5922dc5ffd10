/** @file Unsigned integers of any size on the wire: a 16-bit length and the shortest big-endian bytes. */

import { bigIntFromBytes, bigIntToBytes, bitLength } from '../crypto/bytes.ts';
import { type ByteReader, malformed } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

export function writeUnsigned(writer: ByteWriter, value: bigint): void {
  const length = Math.ceil(bitLength(value) / 8);
  writer.uint16(length).raw(bigIntToBytes(value, length));
}

export function readUnsigned(reader: ByteReader, bitLimit: number): bigint {
  const length = reader.uint16();
  if (8 * length > bitLimit + 7) throw malformed(`an integer of ${length} bytes is too large`);
  const bytes = reader.raw(length);
  if (bytes[0] === 0) throw malformed('an integer has leading zeros');
  return bigIntFromBytes(bytes);
}
