/**
 * @file The client's side of gRPC: the calls of an executor service at an address, and links to it.
 */

import {
  ChannelCredentials,
  type ChannelOptions,
  Client,
  connectivityState,
  Metadata,
} from '@grpc/grpc-js';
import { ExecutorLinkService } from '../../computations/wire/gen/fedloom/v1/link_pb.ts';
import { ExecutorGroup } from '../../computations/wire/index.ts';
import { interruptible, onAbort } from '../../executors/interruption.ts';
import { callWithinSpan } from '../../executors/remote/call-spans.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../../executors/remote/calls.ts';
import { decodeResponse, encodeRequest } from '../../executors/remote/messages/message-codec.ts';
import { transportError } from '../../executors/remote/status.ts';
import { activeTraceparent } from '../../executors/remote/traceparent.ts';
import type { Link } from '../remote/link.ts';
import type { GrpcCredentials } from './credentials.node.ts';
import { FRAME_CODEC } from './frame-codec.node.ts';
import { MAX_LINK_MESSAGE_BYTES, openedLink } from './grpc-link.node.ts';
import { errorOfCall, isServiceError } from './grpc-status.node.ts';
import { type InsecureChannels, requirePlaintextAllowed } from './listen-address.node.ts';
import { callBidi, callUnary } from './methods.node.ts';

export interface GrpcChannelOptions {
  /** @default plain text, to addresses of this machine only */
  readonly credentials?: GrpcCredentials;
  /** @default 'loopback' */
  readonly insecure?: InsecureChannels;
  /** The name that the server's certificate must be for. @default the host of the address */
  readonly serverName?: string;
  /** Goes along with each call. */
  readonly metadata?: { readonly [name: string]: string };
  /** The longest message either way, in bytes. @default 256 MiB */
  readonly maxMessageBytes?: number;
  /**
   * How often a silent connection with calls is asked whether it lives, in milliseconds; servers that
   * are not ours may want no less than 300,000. @default 30000
   */
  readonly keepaliveMs?: number;
  /** How long it may take to answer, in milliseconds. @default 10000 */
  readonly keepaliveTimeoutMs?: number;
  /** The longest pause between two attempts to connect, in milliseconds. @default 5000 */
  readonly maxReconnectMs?: number;
  /** What the server may send before it hears from us, in bytes. @default 4 MiB */
  readonly receiveWindowBytes?: number;
}

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** @default 10000 */
  readonly timeoutMs?: number;
}

/** How a connection stands; it is made when it is first needed, and again when it is lost. */
export type ChannelState = 'idle' | 'connecting' | 'ready' | 'failing' | 'closed';

/** The calls of the executor service at an address. */
export interface GrpcCalls extends ExecutorCalls, AsyncDisposable {
  readonly address: string;
  readonly state: ChannelState;
  /**
   * Waits until there is a connection.
   * @throws TransportError `transport.unavailable` if there is none in time or the channel is closed,
   *   and the reason of the signal.
   */
  ready(options?: WaitOptions): Promise<void>;
  /** Ends the connection; calls that run fail with `transport.unavailable`. Twice is allowed. */
  close(): Promise<void>;
}

/**
 * Calls the executor service at an address. Connecting happens when it is first needed, and again
 * when the connection is lost; calls without one fail with `transport.unavailable`.
 * @param address `host:port`, `unix:path`, or any target of gRPC.
 * @throws TransportError `transport.invalid_argument` for plain text to another machine.
 */
export function grpcCalls(address: string, options: GrpcChannelOptions = {}): GrpcCalls {
  return new GrpcChannel(address, options);
}

/**
 * Opens a link to the service at an address, on a connection of its own, which ends with it.
 * @throws TransportError `transport.unavailable` if it is not there in time, what the service refuses
 *   the link with, and the reason of the signal.
 */
export async function openGrpcLink(
  address: string,
  { signal, timeoutMs = DEFAULT_WAIT_MS, ...options }: GrpcChannelOptions & WaitOptions = {},
): Promise<Link> {
  const client = clientOf(address, options, LINK_OPTIONS);
  try {
    signal?.throwIfAborted();
    return await openOn(client, address, metadataOf(options), { signal, timeoutMs });
  } catch (error) {
    client.close();
    throw error;
  }
}

class GrpcChannel implements GrpcCalls {
  readonly address: string;
  readonly #client: Client;
  readonly #metadata: Metadata;
  readonly #maxMessageBytes: number;
  readonly #closed = new AbortController();

  constructor(address: string, options: GrpcChannelOptions) {
    this.#maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MESSAGE_BYTES;
    this.address = address;
    this.#client = clientOf(address, options, {});
    this.#metadata = metadataOf(options);
  }

