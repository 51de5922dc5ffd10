/** @file Services and channels of a test, on free ports of this machine, and nothing left of them. */

import { create } from '@bufbuild/protobuf';
import {
  Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { expect, vi } from 'vitest';
import {
  GetExecutorRequestSchema,
  GetExecutorResponseSchema,
} from '../../../computations/wire/index.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../../../executors/remote/calls.ts';
import {
  type GrpcCalls,
  type GrpcChannelOptions,
  grpcCalls,
} from '../../../runtime/grpc/grpc-channel.node.ts';
import {
  type GrpcService,
  type ServeGrpcOptions,
  serveGrpc,
} from '../../../runtime/grpc/grpc-server.node.ts';

/** Closes what a test opened, also when it failed. */
export class Opened {
  readonly #closing: (() => Promise<void> | void)[] = [];

  async serve(
    options: Omit<ServeGrpcOptions, 'listen'> & { listen?: string },
  ): Promise<GrpcService> {
    const service = await serveGrpc({ listen: '127.0.0.1:0', ...options });
    this.closeLater(() => service.close(0));
    return service;
  }

  calls(address: string, options: GrpcChannelOptions = {}): GrpcCalls {
    const calls = grpcCalls(address, { maxReconnectMs: 100, ...options });
    this.closeLater(() => calls.close());
    return calls;
  }

  raw(address: string): RawClient {
    const client = new RawClient(address);
    this.closeLater(() => client.close());
    return client;
  }

  closeLater(close: () => Promise<void> | void): void {
    this.#closing.push(close);
  }

  /** @throws if a socket or a listener of the test is left. */
  async close(): Promise<void> {
    for (const close of this.#closing.reverse().splice(0)) await close();
    await vi.waitFor(() => expect(sockets()).toEqual([]), { timeout: 10_000 });
  }
}

/** A gRPC client that knows no messages. */
export class RawClient extends Client {
  constructor(address: string) {
    super(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  }

  unary(path: string, request: Uint8Array, options: { deadline?: number } = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.begin(path, request, options, (error, response) => {
        if (error === null) resolve(response ?? Buffer.alloc(0));
        else reject(error);
      });
    });
  }

  begin(
    path: string,
    request: Uint8Array,
    options: { deadline?: number },
    done: (error: ServiceError | null, response?: Buffer) => void,
  ): ClientUnaryCall {
    const same = (bytes: Buffer): Buffer => bytes;
    const bytes = Buffer.from(request);
    return this.makeUnaryRequest(path, same, same, bytes, new Metadata(), options, done);
  }
}

export interface SeenCall extends CallOptions {
  readonly method: ExecutorMethod;
  readonly request: ExecutorRequest<ExecutorMethod>;
}

/** Calls that one function answers; it is `null` for those that never end. */
export function scriptedCalls(
  answer: (seen: SeenCall) => Promise<ExecutorResponse<ExecutorMethod>> | null,
): ExecutorCalls & { readonly seen: SeenCall[] } {
  const seen: SeenCall[] = [];
  return {
    seen,
    async call<M extends ExecutorMethod>(
      method: M,
      request: ExecutorRequest<M>,
      options: CallOptions,
    ): Promise<ExecutorResponse<M>> {
      const call = { method, request, ...options };
      seen.push(call);
      const answered = answer(call) ?? untilAborted(options.signal);
      return (await answered) as ExecutorResponse<M>;
    },
  };
}

/** Calls that give out one executor. */
export function oneExecutor(id = 'clients=1/here/1') {
  return scriptedCalls(async () => create(GetExecutorResponseSchema, { executor: { id } }));
}

export function getExecutorRequest(clients: number) {
  const cardinalities = [{ placement: { uri: 'clients' }, cardinality: clients }];
  return create(GetExecutorRequestSchema, { cardinalities });
}

export const SERVICE = '/tensorflow_federated.v0.ExecutorGroup';

function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function sockets(): string[] {
  return process.getActiveResourcesInfo().filter((resource) => /TCP|TLS|HTTP2/.test(resource));
}
