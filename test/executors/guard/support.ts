/**
 * @file Stacks whose clients are guarded and have data of their own, and a server that can tamper with
 * what it sends to one of them and with what comes back.
 */

import {
  atServer,
  ExecutionContext,
  federatedBroadcast,
  federatedComputation,
  federatedData,
  federatedMap,
  federatedSecureModularSum,
  federatedSecureSum,
  int32,
  secAgg,
  simulatedIdentities,
  tensorComputation,
} from 'fedloom';
import type { AnyComputation } from '../../../computations/computation.ts';
import { type Backend, loadBackend } from '../../../computations/tensors/index.ts';
import {
  type MaterializedValue,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from '../../../executors/executor.ts';
import {
  type AuditEntry,
  type GuardedLeafOptions,
  type GuardingExecutor,
  guardedLeaf,
} from '../../../executors/guard/index.ts';
import type { DataSource } from '../../../executors/leaf/data-source.ts';
import type { ProgressStep } from '../../../executors/progress.ts';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { inMemoryCalls } from '../../../executors/remote/in-memory.ts';
import type { IdentityProvider } from '../../../executors/secure/identities.ts';
import type { SecureAggregation } from '../../../executors/secure/index.ts';
import { BYTES, bytesValue, participant } from '../../../executors/secure/participant.ts';
import type { SessionLedger } from '../../../protocols/index.ts';
import { leafExecutor, localExecutorFactory } from '../../../runtime/index.ts';

export { BYTES, bytesValue, participant };

/** What a server does to one client. Everything left out passes. */
export interface Tampering {
  /** In the place of what is sent. */
  readonly sends?: (value: ExecutorInput, type: Type) => ExecutorInput;
  /** In the place of bytes that came back. */
  readonly receives?: (bytes: Uint8Array) => Uint8Array;
  /** Lets the answers of others come first. */
  readonly isSlow?: boolean;
}

export class TamperingExecutor implements Executor {
  readonly #target: Executor;
  readonly #tampering: Tampering;

  constructor(target: Executor, tampering: Tampering) {
    this.#target = target;
    this.#tampering = tampering;
  }

  async createValue(value: ExecutorInput, type: Type, options?: RequestOptions) {
    const { sends } = this.#tampering;
    const sent = sends === undefined ? value : sends(value, type);
    return this.#wrap(await this.#target.createValue(sent, type, options));
  }

  async createCall(fn: ExecutorValue, argument?: ExecutorValue, options?: RequestOptions) {
    return this.#wrap(
      await this.#target.createCall(inner(fn), argument && inner(argument), options),
    );
  }

  async createStruct(elements: readonly StructElementValue[]) {
    return this.#wrap(
      await this.#target.createStruct(
        elements.map(({ name, value }) => ({ name, value: inner(value) })),
      ),
    );
  }

  async createSelection(source: ExecutorValue, index: number) {
    return this.#wrap(await this.#target.createSelection(inner(source), index));
  }

  close() {
    return this.#target.close();
  }

  #wrap(target: ExecutorValue): ExecutorValue {
    return new TamperedValue(target, this.#tampering);
  }
}

class TamperedValue implements ExecutorValue {
  readonly target: ExecutorValue;
  readonly #tampering: Tampering;

  constructor(target: ExecutorValue, tampering: Tampering) {
    this.target = target;
    this.#tampering = tampering;
  }

  get type() {
    return this.target.type;
  }

  async compute(options?: RequestOptions): Promise<MaterializedValue> {
    const value = await this.target.compute(options);
    const { receives, isSlow } = this.#tampering;
    for (let i = 0; isSlow && i < 8; i += 1) await new Promise((resolve) => setImmediate(resolve));
    if (receives === undefined || value.kind !== 'tensor') return value;
    return value.data instanceof Uint8Array ? bytesValue(receives(value.data)) : value;
  }

  [Symbol.dispose]() {
    this.target[Symbol.dispose]();
  }
}

function inner(value: ExecutorValue): ExecutorValue {
  return (value as TamperedValue).target;
}

export function ints(...values: number[]): TensorValue<'int32'> {
  return new TensorValue('int32', [values.length], Int32Array.from(values));
}

/** One number for each client: what it knows and nobody else is to. */
export function secretOf(client: number): number {
  return 7001 + 13 * client;
}

