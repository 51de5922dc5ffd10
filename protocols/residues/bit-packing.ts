/**
 * @file Residues on the wire: ceil(log2 R) bits a value, least significant bit first, the last byte
 * filled up with zeros. One vector has one encoding, and anything else is refused.
 */

import { ProtocolError } from '../errors.ts';
import { bitsPerValue, type Residues, zeroResidues } from './residues.ts';

/** Bytes that `length` values modulo `modulus` take. */
export function packedLength(modulus: bigint, length: number): number {
  return Math.ceil((bitsPerValue(modulus) * length) / 8);
}

export function packResidues(residues: Residues): Uint8Array {
  const bits = bitsPerValue(residues.modulus);
  const bytes = new Uint8Array(packedLength(residues.modulus, residues.values.length));
  if (residues.lane === 'u32' && bits === 32) {
    const view = new DataView(bytes.buffer);
    residues.values.forEach((value, i) => {
      view.setUint32(4 * i, value, true);
    });
    return bytes;
  }
  const cursor = new BitCursor(bytes);
  if (residues.lane === 'u32') {
    for (const value of residues.values) cursor.write(value, bits);
    return bytes;
  }
  for (const value of residues.values) {
    let rest = value;
    for (let left = bits; left > 0; left -= 32) {
      cursor.write(Number(BigInt.asUintN(32, rest)), Math.min(32, left));
      rest >>= 32n;
    }
  }
  return bytes;
}

/**
 * @throws ProtocolError `invalid-length` unless exactly the bytes for `length` values are given;
 * `non-canonical` for a value of R or more, or a bit set behind the last value.
 */
export function unpackResidues(bytes: Uint8Array, modulus: bigint, length: number): Residues {
  const expected = packedLength(modulus, length);
  if (bytes.length !== expected) {
    throw new ProtocolError(
      'invalid-length',
      `${length} values mod ${modulus} take ${expected} bytes, got ${bytes.length}`,
    );
  }
  const residues = zeroResidues(modulus, length);
  const bits = bitsPerValue(modulus);
  const cursor = new BitCursor(bytes);
  if (residues.lane === 'u32') {
    const limit = Number(modulus);
    for (let i = 0; i < length; i += 1) {
      const value = cursor.read(bits);
      if (value >= limit) throw notCanonical(i);
      residues.values[i] = value;
    }
  } else {
    for (let i = 0; i < length; i += 1) {
      let value = 0n;
      for (let done = 0; done < bits; done += 32) {
        value |= BigInt(cursor.read(Math.min(32, bits - done))) << BigInt(done);
      }
      if (value >= modulus) throw notCanonical(i);
      residues.values[i] = value;
    }
  }
  if (!cursor.restIsZero()) {
    throw new ProtocolError('non-canonical', 'bits are set behind the last value');
  }
  return residues;
}

/** Walks over bytes by bits, up to 32 at a time. */
class BitCursor {
  readonly #bytes: Uint8Array;
  #position = 0;
  /** Bits of the current byte that are used. */
  #used = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  write(value: number, bits: number): void {
    let rest = value >>> 0;
    let left = bits;
    while (left > 0) {
      const taken = Math.min(8 - this.#used, left);
      this.#bytes[this.#position]! |= (rest & ((1 << taken) - 1)) << this.#used;
      rest >>>= taken;
      left -= taken;
      this.#advance(taken);
    }
  }

  read(bits: number): number {
    let value = 0;
    let done = 0;
    while (done < bits) {
      const taken = Math.min(8 - this.#used, bits - done);
      const part = (this.#bytes[this.#position]! >>> this.#used) & ((1 << taken) - 1);
      value |= part << done;
      done += taken;
      this.#advance(taken);
    }
    return value >>> 0;
  }

  restIsZero(): boolean {
    return this.#used === 0 || this.#bytes[this.#position]! >>> this.#used === 0;
  }

  #advance(bits: number): void {
    this.#used += bits;
    if (this.#used === 8) {
      this.#used = 0;
      this.#position += 1;
    }
  }
}

function notCanonical(position: number): ProtocolError {
  return new ProtocolError('non-canonical', `the value at position ${position} is not below R`);
}
