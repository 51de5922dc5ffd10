/**
 * @file A client that dials in: keeps a stream to the coordinator open, and serves the executor of its
 * own data over it. Nothing connects to the client.
 */

import type { Executor } from '../../executors/executor.ts';
import { ExecutorHost, type HostLimits } from '../../executors/remote/host/host.ts';
import { transportError } from '../../executors/remote/status.ts';
import type { GrpcCredentials } from '../grpc/credentials.node.ts';
import { openGrpcLink } from '../grpc/grpc-channel.node.ts';
import type { InsecureChannels } from '../grpc/listen-address.node.ts';
import type { CallServerOptions } from '../remote/envelope/call-server.ts';
import { EnvelopeClient } from '../remote/envelope/client.ts';
import type { ClientDescription } from '../remote/envelope/greeting.ts';
import type { EnvelopeLimits } from '../remote/envelope/options.ts';
import { type BackOff, Reconnector, type ReconnectorState } from '../remote/reconnector.ts';

export interface ClientProcessOptions extends ClientDescription {
  /** Address of the coordinator, `host:port`. */
  readonly connect: string;
  /** @default plain text, to this machine only */
  readonly credentials?: GrpcCredentials;
  /** @default 'loopback' */
  readonly insecure?: InsecureChannels;
  /** The name that the coordinator's certificate must be for. @default the host of the address */
  readonly serverName?: string;
  /** Makes the executor of this client, under its guard; for each session one. */
  readonly makeExecutor: () => Promise<Executor>;
  readonly limits?: Partial<EnvelopeLimits>;
  readonly hostLimits?: Partial<HostLimits>;
  readonly backOff?: Partial<BackOff>;
  /** So many failures in a row are the end. @default no limit */
  readonly maxFailures?: number;
  readonly onState?: (state: ReconnectorState) => void;
  readonly around?: CallServerOptions['around'];
}

export class ClientProcess implements AsyncDisposable {
  readonly #host: ExecutorHost;
  readonly #client: EnvelopeClient;
  readonly #reconnector: Reconnector;

  /** @throws TransportError `transport.invalid_argument` for a name or a policy that is too long. */
  constructor(options: ClientProcessOptions) {
    const { connect, credentials, insecure, serverName, makeExecutor, hostLimits } = options;
    this.#host = new ExecutorHost({
      makeExecutor: async (cardinalities) => {
        if (Object.keys(cardinalities).length === 0) return makeExecutor();
        throw transportError(
          'transport.invalid_argument',
          `A client serves the executor of one participant, without placements; asked for ${JSON.stringify(cardinalities)}.`,
        );
      },
      ...(hostLimits !== undefined && { limits: hostLimits }),
    });
    this.#client = new EnvelopeClient({
      name: options.name,
      capabilities: options.capabilities,
      policy: options.policy,
      connect: () => this.#host.connect(),
      ...(options.limits !== undefined && { limits: options.limits }),
      ...(options.around !== undefined && { around: options.around }),
    });
    this.#reconnector = new Reconnector({
      dial: (signal) =>
        openGrpcLink(connect, {
          signal,
          ...(credentials !== undefined && { credentials }),
          ...(insecure !== undefined && { insecure }),
          ...(serverName !== undefined && { serverName }),
        }),
      serve: (link, { signal }) => this.#client.serve(link, { signal }),
      ...(options.backOff !== undefined && { backOff: options.backOff }),
      ...(options.maxFailures !== undefined && { maxFailures: options.maxFailures }),
      ...(options.onState !== undefined && { onState: options.onState }),
    });
  }

  get state(): ReconnectorState {
    return this.#reconnector.state;
  }

  /** Executors and values that the coordinator holds here. */
  get usage(): ExecutorHost['usage'] {
    return this.#host.usage;
  }

  /**
   * Serves until it is closed.
   * @throws TransportError a refusal that will not change: `transport.unauthenticated`,
   *   `transport.permission_denied`; the last failure, if there were too many.
   */
  run(): Promise<void> {
    return this.#reconnector.run();
  }

  /**
   * Lets what it serves finish, says goodbye, and forgets what the coordinator held.
   * @param drainMs how long that may take. @default 5000
   */
  async close(drainMs = 5_000): Promise<void> {
    this.#reconnector.stop();
    await this.#client.close({ drainMs });
    await this.#host.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
