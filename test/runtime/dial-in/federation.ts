/** @file A coordinator and clients that dial in, in one process, over gRPC on loopback. */

import {
  generateIdentities,
  type Identity,
  type IdentityProvider,
  type IdentityRoster,
  rosterIdentities,
} from 'fedloom';
import { type Backend, loadBackend } from '../../../computations/tensors/index.ts';
import { type MaterializedValue, TensorValue } from '../../../computations/types/index.ts';
import type { Executor } from '../../../executors/executor.ts';
import type { AuditEntry, AuditSink } from '../../../executors/guard/audit.ts';
import { guardedLeaf } from '../../../executors/guard/guarded-leaf.ts';
import type { GuardedPaillierOptions } from '../../../executors/guard/policy/paillier-terms.ts';
import type { GuardPolicyOptions } from '../../../executors/guard/policy/policy.ts';
import { PLAYED_ROLES, roleLeaf } from '../../../executors/guard/role-leaf.ts';
import {
  ClientProcess,
  type ClientProcessOptions,
} from '../../../runtime/dial-in/client-process.node.ts';
import { Coordinator, type CoordinatorOptions } from '../../../runtime/dial-in/coordinator.node.ts';

export interface FederationOptions {
  readonly policy?: GuardPolicyOptions;
  readonly coordinator?: Partial<CoordinatorOptions>;
  readonly client?: Partial<ClientProcessOptions>;
  /** Who plays a role of a protocol in a process of its own, or as `server` here. @default nobody */
  readonly roles?: readonly string[];
  /** Where clients dial in. @default at the coordinator */
  readonly through?: (coordinator: string) => Promise<string>;
  /** Of clients and roles. */
  readonly paillier?: GuardedPaillierOptions;
  /** What each client has as `reading`. */
  readonly data?: (index: number) => MaterializedValue;
}

/** Quick to notice what is lost. */
const QUICK = { heartbeatMs: 200, silenceMs: 1_000, graceMs: 1_000 } as const;

export class Federation implements AsyncDisposable {
  readonly coordinator: Coordinator;
  readonly roster: IdentityRoster;
  /** Of those who play a role. */
  readonly roles: IdentityRoster;
  readonly clients: readonly TestClient[];
  /** Those who play a role, by its name. */
  readonly players: ReadonlyMap<string, TestClient>;

  private constructor(
    coordinator: Coordinator,
    clients: readonly TestClient[],
    players: ReadonlyMap<string, TestClient>,
    { roster, roles }: { readonly roster: IdentityRoster; readonly roles: IdentityRoster },
  ) {
    this.coordinator = coordinator;
    this.roster = roster;
    this.roles = roles;
    this.clients = clients;
    this.players = players;
  }

  static async start(
    names: readonly string[],
    options: FederationOptions = {},
  ): Promise<Federation> {
    const backend = await loadBackend();
    const { roster, identities } = generateIdentities(names);
    const roles = generateIdentities(options.roles ?? []);
    const own = roles.identities.find(({ client }) => client === 'server');
    const coordinator = await Coordinator.start({
      listen: '127.0.0.1:0',
      roster,
      roleRoster: roles.roster,
      ...(own !== undefined && { identity: own }),
      clients: { heartbeat: QUICK },
      ...options.coordinator,
    });
    const connect = (await options.through?.(coordinator.address)) ?? coordinator.address;
    const test = (
      name: string,
      identity: Identity,
      leaf: (identities: IdentityProvider, audit: AuditSink) => Executor,
    ): TestClient => {
      const known = rosterIdentities({ roster, roles: roles.roster, identities: [identity] });
      const audit: AuditEntry[] = [];
      const sink = { record: (entry: AuditEntry) => void audit.push(entry) };
      return new TestClient(name, audit, () => ({
        connect,
        name,
        capabilities: {
          operators: ['secagg'],
          backend: backend.name,
          platform: 'test',
          version: '0',
        },
        policy: { text: '', hash: new Uint8Array(0) },
        makeExecutor: async () => leaf(known, sink),
        backOff: { firstMs: 10, mostMs: 100 },
        ...options.client,
      }));
    };
    const { policy = {}, paillier } = options;
    const clients = identities.map((identity, i) =>
      test(identity.client, identity, (known, audit) => guarded(backend, i, known, audit, options)),
    );
    const players = new Map(
      PLAYED_ROLES.flatMap((role) => {
        const identity = roles.identities.find(({ client }) => client === role);
        if (identity === undefined) return [];
        const leaf = (known: IdentityProvider, audit: AuditSink) =>
          roleLeaf({
            role,
            backend,
            identities: known,
            policy,
            audit,
            ...(paillier !== undefined && { paillier }),
          });
        return [[role, test(role, identity, leaf)]];
      }),
    );
    for (const each of [...clients, ...players.values()]) each.start();
    return new Federation(coordinator, clients, players, { roster, roles: roles.roster });
  }

  client(name: string): TestClient {
    return this.clients.find((client) => client.name === name) as TestClient;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.clients, ...this.players.values()].map((each) => each.stop()));
    await this.coordinator.close(500);
  }
}

export class TestClient {
  readonly name: string;
  readonly audit: readonly AuditEntry[];
  readonly #options: () => ClientProcessOptions;
  #process: ClientProcess | null = null;
  /** What the last run ended with. */
  ended: Promise<unknown> = Promise.resolve();

  constructor(name: string, audit: readonly AuditEntry[], options: () => ClientProcessOptions) {
    this.name = name;
    this.audit = audit;
    this.#options = options;
  }

  get process(): ClientProcess {
    return this.#process as ClientProcess;
  }

  start(): void {
    this.#process = new ClientProcess(this.#options());
    this.ended = this.#process.run().then(
      () => null,
      (error: unknown) => error,
    );
  }

  async stop(): Promise<void> {
    await this.#process?.close(200);
  }
}

function guarded(
  backend: Backend,
  index: number,
  identities: IdentityProvider,
  audit: AuditSink,
  { policy, paillier, data = tens }: FederationOptions,
): Executor {
  return guardedLeaf({
    backend,
    identities,
    dataSource: { resolve: (uri) => (uri === 'reading' ? data(index) : null) },
    audit,
    ...(policy !== undefined && { policy }),
    ...(paillier !== undefined && { paillier }),
  });
}

function tens(index: number): MaterializedValue {
  return new TensorValue('int32', [], Int32Array.of(10 * (index + 1)));
}
