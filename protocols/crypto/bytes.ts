/** @file Bytes, text and big integers, without Node's Buffer. */

import { ProtocolError } from '../errors.ts';

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const output = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    output.set(part, offset);
    offset += part.length;
  }
  return output;
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) {
    throw new ProtocolError('invalid-argument', 'not an even number of hexadecimal digits');
  }
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
}

/** Reads a big-endian unsigned integer. */
export function bigIntFromBytes(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

/**
 * Writes a big-endian unsigned integer into exactly `length` bytes.
 * @throws ProtocolError `out-of-range` where it does not fit.
 */
export function bigIntToBytes(value: bigint, length: number): Uint8Array {
  const digits = value.toString(16);
  if (value < 0n || (value > 0n && digits.length > 2 * length)) {
    throw new ProtocolError('out-of-range', `the integer does not fit into ${length} bytes`);
  }
  return length === 0 ? new Uint8Array(0) : fromHex(digits.padStart(2 * length, '0'));
}

/** The least number of bits that hold `value`; 0 for 0. */
export function bitLength(value: bigint): number {
  if (value <= 0n) return 0;
  const digits = value.toString(16);
  return 4 * digits.length - LEADING_ZERO_BITS[Number.parseInt(digits[0]!, 16)]!;
}

const encoder = new TextEncoder();
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const LEADING_ZERO_BITS = [4, 3, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
