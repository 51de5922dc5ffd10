/**
 * @file Services that protobuf-es describes, on grpc-js: handlers and calls typed by the descriptor,
 * without generated stubs.
 */

import {
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type {
  Client,
  ClientDuplexStream,
  Metadata,
  MethodDefinition,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServiceError,
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

/** What serves each method. What a unary handler throws is the status of its call. */
export type Handlers<S extends DescService> = {
  readonly [M in keyof S['method']]: Handler<S['method'][M]>;
};

type Handler<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? (request: MessageShape<M['input']>, served: ServedCall) => Promise<MessageShape<M['output']>>
  : M['methodKind'] extends 'bidi_streaming'
    ? (stream: ServerDuplexStream<MessageShape<M['input']>, MessageShape<M['output']>>) => void
    : never;

/** Serves a service; each of its methods is unary or streams both ways. */
export function serveService<S extends DescService>(
  server: Server,
  service: S,
  handlers: Handlers<S>,
): void {
  for (const method of service.methods) {
    // The names of the handlers are those of the descriptor.
    const handler = handlers[method.localName as keyof S['method']] as (
      request: unknown,
      served?: ServedCall,
    ) => Promise<unknown>;
    const path = pathOf(method);
    if (method.methodKind === 'unary') {
      // Decoded by us, so that bytes that are no message are the caller's fault and not INTERNAL.
      server.register(path, unaryHandler(method, handler), same, same, 'unary');
    } else {
      const { responseSerialize, requestDeserialize } = definitionOf(method);
      server.register(path, handler, responseSerialize, requestDeserialize, 'bidi');
    }
  }
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
export function callUnary<M extends DescMethod>(
  client: Client,
  method: M,
  request: MessageShape<M['input']>,
  { metadata, signals, timeoutMs }: UnaryCallOptions,
): Promise<MessageShape<M['output']>> {
  const { path, requestSerialize, responseDeserialize } = definitionOf(method);
  return new Promise((resolve, reject) => {
    const aborted = signals.find((signal) => signal.aborted);
    if (aborted !== undefined) {
      reject(aborted.reason);
      return;
    }
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
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
export function callBidi<M extends DescMethod>(
  client: Client,
  method: M,
  metadata: Metadata,
): ClientDuplexStream<MessageShape<M['input']>, MessageShape<M['output']>> {
  const { path, requestSerialize, responseDeserialize } = definitionOf(method);
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
}

/** Names a method on the wire. */
export function pathOf({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

function unaryHandler(
  { name, input, output }: DescMethod,
  handle: (request: unknown, served: ServedCall) => Promise<unknown>,
) {
  return (
    call: ServerUnaryCall<Buffer, Buffer>,
    respond: (error: ReturnType<typeof grpcStatusOf> | null, response?: Buffer) => void,
  ): void => {
    const caller = new AbortController();
    call.on('cancelled', () => {
      caller.abort(transportError('transport.cancelled', `The caller of ${name} went away.`));
    });
    serve().then(
      (response) => respond(null, response),
      (error: unknown) => respond(grpcStatusOf(error)),
    );

    async function serve(): Promise<Buffer> {
      const request = decodeRequest(input, call.request, name);
      const response = await handle(request, { signal: caller.signal, call });
      return asBuffer(toBinary(output, response as MessageShape<typeof output>));
    }
  };
}

function decodeRequest<D extends DescMethod['input']>(
  schema: D,
  bytes: Buffer,
  name: string,
): MessageShape<D> {
  try {
    return fromBinary(schema, bytes, READING);
  } catch (cause) {
    throw transportError(
      'transport.invalid_argument',
      `The request of ${name} is no ${schema.typeName}: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}

function definitionOf<M extends DescMethod>(
  method: M,
): MethodDefinition<MessageShape<M['input']>, MessageShape<M['output']>> {
  const { input, output, methodKind } = method;
  return {
    path: pathOf(method),
    requestStream: methodKind !== 'unary',
    responseStream: methodKind !== 'unary',
    requestSerialize: (message) => asBuffer(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes, READING) as MessageShape<M['input']>,
    responseSerialize: (message) => asBuffer(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes, READING) as MessageShape<M['output']>,
  };
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

/** Deep enough for long chains of building blocks, and far from the end of the stack. */
const READING = { recursionLimit: 1_000, readUnknownFields: false };
