/**
 * @file Failures as gRPC carries them: a status code and a message, and for peers that know ours the
 * error itself, as JSON in the trailing metadata `fedloom-error-bin`.
 */

import { Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import type { ClonedError } from '../../executors/cloned-error.ts';
import { errorOf, statusOf } from '../../executors/remote/status.ts';

/** What a caller is told of an error. */
export function grpcStatusOf(error: unknown): StatusObject {
  const { code, message, error: cloned } = statusOf(error);
  const metadata = new Metadata();
  const details = cloned === undefined ? null : encodeError(cloned);
  if (details !== null) metadata.set(ERROR_KEY, details);
  return { code, details: shortened(message, MAX_MESSAGE), metadata };
}

/**
 * The error that a call failed with: one of ours, if the peer sent it and it can be read.
 * @param where names call and peer in the message of an error that is not from a peer of ours.
 */
export function errorOfCall({ code, details, metadata }: StatusObject, where: string): Error {
  const [sent] = metadata?.get(ERROR_KEY) ?? [];
  const error = Buffer.isBuffer(sent) ? decodeError(sent) : undefined;
  if (error !== undefined) return errorOf({ code, message: details, error });
  return errorOf({ code, message: `${where}: ${details}` });
}

/** Whether this is an error that grpc-js made of the status of a call. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}

/** Causes are left out from the innermost on until it is small enough for a header. */
function encodeError(error: ClonedError): Buffer | null {
  for (let causes = MAX_CAUSES; causes >= 0; causes--) {
    const json = JSON.stringify(withCauses(error, causes));
    const bytes = Buffer.from(json);
    if (bytes.length <= MAX_BYTES) return bytes;
  }
  return null;
}

function withCauses({ cause, message, ...error }: ClonedError, causes: number): ClonedError {
  return {
    ...error,
    message: shortened(message, MAX_MESSAGE),
    ...(cause !== undefined && causes > 0 && { cause: withCauses(cause, causes - 1) }),
  };
}

function decodeError(bytes: Buffer): ClonedError | undefined {
  if (bytes.length > MAX_BYTES) return undefined;
  try {
    return clonedErrorOf(JSON.parse(bytes.toString()), MAX_CAUSES);
  } catch {
    return undefined;
  }
}

/** Reads what a peer sent field by field: it may be anything. */
function clonedErrorOf(sent: unknown, causes: number): ClonedError | undefined {
  if (typeof sent !== 'object' || sent === null) return undefined;
  const { name, message, code, details, cause } = sent as { readonly [field: string]: unknown };
  if (typeof name !== 'string' || typeof message !== 'string') return undefined;
  const inner = causes > 0 ? clonedErrorOf(cause, causes - 1) : undefined;
  return {
    name,
    message,
    ...(typeof code === 'string' && { code }),
    ...(typeof details === 'object' && details !== null && { details: stringsOf(details) }),
    ...(inner !== undefined && { cause: inner }),
  };
}

function stringsOf(details: object): { readonly [field: string]: string } {
  const entries = Object.entries(details).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(entries);
}

/** Half a surrogate pair cannot be a header, and would be an exception deep in grpc-js. */
function shortened(text: string, length: number): string {
  const wellFormed = Buffer.from(text).toString();
  if (wellFormed.length <= length) return wellFormed;
  return Buffer.from(`${wellFormed.slice(0, length)}…`).toString();
}

const ERROR_KEY = 'fedloom-error-bin';

/** Peers in other languages take 8 KiB of metadata; base64 makes it a third more. */
const MAX_BYTES = 4_096;
const MAX_MESSAGE = 1_000;
const MAX_CAUSES = 4;
