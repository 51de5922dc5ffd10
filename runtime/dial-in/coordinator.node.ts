/**
 * @file A coordinator: listens for clients that dial in, knows who they are, and chooses cohorts of
 * them. It reaches a client's executors through the stream that the client opened, so clients need no
 * address of their own.
 */

import { transportError } from '../../executors/remote/status.ts';
import type { Identity, IdentityRoster } from '../../protocols/index.ts';
import type { GrpcCredentials } from '../grpc/credentials.node.ts';
import { type GrpcServerLimits, type GrpcService, serveGrpc } from '../grpc/grpc-server.node.ts';
import type { InsecureChannels } from '../grpc/listen-address.node.ts';
import type { ConnectedClient } from '../remote/connected-client.ts';
import { ConnectedClients, type ConnectedClientsOptions } from '../remote/connected-clients.ts';
import type { Selection } from '../remote/selection.ts';
import type { RoundListener } from '../rounds/watch-rounds.ts';
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
  /**
   * Who is no client but plays a role of a protocol, such as `aggregator`: names beside those of the
   * roster, under which somebody may connect. @default those of `roleRoster`
   */
  readonly roles?: readonly string[];
  /**
   * By which keys the roles are known, for protocols in which they sign: `aggregator`, `key_holder`, and
   * `server` for the coordinator itself.
   */
  readonly roleRoster?: IdentityRoster;
  /** The coordinator's own, if it plays a role itself, as with Paillier's key. */
  readonly identity?: Identity;
  /** Times and limits of the connections. */
  readonly clients?: Omit<ConnectedClientsOptions, 'allowUnproven'>;
  readonly limits?: Partial<GrpcServerLimits>;
  /**
   * Told how each round of a cohort stands: its stage, who has answered, who is missing, bytes each way. A
   * round is an invocation of a context that `Cohort.context` made.
   */
  readonly onRound?: RoundListener;
}

export class Coordinator implements AsyncDisposable {
  /** Whoever is connected. */
  readonly clients: ConnectedClients;
  readonly #service: GrpcService;
  readonly #options: CoordinatorOptions;
  readonly #roles: ReadonlySet<string>;
  #rounds = 0;

  private constructor(
    clients: ConnectedClients,
    service: GrpcService,
    options: CoordinatorOptions,
  ) {
    this.clients = clients;
    this.#service = service;
    this.#options = options;
    this.#roles = rolesOf(options);
  }

  /**
   * Begins to listen.
   * @throws TransportError `transport.unavailable` if the address cannot be listened on,
   *   `transport.invalid_argument` for plain text that others could read, and for a role that has the
   *   name of a client.
   */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const { listen, credentials, insecure, roster, limits } = options;
    const roles = rolesOf(options);
    const clients = new ConnectedClients({
      ...options.clients,
      // Without certificates a client is who it says, which is for tests and trusted machines.
      allowUnproven: credentials === undefined,
      admit: async (hello, peer) => {
        if (roster !== undefined && !roles.has(hello.name)) requireListed(roster, hello.name);
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
    const { roster, roleRoster, identity, onRound } = this.#options;
    return new Cohort(chosen, {
      roster,
      others: {
        ...(roleRoster !== undefined && { roles: roleRoster }),
        ...(identity !== undefined && { identities: [identity] }),
      },
      role: (name, withinMs) => this.#player(name, withinMs),
      nextRound: () => ++this.#rounds,
      ...(onRound !== undefined && { onRound }),
    });
  }

  async #player(role: string, withinMs: number): Promise<ConnectedClient> {
    const advice = 'The coordinator must not play it, which would see both sides.';
    if (!this.#roles.has(role)) {
      throw transportError(
        'transport.unavailable',
        `Nobody may connect here to play the role '${role}': start the coordinator with it. ${advice}`,
      );
    }
    try {
      const where = ({ name }: ConnectedClient) => name === role;
      const [player] = await this.clients.select({ atLeast: 1, within: withinMs, where });
      return player as ConnectedClient;
    } catch (error) {
      const text = `Nobody who plays the role '${role}' was connected within ${withinMs} ms. ${advice}`;
      throw transportError('transport.unavailable', text, error);
    }
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

function rolesOf({ roster, roles, roleRoster }: CoordinatorOptions): ReadonlySet<string> {
  const listed = roleRoster?.members.map(({ client }) => client) ?? [];
  const names = roles ?? listed.filter((name) => name !== 'server');
  const both = names.find((name) => roster?.positions.has(name));
  if (both === undefined) return new Set(names);
  throw transportError(
    'transport.invalid_argument',
    `'${both}' is a client of the roster, and cannot play a role as well.`,
  );
}

function requireListed({ positions }: IdentityRoster, name: string): void {
  if (positions.has(name)) return;
  throw transportError(
    'transport.permission_denied',
    `${JSON.stringify(name)} is not in the roster of this federation.`,
  );
}
