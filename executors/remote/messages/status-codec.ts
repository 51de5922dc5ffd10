/**
 * @file The failure of a call as bytes, for transports that carry it themselves: JSON, so that it can
 * be read in a log. What a peer sends is taken apart field by field, and cut to a length that a
 * message or a header holds.
 */

import type { ClonedError } from '../../cloned-error.ts';
import type { CallStatus } from '../status.ts';

/** At most `MAX_STATUS_BYTES` of them. */
export function encodeStatus({ code, message, error }: CallStatus): Uint8Array {
  const short = { code, message: cut(message) };
  const whole = encoder.encode(
    JSON.stringify(error === undefined ? short : { ...short, error: trimmed(error, MAX_CAUSES) }),
  );
  // Without the error, a peer still learns what failed and why.
  return whole.length <= MAX_STATUS_BYTES ? whole : encoder.encode(JSON.stringify(short));
}

/** The status, or one that says that a peer sent none that can be read. */
export function decodeStatus(bytes: Uint8Array): CallStatus {
  const given = bytes.length > MAX_STATUS_BYTES ? null : parse(bytes);
  const code = field(given, 'code');
  const message = field(given, 'message');
  if (typeof code !== 'number' || !Number.isInteger(code) || code < 1 || code > 16)
    return UNREADABLE;
  if (typeof message !== 'string') return UNREADABLE;
  const error = toClonedError(field(given, 'error'), MAX_CAUSES);
  return { code, message: cut(message), ...(error !== undefined && { error }) };
}

/** The longest status that is written or read. */
export const MAX_STATUS_BYTES = 64 * 1024;

function toClonedError(given: unknown, causes: number): ClonedError | undefined {
  const name = text(given, 'name');
  const message = text(given, 'message');
  if (name === undefined || message === undefined) return undefined;
  const code = text(given, 'code');
  const details = field(given, 'details');
  const cause = causes > 0 ? toClonedError(field(given, 'cause'), causes - 1) : undefined;
  return {
    name: name.slice(0, 100),
    message: cut(message),
    ...(code !== undefined && { code: code.slice(0, 200) }),
    ...(typeof details === 'object' && details !== null && { details: texts(details) }),
    ...(cause !== undefined && { cause }),
  };
}

function trimmed(
  { name, message, code, details, cause }: ClonedError,
  causes: number,
): ClonedError {
  return {
    name,
    message: cut(message),
    ...(code !== undefined && { code }),
    ...(details !== undefined && { details: texts(details) }),
    ...(cause !== undefined && causes > 0 && { cause: trimmed(cause, causes - 1) }),
  };
}

function texts(given: object): { readonly [field: string]: string } {
  const entries = Object.entries(given).slice(0, MAX_DETAILS);
  return Object.fromEntries(
    entries.flatMap(([key, value]) => (typeof value === 'string' ? [[key, cut(value)]] : [])),
  );
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return null;
  }
}

function field(given: unknown, name: string): unknown {
  if (typeof given !== 'object' || given === null || !Object.hasOwn(given, name)) return undefined;
  return Reflect.get(given, name);
}

function text(given: unknown, name: string): string | undefined {
  const value = field(given, name);
  return typeof value === 'string' ? value : undefined;
}

function cut(message: string): string {
  return message.length <= MAX_TEXT ? message : `${message.slice(0, MAX_TEXT)} [cut]`;
}

const UNREADABLE: CallStatus = {
  code: 2,
  message: 'The peer reported a failure in a form that is not known here.',
};

const MAX_TEXT = 4_000;
const MAX_CAUSES = 8;
const MAX_DETAILS = 10;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
