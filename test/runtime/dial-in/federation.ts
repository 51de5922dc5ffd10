/** @file A coordinator and clients that dial in, in one process, over gRPC on loopback. */

import { generateIdentities, rosterIdentities } from 'fedloom';
import { type Backend, loadBackend } from '../../../computations/tensors/index.ts';
import { type MaterializedValue, TensorValue } from '../../../computations/types/index.ts';
import type { AuditEntry } from '../../../executors/guard/audit.ts';
import { guardedLeaf } from '../../../executors/guard/guarded-leaf.ts';
import type { GuardPolicyOptions } from '../../../executors/guard/policy.ts';
import {
  ClientProcess,
  type ClientProcessOptions,
} from '../../../runtime/dial-in/client-process.node.ts';
import { Coordinator, type CoordinatorOptions } from '../../../runtime/dial-in/coordinator.node.ts';

export interface FederationOptions {
  readonly policy?: GuardPolicyOptions;
  readonly coordinator?: Partial<CoordinatorOptions>;
  readonly client?: Partial<ClientProcessOptions>;
  /** What each client has as `reading`. */
  readonly data?: (index: number) => MaterializedValue;
}

/** Quick to notice what is lost. */
const QUICK = { heartbeatMs: 200, silenceMs: 1_000, graceMs: 1_000 } as const;

export class Federation implements AsyncDisposable {
  readonly coordinator: Coordinator;
  readonly clients: readonly TestClient[];

  private constructor(coordinator: Coordinator, clients: readonly TestClient[]) {
    this.coordinator = coordinator;
    this.clients = clients;
  }

  static async start(
    names: readonly string[],
    options: FederationOptions = {},
  ): Promise<Federation> {
    const backend = await loadBackend();
    const { roster, identities } = generateIdentities(names);
    const coordinator = await Coordinator.start({
      listen: '127.0.0.1:0',
      roster,
      clients: { heartbeat: QUICK },
      ...options.coordinator,
    });
    const clients = identities.map((identity, i) => {
      const make = () =>
        guarded(backend, i, { roster, identity, options, audit: (entry) => audit.push(entry) });
      const audit: AuditEntry[] = [];
      return new TestClient(identity.client, audit, () => ({
        connect: coordinator.address,
        name: identity.client,
        capabilities: {
          operators: ['secagg'],
          backend: backend.name,
          platform: 'test',
          version: '0',
        },
        policy: { text: '', hash: new Uint8Array(0) },
        makeExecutor: async () => make(),
        backOff: { firstMs: 10, mostMs: 100 },
        ...options.client,
      }));
    });
    for (const client of clients) client.start();
    return new Federation(coordinator, clients);
  }

  client(name: string): TestClient {
    return this.clients.find((client) => client.name === name) as TestClient;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.clients.map((client) => client.stop()));
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

interface Guarded {
  readonly roster: ReturnType<typeof generateIdentities>['roster'];
  readonly identity: ReturnType<typeof generateIdentities>['identities'][number];
  readonly options: FederationOptions;
  readonly audit: (entry: AuditEntry) => void;
}

function guarded(backend: Backend, index: number, { roster, identity, options, audit }: Guarded) {
  const { data = (i) => new TensorValue('int32', [], Int32Array.of(10 * (i + 1))) } = options;
  return guardedLeaf({
    backend,
    identities: rosterIdentities({ roster, identities: [identity] }),
    dataSource: { resolve: (uri) => (uri === 'reading' ? data(index) : null) },
    audit: { record: audit },
    ...(options.policy !== undefined && { policy: options.policy }),
  });
}
