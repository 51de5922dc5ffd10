/** @file The errors for bytes that are no valid message, or too much, and the helpers that raise them. */

import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { GraphError, type Type } from '../types/index.ts';
import { MAX_PARTS, partsOfMessage } from './message-budget.ts';

/** @returns GraphError `graph.decode`. */
export function decodeFault(problem: string, cause?: unknown): GraphError {
  return new GraphError('graph.decode', `The message cannot be decoded: ${problem}.`, { cause });
}

/**
 * The message that bytes stand for. Fields that are not known are dropped.
 * @param maxDepth how deep messages may be nested.
 * @throws GraphError `graph.decode`; `graph.too_large` for what would take very much memory.
 */
export function parseMessage<S extends DescMessage>(
  schema: S,
  bytes: Uint8Array,
  maxDepth: number,
): MessageShape<S> {
  if (partsOfMessage(schema, bytes) > MAX_PARTS) {
    throw tooLarge(`it has more than ${MAX_PARTS} parts`);
  }
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

/** @returns GraphError `graph.too_large`. */
export function tooLarge(problem: string): GraphError {
  return new GraphError('graph.too_large', `The message is not read: ${problem}.`);
}

/** Tensors and structs of a value of the type, itself included. */
export function nodesOf(type: Type): number {
  if (type.kind !== 'struct') return 1;
  return type.elements.reduce((sum, { type: inner }) => sum + nodesOf(inner), 1);
}

/**
 * Counted before anything is made: structs without tensors take no bytes in an element of a sequence.
 * @throws GraphError `graph.too_large`.
 */
export function requireFewNodes(nodes: number, most: number): void {
  if (nodes > most) throw tooLarge(`a value has more than ${most} parts (maxNodes)`);
}

/** The most parts of a value that is read, unless told otherwise. */
export const MAX_NODES = 2 ** 22;
