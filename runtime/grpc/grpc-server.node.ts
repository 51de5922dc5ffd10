/**
 * @file Serves executors over gRPC: `tensorflow_federated.v0.ExecutorGroup` call by call, links that
 * clients open, health and reflection; with limits for what a peer can make this process hold.
 */

import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerOptions,
} from '@grpc/grpc-js';
import {
  ExecutorLinkService,
  type OpenRequest,
  type OpenResponse,
} from '../../computations/wire/gen/fedloom/v1/link_pb.ts';
import { ExecutorGroup } from '../../computations/wire/index.ts';
import type { ExecutorCalls } from '../../executors/remote/calls.ts';
import { transportError } from '../../executors/remote/status.ts';
import type { Link } from '../remote/link.ts';
import { type ConnectExecutors, ConnectedExecutors } from './connected-executors.node.ts';
import type { GrpcCredentials } from './credentials.node.ts';
import { FRAME_CODEC } from './frame-codec.node.ts';
import { acceptedLink, MAX_LINK_MESSAGE_BYTES } from './grpc-link.node.ts';
import { grpcStatusOf } from './grpc-status.node.ts';
import { sessionOf, widenWindow } from './internals.node.ts';
import { hostOf, type InsecureChannels, requirePlaintextAllowed } from './listen-address.node.ts';
import { serveBidi } from './methods.node.ts';
import { addReflection, HealthReport } from './reflection.node.ts';

export interface ServeGrpcOptions {
  /** `host:port` or `unix:path`; port 0 takes a free one. */
  readonly listen: string;
  /** @default plain text, on addresses of this machine only */
  readonly credentials?: GrpcCredentials;
  /** @default 'loopback' */
  readonly insecure?: InsecureChannels;
  /**
   * Serves the calls of ExecutorGroup: one for all, as TensorFlow Federated has it, or one for each
   * connection, closed when that ends. @default the service is not there
   */
  readonly host?: ExecutorCalls | ConnectExecutors;
  /** Takes the links that clients open. @default the service is not there */
  readonly links?: (link: Link) => void;
  /** @default true */
  readonly reflection?: boolean;
  readonly limits?: Partial<GrpcServerLimits>;
}

export interface GrpcServerLimits {
  /** The longest message either way, in bytes: RESOURCE_EXHAUSTED beyond. @default 256 MiB */
  readonly maxMessageBytes: number;
  /** Calls at a time on one connection; more wait at the caller. @default 1,000 */
  readonly maxConcurrentStreams: number;
  /** What Node may hold for one connection, in MB: it refuses new calls beyond. @default 512 */
  readonly maxSessionMemoryMb: number;
  /** Links at a time: RESOURCE_EXHAUSTED beyond. @default 10,000 */
  readonly maxLinks: number;
  /** How long a call may take that comes without a deadline, in milliseconds. @default 600,000 */
  readonly defaultCallMs: number;
  /** How long any call may take, whatever its deadline, in milliseconds. @default 3,600,000 */
  readonly maxCallMs: number;
  /** How often a silent connection is asked whether it lives, in milliseconds. @default 20,000 */
  readonly keepaliveMs: number;
  /** How long it may take to answer, in milliseconds. @default 10,000 */
  readonly keepaliveTimeoutMs: number;
  /** How old a connection becomes before its peer must make a new one. @default for ever */
  readonly maxConnectionAgeMs: number;
  /** How long the calls of such a connection may go on. @default 30,000 */
  readonly maxConnectionAgeGraceMs: number;
  /** How long a connection without calls is kept. @default for ever */
  readonly maxConnectionIdleMs: number;
  /** What a peer may send on a connection before it hears from us, in bytes. @default 4 MiB */
  readonly receiveWindowBytes: number;
}

export interface GrpcService extends AsyncDisposable {
  readonly port: number;
  /** `host:port` as a client reaches it from this machine. */
  readonly address: string;
  /** Links that are open. */
  readonly linkCount: number;
  /**
   * Takes no more connections, tells links, and waits for calls.
   * @param graceMs then they are broken off. @default 5000
   */
  close(graceMs?: number): Promise<void>;
}

/**
 * @throws TransportError `transport.invalid_argument` for a plaintext listener that others could
 *   reach, and `transport.unavailable` if the address cannot be listened on.
 */
export async function serveGrpc(options: ServeGrpcOptions): Promise<GrpcService> {
  const { listen, credentials, insecure } = options;
  if (credentials === undefined) requirePlaintextAllowed(listen, 'The listener', insecure);
  const service = new RunningService(options);
  await service.bind(credentials?.toServer() ?? ServerCredentials.createInsecure());
  return service;
}

class RunningService implements GrpcService {
  port = 0;
  readonly #listen: string;
  readonly #limits: GrpcServerLimits;
  readonly #server: Server;
  readonly #health: HealthReport;
  readonly #executors: ConnectedExecutors | null = null;
  readonly #links = new Set<Link>();
  #closing: Promise<void> | null = null;

