/** @file Batches as bytes; see batch.proto and message-codec.ts. */

import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import {
  type BatchRequest,
  BatchRequestSchema,
  type BatchResponse,
  BatchResponseSchema,
} from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import {
  encodeField,
  encodeValueMessage,
  type Pieces,
  piecesOf,
  type Value as ValueMessage,
  ValueSchema,
} from '../../../computations/wire/index.ts';
import { transportError } from '../status.ts';
import { type MessageLimits, requireFewParts, requireSize } from './message-codec.ts';

export function batchRequestPieces(request: BatchRequest): Pieces {
  return piecesOf(toBinary(BatchRequestSchema, request));
}

/** @throws TransportError `transport.resource_exhausted`, `transport.invalid_argument` */
export function decodeBatchRequest(bytes: Uint8Array, limits: MessageLimits): BatchRequest {
  requireSize(bytes.length, limits.maxBytes);
  return parsed(BatchRequestSchema, bytes, 'transport.invalid_argument');
}

/** What is read may be large: it is not copied. */
export function batchResponsePieces({ value, ...rest }: BatchResponse): Pieces {
  const made = toBinary(BatchResponseSchema, rest);
  if (value === undefined) return piecesOf(made);
  return piecesOf(made, encodeField(BatchResponseSchema.field.value, encodeValueMessage(value)));
}

/** @throws TransportError `transport.resource_exhausted`, `transport.internal` */
export function decodeBatchResponse(bytes: Uint8Array, limits: MessageLimits): BatchResponse {
  requireSize(bytes.length, limits.maxBytes);
  return parsed(BatchResponseSchema, bytes, 'transport.internal');
}

/** The value of a step. @throws TransportError `transport.invalid_argument` */
export function decodeStepValue(bytes: Uint8Array): ValueMessage {
  return parsed(ValueSchema, bytes, 'transport.invalid_argument');
}

function parsed<S extends DescMessage>(
  schema: S,
  bytes: Uint8Array,
  code: 'transport.invalid_argument' | 'transport.internal',
): MessageShape<S> {
  requireFewParts(schema, bytes);
  try {
    return fromBinary(schema, bytes, OPTIONS);
  } catch (cause) {
    throw transportError(code, `A batch cannot be decoded: ${String(cause)}.`, cause);
  }
}

/** As deep as any message may be nested. */
const OPTIONS = { recursionLimit: 500, readUnknownFields: false };
