/**
 * @file Serves executors to other processes: makes them for the cardinalities that are asked for, and
 * holds their values by number. After TensorFlow Federated's executor service, see PeerExecutors.
 */

import type {
  BatchRequest,
  BatchResponse,
} from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import { INTRINSICS, intrinsicTypeRule } from '../../../intrinsics/table.ts';
import type { Cardinalities, Executor } from '../../executor.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../calls.ts';
import { transportError } from '../status.ts';
import { type Hosting, type HostLimits, PeerExecutors } from './peer-executors.ts';
import { GroupCalls } from './serve.ts';

export type { HostLimits } from './peer-executors.ts';

export interface ExecutorHostOptions {
  /**
   * Makes an executor for so many participants at each placement; for none at all, that of a single
   * participant. It is closed when nobody uses it any more.
   */
  readonly makeExecutor: (cardinalities: Cardinalities) => Promise<Executor>;
  /**
   * When a request for an executor or a value is answered: `when-made`, so that what fails is told at
   * once; `at-once`, as TensorFlow Federated has it: only `compute` takes long, and tells what failed.
   * @default 'when-made'
   */
  readonly answers?: 'when-made' | 'at-once';
  readonly limits?: Partial<HostLimits>;
}

export interface HostUsage {
  readonly executors: number;
  readonly values: number;
}

/**
 * Its own calls are those of peers that are not told apart: they share executors, and could name each
 * other's values. Peers that are, by a connection or a certificate, each get calls by `connect`.
 */
export class ExecutorHost implements ExecutorCalls {
  readonly #hosting: Hosting;
  readonly #shared: GroupCalls;
  #closing: Promise<void> | null = null;

  constructor({ makeExecutor, answers = 'when-made', limits = {} }: ExecutorHostOptions) {
    this.#hosting = {
      makeExecutor,
      answers,
      name: randomName(),
      groups: new Set(),
      made: 0,
      limits: {
        maxExecutors: 1_000,
        maxExecutorsPerPeer: 100,
        maxValues: 100_000,
        maxDataBytes: 2 ** 31,
        maxCardinality: 100_000,
        ...limits,
        decode: { intrinsicTypeRule: knownIntrinsicRule, ...limits.decode },
      },
    };
    const { maxExecutors } = this.#hosting.limits;
    this.#shared = new GroupCalls(new PeerExecutors(this.#hosting, maxExecutors));
  }

  /** What is held, for tests of leaks and for logs. */
  get usage(): HostUsage {
    const executors = [...this.#hosting.groups].flatMap((group) => group.executors);
    return {
      executors: executors.length,
      values: executors.reduce((sum, { size }) => sum + size, 0),
    };
  }

  call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    return this.#shared.call(method, request, options);
  }

  batch(request: BatchRequest, options: CallOptions): Promise<BatchResponse> {
    return this.#shared.batch(request, options);
  }

  /** The calls of one peer, with executors of its own: it ends with its connection. */
  connect(): ConnectedCalls {
    if (this.#closing !== null) {
      throw transportError('transport.unavailable', 'The executor service is closed.');
    }
    return new ConnectedCalls(this.#hosting);
  }

  /** Ends the work of all peers, and closes all executors. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    await Promise.all([...this.#hosting.groups].map((group) => group.close()));
  }
}

/**
 * The calls of one peer; see `ExecutorHost.connect`. What it asked for and did not dispose of is
 * disposed of when they are closed. It cannot reach what others asked for, though it guess the name.
 */
export class ConnectedCalls implements ExecutorCalls {
  readonly #group: PeerExecutors;
  readonly #calls: GroupCalls;

  /** @internal Made by `ExecutorHost.connect`. */
  constructor(hosting: Hosting) {
    this.#group = new PeerExecutors(hosting, hosting.limits.maxExecutorsPerPeer);
    this.#calls = new GroupCalls(this.#group);
  }

  call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    return this.#calls.call(method, request, options);
  }

  batch(request: BatchRequest, options: CallOptions): Promise<BatchResponse> {
    return this.#calls.batch(request, options);
  }

  close(): Promise<void> {
    return this.#group.close();
  }
}

/** Operators have type rules of their own, where they are known. */
function knownIntrinsicRule(uri: string, type: Parameters<typeof intrinsicTypeRule>[1]): void {
  if (INTRINSICS.has(uri)) intrinsicTypeRule(uri, type);
}

function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
