/**
 * @file Methods that protobuf-es describes, on grpc-js without generated stubs: unary ones on bytes,
 * which the executors' own codec makes and reads, and streams of messages with a codec of their own.
 */

import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodUnary,
} from '@bufbuild/protobuf';
import type {
  Client,
  ClientDuplexStream,
  Metadata,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServiceError,
  StatusObject,
} from '@grpc/grpc-js';
import { onAbort } from '../../executors/interruption.ts';
import { transportError } from '../../executors/remote/status.ts';
import { grpcStatusOf } from './grpc-status.node.ts';

/** What a handler knows of a call beside its request. */
export interface ServedCall {
  /** Aborted when the caller goes away, cancels, or its deadline passes. */
  readonly signal: AbortSignal;
  readonly call: ServerUnaryCall<Buffer, Buffer>;
}

/** @param handle makes the response of a request; what it throws is the status of the call. */
export function serveUnary(
  server: Server,
  method: DescMethodUnary,
  handle: (request: Uint8Array, served: ServedCall) => Promise<Uint8Array>,
): void {
  const serve = async (call: ServerUnaryCall<Buffer, Buffer>): Promise<Buffer> => {
    const caller = new AbortController();
    call.on('cancelled', () => {
      caller.abort(
        transportError('transport.cancelled', `The caller of ${method.name} went away.`),
      );
    });
    return asBuffer(await handle(call.request, { signal: caller.signal, call }));
  };
  server.register<Buffer, Buffer>(
    pathOf(method),
    (
      call: ServerUnaryCall<Buffer, Buffer>,
      respond: (error: StatusObject | null, response?: Buffer) => void,
    ) => {
      serve(call).then(
        (response) => respond(null, response),
        (error: unknown) => respond(grpcStatusOf(error)),
      );
    },
    same,
    same,
    'unary',
  );
}

/** How the messages of a stream are bytes, which are the same in both directions. */
export interface MessageCodec<T> {
  encode(message: T): Buffer;
  /** @throws Error for bytes that are no such message. */
  decode(bytes: Buffer): T;
}

export function serveBidi<T>(
  server: Server,
  method: DescMethodBiDiStreaming<DescMessage, DescMessage>,
  { encode, decode }: MessageCodec<T>,
  handle: (stream: ServerDuplexStream<T, T>) => void,
): void {
  server.register<T, T>(pathOf(method), handle, encode, decode, 'bidi');
}

export interface UnaryCallOptions {
  readonly metadata: Metadata;
  /** Any of them ends the call. */
  readonly signals: readonly AbortSignal[];
  readonly timeoutMs: number;
}

/**
 * Calls a unary method.
 * @throws the reason of a signal, or a ServiceError of grpc-js.
 */
export function callUnary(
  client: Client,
  method: DescMethodUnary,
  request: Uint8Array,
  { metadata, signals, timeoutMs }: UnaryCallOptions,
): Promise<Uint8Array> {
  const path = pathOf(method);
  return new Promise((resolve, reject) => {
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted !== undefined) {
      reject(aborted.reason);
      return;
    }
    const call = client.makeUnaryRequest(
      path,
      asBuffer,
      same,
      request,
      metadata,
      { deadline: Date.now() + timeoutMs },
      (error: ServiceError | null, response) => {
        for (const stop of stops) stop();
        if (response !== undefined && error === null) resolve(response);
        else reject(error ?? transportError('transport.internal', `${path} has no response.`));
      },
    );
    const stops = signals.map((signal) =>
      onAbort(signal, () => {
        reject(signal.reason);
        call.cancel();
      }),
    );
  });
}

/** Begins a call that streams both ways. It has no deadline: whoever uses it watches over it. */
export function callBidi<T>(
  client: Client,
  method: DescMethodBiDiStreaming<DescMessage, DescMessage>,
  { encode, decode }: MessageCodec<T>,
  metadata: Metadata,
): ClientDuplexStream<T, T> {
  return client.makeBidiStreamRequest(pathOf(method), encode, decode, metadata);
}

/** Names a method on the wire. */
export function pathOf({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function same(bytes: Buffer): Buffer {
  return bytes;
}