  get state(): ChannelState {
    if (this.#closed.signal.aborted) return 'closed';
    return STATES[this.#client.getChannel().getConnectivityState(false)] ?? 'closed';
  }

  call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    const attributes = { 'fedloom.worker': this.address };
    return callWithinSpan({ method, system: 'grpc', attributes }, () =>
      this.#call(method, request, options),
    );
  }

  async #call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    { signal, timeoutMs }: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    const closed = this.#closed.signal;
    const bytes = encodeRequest(method, request);
    const response = await callUnary(this.#client, ExecutorGroup.method[method], bytes, {
      metadata: withTraceparent(this.#metadata),
      signals: signal === undefined ? [closed] : [closed, signal],
      timeoutMs,
    }).catch((error: unknown) => {
      throw isServiceError(error) ? errorOfCall(error, `${method} at ${this.address}`) : error;
    });
    return decodeResponse(method, response, { maxBytes: this.#maxMessageBytes });
  }

  async ready({ signal, timeoutMs = DEFAULT_WAIT_MS }: WaitOptions = {}): Promise<void> {
    this.#closed.signal.throwIfAborted();
    const connected = new Promise<void>((resolve, reject) => {
      this.#client.waitForReady(Date.now() + timeoutMs, (error) => {
        if (error === undefined) resolve();
        else reject(notReady(this.address, timeoutMs, error));
      });
    });
    await interruptible(interruptible(connected, signal), this.#closed.signal);
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(
      transportError('transport.unavailable', `The channel to ${this.address} is closed.`),
    );
    this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function openOn(
  client: Client,
  address: string,
  metadata: Metadata,
  { signal, timeoutMs }: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number },
): Promise<Link> {
  return new Promise((resolve, reject) => {
    const stream = callBidi(client, ExecutorLinkService.method.open, FRAME_CODEC, metadata);
    // Later than this promise, too: an error that nobody listens for would end the process.
    stream.on('error', (error) => {
      fail(isServiceError(error) ? errorOfCall(error, `The link to ${address}`) : error);
    });
    stream.on('status', () => client.close());
    const timer = setTimeout(() => {
      fail(
        transportError('transport.unavailable', `No link to ${address} within ${timeoutMs} ms.`),
      );
    }, timeoutMs);
    const stopListening =
      signal === undefined ? () => {} : onAbort(signal, () => fail(signal.reason));
    stream.once('metadata', () => {
      settle();
      resolve(openedLink(stream));
    });

    function fail(reason: unknown): void {
      settle();
      reject(reason);
      stream.cancel();
    }

    function settle(): void {
      clearTimeout(timer);
      stopListening();
    }
  });
}

function clientOf(address: string, options: GrpcChannelOptions, more: ChannelOptions): Client {
  const { credentials, insecure, serverName, maxMessageBytes = DEFAULT_MESSAGE_BYTES } = options;
  if (credentials === undefined) requirePlaintextAllowed(address, 'The channel to', insecure);
  return new Client(address, credentials?.toChannel() ?? ChannelCredentials.createInsecure(), {
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': options.keepaliveMs ?? 30_000,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs ?? 10_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': options.maxReconnectMs ?? 5_000,
    'grpc-node.flow_control_window': options.receiveWindowBytes ?? DEFAULT_WINDOW_BYTES,
    // A connection of its own, that ends when it is closed.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
    // Names of other machines are not looked up for instructions (TXT records).
    'grpc.service_config_disable_resolution': 1,
    ...(serverName !== undefined && { 'grpc.ssl_target_name_override': serverName }),
    ...more,
  });
}

function metadataOf({ metadata = {} }: GrpcChannelOptions): Metadata {
  const made = new Metadata();
  for (const [name, value] of Object.entries(metadata)) made.set(name, value);
  return made;
}

/** As W3C has it, and with it gRPC's own instrumentations. */
function withTraceparent(metadata: Metadata): Metadata {
  const traceparent = activeTraceparent();
  if (traceparent === undefined) return metadata;
  const made = metadata.clone();
  made.set('traceparent', traceparent);
  return made;
}

function notReady(address: string, timeoutMs: number, cause: Error) {
  return transportError(
    'transport.unavailable',
    `There is no connection to ${address} within ${timeoutMs} ms. Is the service running, and are the certificates of both sides valid?`,
    cause,
  );
}

const STATES: { readonly [state in connectivityState]: ChannelState } = {
  [connectivityState.IDLE]: 'idle',
  [connectivityState.CONNECTING]: 'connecting',
  [connectivityState.READY]: 'ready',
  [connectivityState.TRANSIENT_FAILURE]: 'failing',
  [connectivityState.SHUTDOWN]: 'closed',
};

const LINK_OPTIONS: ChannelOptions = {
  // Retries would keep a copy of each frame that was sent.
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': MAX_LINK_MESSAGE_BYTES,
};

const DEFAULT_WAIT_MS = 10_000;
const DEFAULT_MESSAGE_BYTES = 256 * 2 ** 20;
const DEFAULT_WINDOW_BYTES = 4 * 2 ** 20;