  constructor({ listen, host, links, limits, reflection = true }: ServeGrpcOptions) {
    this.#listen = listen;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#server = new Server(serverOptions(this.#limits, host === undefined));
    const services = [];
    if (host !== undefined) {
      services.push(ExecutorGroup);
      this.#executors = new ConnectedExecutors(host, this.#limits);
      this.#executors.addTo(this.#server);
    }
    if (links !== undefined) {
      services.push(ExecutorLinkService);
      serveBidi(this.#server, ExecutorLinkService.method.open, FRAME_CODEC, (stream) =>
        this.#accept(stream, links),
      );
    }
    this.#health = new HealthReport(this.#server, services);
    if (reflection) addReflection(this.#server, services);
  }

  get address(): string {
    if (this.#listen.startsWith('unix:')) return this.#listen;
    const listened = hostOf(this.#listen);
    const host = ANY_HOST.get(listened) ?? listened;
    return `${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  get linkCount(): number {
    return this.#links.size;
  }

  bind(credentials: ServerCredentials): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(this.#listen, credentials, (error, port) => {
        if (error === null) {
          this.port = port;
          resolve();
          return;
        }
        this.#server.forceShutdown();
        reject(
          transportError(
            'transport.unavailable',
            `Cannot listen on ${this.#listen}: ${error.message}`,
            error,
          ),
        );
      });
    });
  }

  close(graceMs = DEFAULT_GRACE_MS): Promise<void> {
    this.#closing ??= this.#shutDown(graceMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #shutDown(graceMs: number): Promise<void> {
    this.#health.report('NOT_SERVING');
    const reason = transportError('transport.unavailable', 'The service is shutting down.');
    for (const link of this.#links) link.close(reason);
    const finished = new Promise<true>((resolve) => {
      this.#server.tryShutdown(() => resolve(true));
    });
    if (!(await withinMs(finished, graceMs))) {
      this.#executors?.stop();
      await withinMs(finished, FAREWELL_MS);
    }
    this.#server.forceShutdown();
    const closed = this.#executors?.close().then(() => true as const);
    if (closed !== undefined) await withinMs(closed, Math.max(graceMs, FAREWELL_MS));
  }

  #accept(
    stream: ServerDuplexStream<OpenRequest, OpenResponse>,
    links: (link: Link) => void,
  ): void {
    if (this.#closing !== null || this.#links.size >= this.#limits.maxLinks) {
      stream.emit('error', grpcStatusOf(this.#refusal()));
      return;
    }
    try {
      const session = sessionOf(stream);
      if (session !== null) widenWindow(session, this.#limits.receiveWindowBytes);
    } catch (error) {
      stream.emit('error', grpcStatusOf(error));
      return;
    }
    const link = acceptedLink(stream);
    this.#links.add(link);
    stream.once('close', () => this.#links.delete(link));
    try {
      links(link);
    } catch (error) {
      link.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #refusal(): Error {
    return this.#closing !== null
      ? transportError('transport.unavailable', 'The service is shutting down.')
      : transportError(
          'transport.resource_exhausted',
          `This service has ${this.#links.size} links, as many as it may.`,
        );
  }
}

/** Whether something happens in time. */
async function withinMs(happening: Promise<true>, timeoutMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  try {
    return await Promise.race([happening, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function serverOptions(limits: GrpcServerLimits, linksOnly: boolean): ServerOptions {
  const { maxMessageBytes } = limits;
  const options: { [option: string]: number } = {
    // Of a message that is too long for a link nothing is held.
    'grpc.max_receive_message_length': linksOnly
      ? Math.min(maxMessageBytes, MAX_LINK_MESSAGE_BYTES)
      : maxMessageBytes,
    'grpc.max_send_message_length': limits.maxMessageBytes,
    'grpc.max_concurrent_streams': limits.maxConcurrentStreams,
    'grpc-node.max_session_memory': limits.maxSessionMemoryMb,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.max_connection_age_ms': limits.maxConnectionAgeMs,
    'grpc.max_connection_age_grace_ms': limits.maxConnectionAgeGraceMs,
    'grpc.max_connection_idle_ms': limits.maxConnectionIdleMs,
  };
  // For ever is what grpc-js does by itself.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => Number.isFinite(value)));
}

const DEFAULT_LIMITS: GrpcServerLimits = {
  maxMessageBytes: 256 * 2 ** 20,
  maxConcurrentStreams: 1_000,
  maxSessionMemoryMb: 512,
  maxLinks: 10_000,
  defaultCallMs: 600_000,
  maxCallMs: 3_600_000,
  keepaliveMs: 20_000,
  keepaliveTimeoutMs: 10_000,
  maxConnectionAgeMs: Number.POSITIVE_INFINITY,
  maxConnectionAgeGraceMs: 30_000,
  maxConnectionIdleMs: Number.POSITIVE_INFINITY,
  receiveWindowBytes: 4 * 2 ** 20,
};

/** Who listens on all addresses is reached on that of this machine. */
const ANY_HOST: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

const DEFAULT_GRACE_MS = 5_000;

/** How long callers have to hear that the service is gone, before their connections are cut. */
const FAREWELL_MS = 250;
