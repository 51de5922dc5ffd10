/**
 * @file Failures as gRPC carries them: a status code and a message, and for peers that know ours the
 * error itself, in the trailing metadata `fedloom-error-bin`.
 */

import { Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { decodeStatus, encodeStatus } from '../../executors/remote/messages/status-codec.ts';
import { type CallStatus, errorOf, statusOf } from '../../executors/remote/status.ts';

/** What a caller is told of an error. */
export function grpcStatusOf(error: unknown): StatusObject {
  const status = statusOf(error);
  const metadata = new Metadata();
  const bytes = headerOf(status);
  if (bytes !== null) metadata.set(ERROR_KEY, bytes);
  return { code: status.code, details: headerText(status.message), metadata };
}

/**
 * The error that a call failed with: one of ours, if the peer sent it and it can be read.
 * @param where names call and peer in the message of an error that is not from a peer of ours.
 */
export function errorOfCall({ code, details, metadata }: StatusObject, where: string): Error {
  const [sent] = metadata?.get(ERROR_KEY) ?? [];
  if (Buffer.isBuffer(sent) && sent.length <= MAX_HEADER_BYTES) {
    const status = decodeStatus(sent);
    // gRPC itself may have had the last word, on a deadline for example.
    if (status.code === code && status.error !== undefined) return errorOf(status);
  }
  return errorOf({ code, message: `${where}: ${details}` });
}

/** Whether this is an error that grpc-js made of the status of a call. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}

/** The error as a header, without its causes if it is too long with them. */
function headerOf({ error, ...status }: CallStatus): Buffer | null {
  if (error === undefined) return null;
  const { cause: _, ...alone } = error;
  for (const each of [error, alone]) {
    const bytes = encodeStatus({ ...status, error: each });
    if (bytes.length <= MAX_HEADER_BYTES) return Buffer.from(bytes);
  }
  return null;
}

/** Half a surrogate pair cannot be in a header: it would be an exception deep in grpc-js. */
function headerText(text: string): string {
  const short = text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)} [cut]`;
  return Buffer.from(short).toString();
}

const ERROR_KEY = 'fedloom-error-bin';

/** Peers in other languages take 8 KiB of metadata; base64 makes it a third more. */
const MAX_HEADER_BYTES = 4_096;
const MAX_TEXT = 1_000;