/** `secret`, `reading` and `pair` of a client, and `typo`, whose value is not of its type. */
export function dataOf(client: number): DataSource {
  const secret = secretOf(client);
  return {
    resolve(uri) {
      switch (uri) {
        case 'secret':
          return new TensorValue('int32', [], Int32Array.of(secret));
        case 'readings':
          return ints(secret, secret + 1, secret + 2);
        case 'pair':
          return ints(secret % 100, 1);
        case 'rows':
          return { kind: 'sequence', elements: [ints(secret), ints(secret)] };
        case 'typo':
          return new TensorValue('string', [], [`secret ${secret}`]);
        case 'broken':
          throw new Error(`cannot read ${secret} of /home/client`);
        default:
          return null;
      }
    },
  };
}

export interface GuardedStack {
  run(computation: AnyComputation, ...args: unknown[]): Promise<unknown>;
  readonly guards: readonly GuardingExecutor[];
  /** What each client's log says. */
  readonly audits: readonly AuditEntry[][];
  readonly progress: ProgressStep[];
  [Symbol.asyncDispose](): Promise<void>;
}

export interface GuardedStackOptions {
  readonly clients?: number;
  readonly aggregation?: (identities: IdentityProvider) => SecureAggregation;
  readonly leaf?: Partial<GuardedLeafOptions>;
  readonly ledgers?: (client: number) => SessionLedger;
  /** What the server does to a client. */
  readonly tampering?: (client: number) => Tampering | undefined;
  /** Who is asked over a wire. */
  readonly remote?: (client: number) => boolean;
}

/** Server and guarded clients in one process. */
export async function guardedStack({
  clients = 4,
  aggregation = (identities) => secAgg({ identities, securityBits: 4, corruptRate: 0 }),
  leaf,
  ledgers,
  tampering = () => undefined,
  remote = () => false,
}: GuardedStackOptions = {}): Promise<GuardedStack> {
  const backend = await loadBackend();
  const identities = simulatedIdentities();
  const secure = aggregation(identities);
  const { operators } = secure.secureStack();
  const guards: GuardingExecutor[] = [];
  const audits: AuditEntry[][] = [];
  const progress: ProgressStep[] = [];
  const factory = localExecutorFactory({
    secureAggregation: secure,
    defaultClients: clients,
    lostClients: 'survive',
    leaf: (placement, index) => {
      if (placement !== 'clients') return leafExecutor(backend, { operators });
      const audit: AuditEntry[] = [];
      const ledger = ledgers && { ledger: ledgers(index) };
      const guard = guardOf({
        backend,
        client: index,
        identities,
        audit,
        leaf: { ...leaf, ...ledger },
      });
      guards[index] = guard;
      audits[index] = audit;
      const tampered = tampering(index);
      if (remote(index)) {
        const host = new ExecutorHost({ makeExecutor: async () => guard });
        return new RemoteExecutor(inMemoryCalls(host));
      }
      return tampered === undefined ? guard : new TamperingExecutor(guard, tampered);
    },
  });
  const context = new ExecutionContext(factory);
  context.on('progress', (event) => {
    if (event.stage === 'run') progress.push(event.step);
  });
  return {
    run: (computation, ...args) => context.invoke(computation, args),
    guards,
    audits,
    progress,
    [Symbol.asyncDispose]: () => context.close(),
  };
}

export function guardOf({
  backend,
  client = 0,
  identities = simulatedIdentities(),
  audit = [],
  leaf = {},
}: {
  readonly backend: Backend;
  readonly client?: number;
  readonly identities?: IdentityProvider;
  readonly audit?: AuditEntry[];
  readonly leaf?: Partial<GuardedLeafOptions> | undefined;
}): GuardingExecutor {
  return guardedLeaf({
    backend,
    identities,
    dataSource: dataOf(client),
    audit: { record: (entry) => void audit.push(entry) },
    ...leaf,
    policy: { securityBits: 4, corruptRate: 0, ...leaf.policy },
  });
}

const scaled = tensorComputation([int32(), int32()], (secret, model) => secret.mul(model));

/** `(int32@SERVER -> int32@SERVER)`: the sum of the clients' secrets times the model. */
export const secretSum = federatedComputation([atServer(int32())], (model) =>
  federatedSecureSum(
    federatedMap(scaled, [federatedData('secret', int32()), federatedBroadcast(model)]),
    100_000,
  ),
);

/** The same modulo 2^20, where any sum is one. */
export const modularSum = federatedComputation([atServer(int32())], (model) =>
  federatedSecureModularSum(
    federatedMap(scaled, [federatedData('secret', int32()), federatedBroadcast(model)]),
    2 ** 20,
  ),
);

export function sumOfSecrets(clients: number, ...without: number[]): number {
  let sum = 0;
  for (let i = 0; i < clients; i += 1) if (!without.includes(i)) sum += secretOf(i);
  return sum;
}
