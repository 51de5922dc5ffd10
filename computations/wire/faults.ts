/** @file The error for bytes that are no valid message, and the helpers that raise it. */

import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { GraphError } from '../types/index.ts';

/** @returns GraphError `graph.decode`. */
export function decodeFault(problem: string, cause?: unknown): GraphError {
  return new GraphError('graph.decode', `The message cannot be decoded: ${problem}.`, { cause });
}

/**
 * The message that bytes stand for. Fields that are not known are dropped.
 * @param maxDepth how deep messages may be nested.
 * @throws GraphError `graph.decode`.
 */
export function parseMessage<S extends DescMessage>(
  schema: S,
  bytes: Uint8Array,
  maxDepth: number,
): MessageShape<S> {
  try {
    return fromBinary(schema, bytes, { recursionLimit: maxDepth, readUnknownFields: false });
  } catch (cause) {
    throw decodeFault(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** The content of a field that must be set. */
export function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw decodeFault(`${field} is missing`);
  return value;
}

/** A 64-bit integer of the wire as a number. */
export function safeInteger(value: bigint, field: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw decodeFault(`${field} is ${value}, which is out of range`);
  return number;
}

/** The size of a dimension; negative ones are refused. */
export function sizeOf(value: bigint, field: string): number {
  const size = safeInteger(value, field);
  if (size < 0) throw decodeFault(`${field} is ${size}; a size is not negative`);
  return size;
}
