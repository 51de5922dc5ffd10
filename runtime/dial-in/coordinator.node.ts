/**
 * @file A coordinator: listens for clients that dial in, knows who they are, and chooses cohorts of
 * them. It reaches a client's executors through the stream that the client opened, so clients need no
 * address of their own.
 */

import { transportError } from '../../executors/remote/status.ts';
import type { IdentityRoster } from '../../protocols/index.ts';
import type { GrpcCredentials } from '../grpc/credentials.node.ts';
import { type GrpcServerLimits, type GrpcService, serveGrpc } from '../grpc/grpc-server.node.ts';
import type { InsecureChannels } from '../grpc/listen-address.node.ts';
import { ConnectedClients, type ConnectedClientsOptions } from '../remote/connected-clients.ts';
import type { Selection } from '../remote/selection.ts';
import { Cohort } from './cohort.ts';

export interface CoordinatorOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** With an authority (`ca`), clients must show certificates. @default plain text, on loopback only */
  readonly credentials?: GrpcCredentials;
  /** @default 'loopback' */
  readonly insecure?: InsecureChannels;
  /**
   * Who may take part. Whoever connects under a name that is not in it is refused; protocols that sign
   * know the clients of a cohort by their places in it.
   */
  readonly roster?: IdentityRoster;
  /** Names beside those of the roster, for roles such as an aggregator. @default none */
  readonly roles?: readonly string[];
  /** Times and limits of the connections. */
  readonly clients?: Omit<ConnectedClientsOptions, 'allowUnproven'>;
  readonly limits?: Partial<GrpcServerLimits>;
}

export class Coordinator implements AsyncDisposable {
  /** Whoever is connected. */
  readonly clients: ConnectedClients;
  readonly #service: GrpcService;
  readonly #roster: IdentityRoster | undefined;
  readonly #roles: ReadonlySet<string>;

  private constructor(
    clients: ConnectedClients,
    service: GrpcService,
    { roster, roles = [] }: CoordinatorOptions,
  ) {
    this.clients = clients;
    this.#service = service;
    this.#roster = roster;
    this.#roles = new Set(roles);
  }

  /**
   * Begins to listen.
   * @throws TransportError `transport.unavailable` if the address cannot be listened on,
   *   `transport.invalid_argument` for plain text that others could read.
   */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const { listen, credentials, insecure, roster, roles = [], limits } = options;
    const clients = new ConnectedClients({
      ...options.clients,
      // Without certificates a client is who it says, which is for tests and trusted machines.
      allowUnproven: credentials === undefined,
      admit: async (hello, peer) => {
        if (roster !== undefined && !roles.includes(hello.name)) requireListed(roster, hello.name);
        await options.clients?.admit?.(hello, peer);
      },
    });
    const service = await serveGrpc({
      listen,
      links: (link) => void clients.accept(link),
      ...(credentials !== undefined && { credentials }),
      ...(insecure !== undefined && { insecure }),
      ...(limits !== undefined && { limits }),
    });
    return new Coordinator(clients, service, options);
  }

  /** `host:port`, as a client on this machine reaches it. */
  get address(): string {
    return this.#service.address;
  }

  /**
   * Chooses a cohort among those connected, uniformly at random.
   * @throws TransportError `transport.unavailable` if there are too few in time.
   */
  async select(selection: Selection): Promise<Cohort> {
    const { where = () => true } = selection;
    const chosen = await this.clients.select({
      ...selection,
      where: (client) => !this.#roles.has(client.name) && where(client),
    });
    return new Cohort(chosen, {
      roster: this.#roster,
      role: (name) => (this.#roles.has(name) ? this.clients.get(name) : undefined),
    });
  }

  /**
   * Takes no more clients, lets calls finish, dismisses everybody and stops to listen.
   * @param drainMs how long calls may go on. @default 5000
   */
  async close(drainMs = 5_000): Promise<void> {
    await this.clients.close({ drainMs });
    await this.#service.close(drainMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function requireListed({ positions }: IdentityRoster, name: string): void {
  if (positions.has(name)) return;
  throw transportError(
    'transport.permission_denied',
    `${JSON.stringify(name)} is not in the roster of this federation.`,
  );
}
