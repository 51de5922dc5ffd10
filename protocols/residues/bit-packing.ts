/**
 * @file Residues on the wire: ceil(log2 R) bits a value, least significant bit first, the last byte
 * filled up with zeros. One vector has one encoding, and anything else is refused.
 */

import { ProtocolError } from '../errors.ts';
import { addInPlace } from './arithmetic.ts';
import { BitReader, BitWriter } from './bit-cursor.ts';
import { wordKernel } from './kernel/index.ts';
import { bitsPerValue } from './modulus.ts';
import { type Residues, type ResiduesWide, zeroResidues } from './residues.ts';

/** Bytes that `length` values modulo `modulus` take. */
export function packedLength(modulus: bigint, length: number): number {
  return Math.ceil((bitsPerValue(modulus) * length) / 8);
}

export function packResidues(residues: Residues): Uint8Array {
  const bytes = new Uint8Array(packedLength(residues.modulus, residues.values.length));
  if (residues.lane === 'wide') packWide(residues, bytes);
  else wordKernel().pack(residues, bytes);
  return bytes;
}

/**
 * @throws ProtocolError `invalid-length` unless exactly the bytes for `length` values are given;
 * `non-canonical` for a value of R or more, or a bit set behind the last value.
 */
export function unpackResidues(bytes: Uint8Array, modulus: bigint, length: number): Residues {
  checkPacked(bytes, modulus, length);
  const residues = zeroResidues(modulus, length);
  refuseAt(
    residues.lane === 'wide' ? unpackWide(bytes, residues) : wordKernel().unpack(bytes, residues),
  );
  return residues;
}

/**
 * target += the packed vector (mod R), without a vector in between.
 * @throws ProtocolError as `unpackResidues`; `target` is then as it was.
 */
export function addPacked(target: Residues, bytes: Uint8Array): void {
  const { modulus, values } = target;
  if (target.lane === 'wide') {
    addInPlace(target, unpackResidues(bytes, modulus, values.length));
    return;
  }
  checkPacked(bytes, modulus, values.length);
  refuseAt(wordKernel().addPacked(target, bytes));
}

function checkPacked(bytes: Uint8Array, modulus: bigint, length: number): void {
  const expected = packedLength(modulus, length);
  if (bytes.length !== expected) {
    throw new ProtocolError(
      'invalid-length',
      `${length} values mod ${modulus} take ${expected} bytes, got ${bytes.length}`,
    );
  }
  const unused = 8 * expected - bitsPerValue(modulus) * length;
  if (unused > 0 && bytes[expected - 1]! >>> (8 - unused) !== 0) {
    throw new ProtocolError('non-canonical', 'bits are set behind the last value');
  }
}

function packWide({ modulus, values }: ResiduesWide, bytes: Uint8Array): void {
  const bits = bitsPerValue(modulus);
  const writer = new BitWriter(bytes);
  for (const value of values) {
    let rest = value;
    for (let left = bits; left > 0; left -= 32) {
      writer.write(Number(BigInt.asUintN(32, rest)), Math.min(32, left));
      rest >>= 32n;
    }
  }
  writer.finish();
}

/** The position of the first value of R or more, else -1. */
function unpackWide(bytes: Uint8Array, { modulus, values }: ResiduesWide): number {
  const bits = bitsPerValue(modulus);
  const reader = new BitReader(bytes);
  for (let i = 0; i < values.length; i += 1) {
    let value = 0n;
    for (let done = 0; done < bits; done += 32) {
      value |= BigInt(reader.read(Math.min(32, bits - done))) << BigInt(done);
    }
    if (value >= modulus) return i;
    values[i] = value;
  }
  return -1;
}

function refuseAt(position: number): void {
  if (position < 0) return;
  throw new ProtocolError('non-canonical', `the value at position ${position} is not below R`);
}
