/**
 * @file Reads JSON that must have exactly the fields of its format. Errors say where, and quote nothing
 * of a secret: not even `JSON.parse` is let to, which puts a piece of the text into its message.
 */

import { fromHex, toHex } from '../crypto/bytes.ts';
import { ProtocolError } from '../errors.ts';

export interface JsonFormat {
  readonly code: 'malformed-roster' | 'malformed-identity';
  /** What the file is called in errors, and in its field `format`. */
  readonly name: string;
  readonly version: number;
  /** Whether texts may be quoted in errors. */
  readonly secret: boolean;
}

export type JsonObject = { readonly [key: string]: unknown };

/**
 * The content of an object that names its format and version, and has these fields besides.
 * @throws ProtocolError with the code of the format.
 */
export function readFormat(
  text: string,
  format: JsonFormat,
  fields: readonly string[],
): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = format.secret || !(cause instanceof Error) ? '' : `: ${cause.message}`;
    throw malformed(format, `it is no JSON${why}`);
  }
  const object = readObject(value, format, 'the file', ['format', 'version', ...fields]);
  if (object.format !== format.name) {
    throw malformed(format, `its "format" is not "${format.name}"`);
  }
  if (object.version !== format.version) {
    throw malformed(format, `its "version" is not ${format.version}, the one that is known here`);
  }
  return object;
}

/** An object with exactly these fields. */
export function readObject(
  value: unknown,
  format: JsonFormat,
  where: string,
  fields: readonly string[],
): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(format, `${where} is no object`);
  }
  const missing = fields.find((field) => !Object.hasOwn(value, field));
  if (missing !== undefined) throw malformed(format, `${where} has no field "${missing}"`);
  const surplus = Object.keys(value).find((field) => !fields.includes(field));
  if (surplus !== undefined) {
    const named = format.secret ? '' : ` "${surplus}"`;
    throw malformed(format, `${where} has a field${named} that is not known`);
  }
  return value as JsonObject;
}

export function readText(value: unknown, format: JsonFormat, where: string): string {
  if (typeof value === 'string') return value;
  throw malformed(format, `${where} is no text`);
}

/** A key of 32 bytes: 64 hexadecimal digits, or base64 with its padding. */
export function readKey(value: unknown, format: JsonFormat, where: string): Uint8Array {
  const text = readText(value, format, where);
  if (/^[0-9a-f]{64}$/i.test(text)) return fromHex(text);
  if (/^[A-Za-z0-9+/]{43}=$/.test(text)) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    // The last digit has two bits that say nothing; one key has one encoding.
    if (btoa(String.fromCharCode(...bytes)) === text) return bytes;
  }
  throw malformed(
    format,
    `${where} is no key of 32 bytes in 64 hexadecimal digits, or in base64 with its padding`,
  );
}

export function writeFormat({ name, version }: JsonFormat, fields: JsonObject): string {
  return `${JSON.stringify({ format: name, version, ...fields }, null, 2)}\n`;
}

/** As it is written. */
export function keyText(key: Uint8Array): string {
  return toHex(key);
}

export function malformed({ code, name }: JsonFormat, problem: string): ProtocolError {
  return new ProtocolError(code, `this is no ${name}: ${problem}`);
}
