/**
 * @file Requests and responses as bytes. What many executors get is encoded once: the bytes of a value
 * that was marked as shared are kept as long as its message.
 */

import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import {
  type ComputeResponse,
  ComputeResponseSchema,
  type CreateValueRequest,
  CreateValueRequestSchema,
  ExecutorGroup,
  encodeField,
  encodeValueMessage,
  joinPieces,
  MAX_PARTS,
  type Pieces,
  partsOfMessage,
  piecesOf,
  type Value as ValueMessage,
} from '../../../computations/wire/index.ts';
import type { ExecutorMethod, ExecutorRequest, ExecutorResponse } from '../calls.ts';
import { transportError } from '../status.ts';

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
  return joinPieces(requestPieces(method, request));
}

/**
 * The same bytes in pieces, of which those of large tensors show the memory of the tensor: for
 * transports that send a message bit by bit.
 */
export function requestPieces<M extends ExecutorMethod>(
  method: M,
  request: ExecutorRequest<M>,
): Pieces {
  if (method === 'createValue') {
    const { value, executor } = request as CreateValueRequest;
    const { field, typeName } = CreateValueRequestSchema;
    if (value !== undefined) {
      return piecesOf(
        encodeField(field.value, encodeOnce(value)),
        toBinary(CreateValueRequestSchema, {
          $typeName: typeName,
          ...(executor !== undefined && { executor }),
        }),
      );
    }
  }
  const schema: DescMessage = ExecutorGroup.method[method].input;
  return piecesOf(toBinary(schema, request));
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
  return joinPieces(responsePieces(method, response));
}

/** See `requestPieces`. */
export function responsePieces<M extends ExecutorMethod>(
  method: M,
  response: ExecutorResponse<M>,
): Pieces {
  if (method === 'compute') {
    const { value } = response as ComputeResponse;
    const { field } = ComputeResponseSchema;
    return value === undefined ? piecesOf() : encodeField(field.value, encodeOnce(value));
  }
  const schema: DescMessage = ExecutorGroup.method[method].output;
  return piecesOf(toBinary(schema, response));
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

function encodeOnce(value: ValueMessage): Pieces {
  const known = shared.get(value);
  if (known) return known;
  const pieces = encodeValueMessage(value);
  if (known === null) shared.set(value, pieces);
  return pieces;
}

const shared = new WeakMap<ValueMessage, Pieces | null>();

function decode<S extends DescMessage>(
  schema: S,
  bytes: Uint8Array,
  { maxBytes, maxDepth = 500 }: MessageLimits,
  code: 'transport.invalid_argument' | 'transport.internal',
): MessageShape<S> {
  requireSize(bytes.length, maxBytes);
  requireFewParts(schema, bytes);
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

/** @throws TransportError `transport.resource_exhausted` for few bytes that would take very much memory. */
export function requireFewParts(schema: DescMessage, bytes: Uint8Array): void {
  if (partsOfMessage(schema, bytes) <= MAX_PARTS) return;
  throw transportError(
    'transport.resource_exhausted',
    `A message has more than ${MAX_PARTS} parts, as many as are taken.`,
  );
}
