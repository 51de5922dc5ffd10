/**
 * @file Requests and responses as bytes. What many executors get is encoded once: the bytes of a value
 * that was marked as shared are kept as long as its message.
 */

import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import {
  type CreateValueRequest,
  CreateValueRequestSchema,
  ExecutorGroup,
  type Value as ValueMessage,
  ValueSchema,
} from '../../computations/wire/index.ts';
import type { ExecutorMethod, ExecutorRequest, ExecutorResponse } from './calls.ts';
import { transportError } from './status.ts';

export interface MessageLimits {
  /** The longest message that is read. */
  readonly maxBytes: number;
  /** How deep messages may be nested. @default 500 */
  readonly maxDepth?: number;
}

/** The method of that name; nothing else that an object has. */
export function isExecutorMethod(name: string): name is ExecutorMethod {
  return Object.hasOwn(ExecutorGroup.method, name);
}

export function encodeRequest<M extends ExecutorMethod>(
  method: M,
  request: ExecutorRequest<M>,
): Uint8Array {
  if (method === 'createValue') {
    const { value, executor } = request as CreateValueRequest;
    const bytes = value === undefined ? undefined : sharedBytes(value);
    if (bytes !== undefined) {
      return concat([
        ...delimited(CreateValueRequestSchema.field.value.number, bytes),
        toBinary(CreateValueRequestSchema, {
          $typeName: CreateValueRequestSchema.typeName,
          ...(executor !== undefined && { executor }),
        }),
      ]);
    }
  }
  const schema: DescMessage = ExecutorGroup.method[method].input;
  return toBinary(schema, request);
}

/** @throws TransportError `transport.resource_exhausted`, `transport.invalid_argument` */
export function decodeRequest<M extends ExecutorMethod>(
  method: M,
  bytes: Uint8Array,
  limits: MessageLimits,
): ExecutorRequest<M> {
  const schema: DescMessage = ExecutorGroup.method[method].input;
  return decode(schema, bytes, limits, 'transport.invalid_argument') as ExecutorRequest<M>;
}

export function encodeResponse<M extends ExecutorMethod>(
  method: M,
  response: ExecutorResponse<M>,
): Uint8Array {
  const schema: DescMessage = ExecutorGroup.method[method].output;
  return toBinary(schema, response);
}

/** @throws TransportError `transport.resource_exhausted`, `transport.internal` */
export function decodeResponse<M extends ExecutorMethod>(
  method: M,
  bytes: Uint8Array,
  limits: MessageLimits,
): ExecutorResponse<M> {
  const schema: DescMessage = ExecutorGroup.method[method].output;
  return decode(schema, bytes, limits, 'transport.internal') as ExecutorResponse<M>;
}

/** Keeps the bytes of this message when it is encoded first; it must not change from then on. */
export function shareEncoding(value: ValueMessage): void {
  if (!shared.has(value)) shared.set(value, null);
}

function sharedBytes(value: ValueMessage): Uint8Array | undefined {
  const known = shared.get(value);
  if (known !== null) return known;
  const bytes = toBinary(ValueSchema, value);
  shared.set(value, bytes);
  return bytes;
}

const shared = new WeakMap<ValueMessage, Uint8Array | null>();

function decode<S extends DescMessage>(
  schema: S,
  bytes: Uint8Array,
  { maxBytes, maxDepth = 500 }: MessageLimits,
  code: 'transport.invalid_argument' | 'transport.internal',
): MessageShape<S> {
  requireSize(bytes.length, maxBytes);
  try {
    return fromBinary(schema, bytes, { recursionLimit: maxDepth, readUnknownFields: false });
  } catch (cause) {
    throw transportError(code, `The bytes are no ${schema.typeName}: ${String(cause)}.`, cause);
  }
}

/** @throws TransportError `transport.resource_exhausted` */
export function requireSize(bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return;
  throw transportError(
    'transport.resource_exhausted',
    `A message has ${bytes} bytes; at most ${maxBytes} are taken.`,
  );
}

/** The tag and the length of a field, and its bytes (wire type 2). */
function delimited(field: number, bytes: Uint8Array): readonly Uint8Array[] {
  return [Uint8Array.of((field << 3) | 2, ...varint(bytes.length)), bytes];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
