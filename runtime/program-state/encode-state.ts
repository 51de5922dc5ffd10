/**
 * @file Plain data as bytes and back, exactly. Each value is a tag and its content: numbers as
 * float64, tensors in the wire encoding of this package with raw elements. Little-endian.
 */

import { TensorValue, ValueError } from '../../computations/types/index.ts';
import { decodeTensor, encodeTensor } from '../../computations/wire/index.ts';

/**
 * The bytes of a state, in pieces: the elements of large tensors are not copied together.
 * @throws ValueError `value.wrong_type` naming the part that is no plain data.
 */
export function encodeState(state: unknown): readonly Uint8Array[] {
  const out: Uint8Array[] = [];
  write(state, 'The state', 0, out);
  return out;
}

/** @throws RangeError if the bytes are no state, or go on behind it. */
export function decodeState(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const state = read(reader, 0);
  if (!reader.done) throw new RangeError('there are bytes behind the state');
  return state;
}

const TAG = {
  null: 0,
  false: 1,
  true: 2,
  number: 3,
  bigint: 4,
  string: 5,
  tensor: 6,
  array: 7,
  object: 8,
} as const;

// Deeper than any sensible state, shallow enough for every stack.
const MAX_DEPTH = 200;

function write(value: unknown, what: string, depth: number, out: Uint8Array[]): void {
  if (depth > MAX_DEPTH) {
    throw new ValueError('value.wrong_type', `${what} is nested more than ${MAX_DEPTH} deep.`);
  }
  if (value === null) out.push(Uint8Array.of(TAG.null));
  else if (typeof value === 'boolean') out.push(Uint8Array.of(value ? TAG.true : TAG.false));
  else if (typeof value === 'number') out.push(Uint8Array.of(TAG.number), float64(value));
  else if (typeof value === 'bigint') out.push(Uint8Array.of(TAG.bigint), ...text(String(value)));
  else if (typeof value === 'string') {
    requireText(value, what);
    out.push(Uint8Array.of(TAG.string), ...text(value));
  } else if (value instanceof TensorValue) {
    const bytes = encodeTensor(value);
    out.push(Uint8Array.of(TAG.tensor), uint32(bytes.length), bytes);
  } else if (Array.isArray(value)) {
    out.push(Uint8Array.of(TAG.array), uint32(value.length));
    for (let i = 0; i < value.length; i++) write(value[i], `${what}[${i}]`, depth + 1, out);
  } else if (isPlainObject(value)) {
    const members = Object.entries(value);
    out.push(Uint8Array.of(TAG.object), uint32(members.length));
    for (const [key, member] of members) {
      requireText(key, `A key of ${what}`);
      out.push(...text(key));
      write(member, `${what}.${key}`, depth + 1, out);
    }
  } else {
    throw new ValueError(
      'value.wrong_type',
      `${what} must be plain data (numbers, bigints, booleans, strings, null, TensorValues, arrays and plain objects of these); got ${describe(value)}.`,
    );
  }
}

function read(reader: Reader, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new RangeError('the state is nested too deep');
  const tag = reader.byte();
  switch (tag) {
    case TAG.null:
      return null;
    case TAG.false:
      return false;
    case TAG.true:
      return true;
    case TAG.number:
      return reader.float64();
    case TAG.bigint:
      return toBigInt(reader.text());
    case TAG.string:
      return reader.text();
    case TAG.tensor: {
      const bytes = reader.bytes(reader.uint32());
      return decodeTensor(bytes, { maxBytes: bytes.length });
    }
    case TAG.array: {
      const members: unknown[] = [];
      for (let left = reader.uint32(); left > 0; left--) members.push(read(reader, depth + 1));
      return members;
    }
    case TAG.object: {
      const members: [string, unknown][] = [];
      for (let left = reader.uint32(); left > 0; left--) {
        members.push([reader.text(), read(reader, depth + 1)]);
      }
      return Object.fromEntries(members);
    }
    default:
      throw new RangeError(`there is no kind of value ${tag}`);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  bytes(count: number): Uint8Array {
    const start = this.#take(count);
    return this.#bytes.subarray(start, start + count);
  }

  byte(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  text(): string {
    return decoder.decode(this.bytes(this.uint32()));
  }

  #take(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.length) throw new RangeError('the state ends too early');
    this.#at += count;
    return start;
  }
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function float64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return bytes;
}

function text(value: string): readonly Uint8Array[] {
  const bytes = encoder.encode(value);
  return [uint32(bytes.length), bytes];
}

function toBigInt(digits: string): bigint {
  if (!/^-?\d+$/.test(digits)) throw new RangeError('an integer has other characters than digits');
  return BigInt(digits);
}

function requireText(value: string, what: string): void {
  if (decoder.decode(encoder.encode(value)) === value) return;
  throw new ValueError(
    'value.wrong_type',
    `${what} has half a surrogate pair, which is no text and cannot be kept exactly.`,
  );
}

function isPlainObject(value: unknown): value is { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value;
  return `an object of class ${value.constructor?.name ?? '(none)'}`;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
