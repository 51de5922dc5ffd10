/** @file Clients and coordinators over links in memory, with executors that only remember and echo. */

import { create } from '@bufbuild/protobuf';
import { ArraySchema } from '../../../computations/wire/gen/federated_language/proto/array_pb.ts';
import {
  ComputeRequestSchema,
  ComputeResponseSchema,
  CreateSelectionRequestSchema,
  CreateSelectionResponseSchema,
  CreateValueRequestSchema,
  CreateValueResponseSchema,
  type Value,
  ValueSchema,
} from '../../../computations/wire/index.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../../../executors/remote/calls.ts';
import { transportError } from '../../../executors/remote/status.ts';
import type { ConnectedClient } from '../../../runtime/remote/connected-client.ts';
import {
  ConnectedClients,
  type ConnectedClientsOptions,
} from '../../../runtime/remote/connected-clients.ts';
import {
  EnvelopeClient,
  type EnvelopeClientOptions,
  type ServedCalls,
} from '../../../runtime/remote/envelope/client.ts';
import {
  type MemoryLinkOptions,
  type MemoryLinks,
  memoryLinks,
} from '../../../runtime/remote/memory-link.ts';

/** Executors that remember what they were asked, and answer with what they were sent. */
export class Echo implements ServedCalls {
  /** Indices of `createSelection`, in the order in which they came. */
  readonly selected: number[] = [];
  readonly signals: AbortSignal[] = [];
  readonly timeouts: number[] = [];
  readonly methods: ExecutorMethod[] = [];
  closed = 0;
  /** What a call waits for before it answers. */
  gate: Promise<unknown> | null = null;
  fails: Error | null = null;
  #last: Value | undefined;

  async call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    { signal, timeoutMs }: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    this.methods.push(method);
    this.timeouts.push(timeoutMs);
    if (signal !== undefined) this.signals.push(signal);
    const response = this.#answer(method, request) as ExecutorResponse<M>;
    if (this.gate !== null) await this.gate;
    if (this.fails !== null) throw this.fails;
    return response;
  }

  close(): void {
    this.closed += 1;
  }

  #answer(method: ExecutorMethod, request: ExecutorRequest<ExecutorMethod>): unknown {
    switch (request.$typeName) {
      case 'tensorflow_federated.v0.CreateSelectionRequest':
        this.selected.push(request.index);
        return create(CreateSelectionResponseSchema, { valueRef: { id: `${request.index}` } });
      case 'tensorflow_federated.v0.CreateValueRequest':
        this.#last = request.value;
        return create(CreateValueResponseSchema, { valueRef: { id: 'value' } });
      case 'tensorflow_federated.v0.ComputeRequest': {
        const { value } = create(ComputeResponseSchema, this.#last && { value: this.#last });
        return create(ComputeResponseSchema, value && { value });
      }
      default:
        throw transportError('transport.unimplemented', `${method} is not echoed.`);
    }
  }
}

export const PLENTY: CallOptions = { timeoutMs: 30_000 };

/** Asks for a selection, whose number comes back. */
export async function select(calls: ExecutorCalls, index: number, options = PLENTY) {
  const request = create(CreateSelectionRequestSchema, { index });
  const { valueRef } = await calls.call('createSelection', request, options);
  return Number(valueRef?.id);
}

export function valueWith(content: Uint8Array): Value {
  const value = create(ArraySchema, { content });
  return create(ValueSchema, { value: { case: 'array', value } });
}

/** Sends bytes. */
export async function put(
  calls: ExecutorCalls,
  content: Uint8Array,
  options: CallOptions = PLENTY,
) {
  const request = create(CreateValueRequestSchema, {
    value: valueWith(content),
    executor: { id: 'echo' },
  });
  await calls.call('createValue', request, options);
}

/** Brings back what was put last. */
export async function take(calls: ExecutorCalls, options: CallOptions = PLENTY) {
  const { value } = await calls.call('compute', create(ComputeRequestSchema), options);
  return value?.value.case === 'array' ? value.value.value.content : undefined;
}

export const DESCRIPTION = {
  name: 'ada',
  capabilities: {
    operators: ['paillier', 'secagg'],
    backend: 'cpu',
    platform: 'test',
    version: '0.1.0',
  },
  policy: { text: 'only secure sums', hash: new Uint8Array(32).fill(7) },
} as const;

export interface Connected {
  readonly clients: ConnectedClients;
  readonly client: EnvelopeClient;
  readonly remote: ConnectedClient;
  readonly echo: Echo;
  /** Of each session of the client. */
  readonly echoes: readonly Echo[];
  links: MemoryLinks;
  /** Connects the client over another link. */
  reconnect(options?: MemoryLinkOptions): Promise<MemoryLinks>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  readonly link?: MemoryLinkOptions;
  readonly client?: Partial<EnvelopeClientOptions>;
  readonly coordinator?: ConnectedClientsOptions;
}

/** A coordinator (left) and a client (right) of it. */
export async function connected(options: ConnectOptions = {}): Promise<Connected> {
  const clients = new ConnectedClients(options.coordinator);
  const echoes: Echo[] = [];
  const client = echoClient(echoes, options.client);
  const reconnect = async (link: MemoryLinkOptions = {}): Promise<MemoryLinks> => {
    const links = memoryLinks(link);
    void clients.accept(links.left);
    await client.serve(links.right);
    result.links = links;
    return links;
  };
  const links = memoryLinks(options.link);
  const accepted = clients.accept(links.left);
  await client.serve(links.right);
  const result: Connected = {
    clients,
    client,
    remote: (await accepted) as ConnectedClient,
    echo: echoes[0] as Echo,
    echoes,
    links,
    reconnect,
    async close() {
      await Promise.all([clients.close(), client.close()]);
    },
  };
  return result;
}

export function echoClient(
  echoes: Echo[] = [],
  options: Partial<EnvelopeClientOptions> = {},
): EnvelopeClient {
  return new EnvelopeClient({
    ...DESCRIPTION,
    connect: () => {
      const echo = new Echo();
      echoes.push(echo);
      return echo;
    },
    ...options,
  });
}

/** Pseudorandom bytes. */
export function bytesOf(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
