/**
 * @file Plain data with secrets in it as bytes, and back: for states that outlive a process. What
 * comes back has the shape of what went in; who reads it checks what it means.
 */

import { SecretBytes } from '../crypto/secret.ts';
import { ProtocolError } from '../errors.ts';
import { ByteReader, malformed } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

export type Plain =
  | undefined
  | boolean
  | number
  | string
  | Uint8Array
  | SecretBytes
  | readonly Plain[]
  | { readonly [key: string]: Plain };

const UNDEFINED = 0;
const FALSE = 1;
const TRUE = 2;
const NUMBER = 3;
const TEXT = 4;
const BYTES = 5;
const SECRET = 6;
const LIST = 7;
const RECORD = 8;

/** @throws ProtocolError `invalid-argument` for what is no plain data. */
export function encodePlain(value: Plain): Uint8Array {
  const writer = new ByteWriter();
  write(writer, value);
  return writer.finish();
}

/** @throws ProtocolError `malformed-message` */
export function decodePlain(bytes: Uint8Array): Plain {
  const reader = new ByteReader(bytes);
  const value = read(reader, 0);
  reader.end();
  return value;
}

function write(writer: ByteWriter, value: Plain): void {
  if (value === undefined) writer.uint8(UNDEFINED);
  else if (typeof value === 'boolean') writer.uint8(value ? TRUE : FALSE);
  else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || value < 0) throw notPlain(`the number ${value}`);
    writer.uint8(NUMBER).uint64(BigInt(value));
  } else if (typeof value === 'string') writer.uint8(TEXT).text(value);
  else if (value instanceof Uint8Array) writer.uint8(BYTES).bytes(value);
  else if (value instanceof SecretBytes) writer.uint8(SECRET).bytes(value.reveal());
  else if (Array.isArray(value)) {
    writer.uint8(LIST).uint32(value.length);
    for (const item of value) write(writer, item);
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    const entries = Object.entries(value);
    writer.uint8(RECORD).uint32(entries.length);
    for (const [key, item] of entries) write(writer.text(key), item);
  } else throw notPlain('an object of a class');
}

function read(reader: ByteReader, depth: number): Plain {
  if (depth > DEPTH_LIMIT) throw malformed(`data is nested deeper than ${DEPTH_LIMIT}`);
  const kind = reader.uint8();
  switch (kind) {
    case UNDEFINED:
      return undefined;
    case FALSE:
    case TRUE:
      return kind === TRUE;
    case NUMBER: {
      const number = Number(reader.uint64());
      if (!Number.isSafeInteger(number)) throw malformed('a number exceeds 2^53');
      return number;
    }
    case TEXT:
      return reader.text(reader.remaining);
    case BYTES:
      return reader.bytes(reader.remaining);
    case SECRET:
      return new SecretBytes(reader.bytes(reader.remaining));
    case LIST: {
      const count = reader.count(reader.remaining, 1);
      return Array.from({ length: count }, () => read(reader, depth + 1));
    }
    case RECORD: {
      const count = reader.count(reader.remaining, 5);
      const entries = Array.from({ length: count }, (): [string, Plain] => [
        reader.text(reader.remaining),
        read(reader, depth + 1),
      ]);
      return Object.fromEntries(entries);
    }
    default:
      throw malformed(`no kind of data has the number ${kind}`);
  }
}

function notPlain(what: string): ProtocolError {
  return new ProtocolError('invalid-argument', `${what} cannot be kept as plain data`);
}

const DEPTH_LIMIT = 16;
