/**
 * @file The executors that one peer shares, or all peers that are not told apart: the same
 * cardinalities get the same executor, which lives until all who asked for it have disposed of it.
 * Whatever fails with FAILED_PRECONDITION takes its executor down for all. After TensorFlow
 * Federated's executor service (cc/core/impl/executors/executor_service.cc).
 */

import { TRANSPORT_STATUS } from '../../../computations/types/index.ts';
import type { DecodeValueOptions, ExecutorId } from '../../../computations/wire/index.ts';
import type { Cardinalities, Executor } from '../../executor.ts';
import { interruptible } from '../../interruption.ts';
import type { ExecutorRequest } from '../calls.ts';
import { statusCodeOf, transportError } from '../status.ts';
import { HostedExecutor, noSuchExecutor } from './hosted-executor.ts';

export interface HostLimits {
  /** Executors at a time, of all peers. @default 1,000 */
  readonly maxExecutors: number;
  /** Executors at a time, of one connected peer. @default 100 */
  readonly maxExecutorsPerPeer: number;
  /** Values that an executor holds at a time. @default 100,000 */
  readonly maxValues: number;
  /** What data sent to an executor takes that it holds at a time; results are not counted. @default 2 GiB */
  readonly maxDataBytes: number;
  /** Participants at a placement. @default 100,000 */
  readonly maxCardinality: number;
  /** What data, and building blocks with their kernel graphs, may cost. */
  readonly decode: DecodeValueOptions;
}

/** What all groups of a service have in common. */
export interface Hosting {
  readonly makeExecutor: (cardinalities: Cardinalities) => Promise<Executor>;
  readonly answers: 'when-made' | 'at-once';
  readonly limits: HostLimits;
  /** In every identifier, so that those of an earlier service are not taken for ours. */
  readonly name: string;
  /** All groups that are not closed. */
  readonly groups: Set<PeerExecutors>;
  /** Executors that were ever made. */
  made: number;
}

export class PeerExecutors {
  readonly #hosting: Hosting;
  readonly #maxExecutors: number;
  readonly #byId = new Map<string, HostedExecutor>();
  readonly #byCardinalities = new Map<string, HostedExecutor>();
  #closing: Promise<void> | null = null;

  constructor(hosting: Hosting, maxExecutors: number) {
    this.#hosting = hosting;
    this.#maxExecutors = maxExecutors;
    hosting.groups.add(this);
  }

  get executors(): readonly HostedExecutor[] {
    return [...this.#byId.values()];
  }

  get limits(): HostLimits {
    return this.#hosting.limits;
  }

  get closed(): boolean {
    return this.#closing !== null;
  }

  /**
   * @returns the identifier of the executor for the cardinalities; whoever gets it disposes of it.
   * @throws what making it fails with, where requests are answered when their work is done; then the
   *   next request makes another one.
   */
  async hold(
    { cardinalities: asked }: ExecutorRequest<'getExecutor'>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const cardinalities = cardinalitiesOf(asked, this.limits.maxCardinality);
    const key = keyOf(cardinalities);
    const known = this.#byCardinalities.get(key);
    if (known !== undefined) known.holders += 1;
    const hosted = known ?? this.#start(cardinalities, key);
    if (this.#hosting.answers === 'at-once') return hosted.id;
    try {
      await interruptible(hosted.ready, signal);
      if (this.#byId.get(hosted.id) !== hosted) throw noSuchExecutor(hosted.id);
    } catch (error) {
      this.#release(hosted).catch(() => {});
      throw error;
    }
    return hosted.id;
  }

  /** One that is not known is gone already. */
  async release(id: string): Promise<void> {
    const hosted = this.#byId.get(id);
    if (hosted !== undefined) await this.#release(hosted);
  }

  find(id: string): HostedExecutor | undefined {
    return this.#byId.get(id);
  }

  /** Work on an executor; if it fails as FAILED_PRECONDITION, the executor is gone for all. */
  async on<T>(
    executor: ExecutorId | undefined,
    work: (hosted: HostedExecutor) => Promise<T>,
  ): Promise<T> {
    const id = executor?.id ?? '';
    const hosted = this.#byId.get(id);
    if (hosted === undefined) throw noSuchExecutor(id);
    try {
      return await work(hosted);
    } catch (error) {
      const code = statusCodeOf(error);
      if (code === TRANSPORT_STATUS['transport.failed_precondition']) {
        // Who made the request is told what failed, and not kept waiting for the end of the rest.
        this.#destroy(hosted).catch(() => {});
      }
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  #start(cardinalities: Cardinalities, key: string): HostedExecutor {
    const { makeExecutor, answers, name, groups, limits } = this.#hosting;
    const total = [...groups].reduce((sum, group) => sum + group.#byId.size, 0);
    if (total >= limits.maxExecutors || this.#byId.size >= this.#maxExecutors) {
      throw transportError(
        'transport.resource_exhausted',
        `This service holds ${total} executors, ${this.#byId.size} of them of this peer, and may not hold more.`,
      );
    }
    this.#hosting.made += 1;
    const counts = Object.entries(cardinalities).map(([uri, count]) => `${uri}=${count}`);
    const id = `${counts.join(',')}/${name}/${this.#hosting.made}`;
    const target = (async () => makeExecutor(cardinalities))();
    const { maxValues, maxDataBytes } = limits;
    const waits = answers === 'when-made';
    const hosted = new HostedExecutor(id, key, target, { maxValues, maxDataBytes, waits });
    this.#byId.set(id, hosted);
    this.#byCardinalities.set(key, hosted);
    hosted.ready.catch(() => {
      // The next who asks has it made anew. Those who asked before let go of it as they are told: now,
      // or, where they were answered already, at the first use.
      if (this.#byCardinalities.get(key) === hosted) this.#byCardinalities.delete(key);
    });
    return hosted;
  }

  async #release(hosted: HostedExecutor): Promise<void> {
    hosted.holders -= 1;
    if (hosted.holders <= 0) await this.#destroy(hosted);
  }

  async #destroy(hosted: HostedExecutor): Promise<void> {
    this.#byId.delete(hosted.id);
    if (this.#byCardinalities.get(hosted.key) === hosted) this.#byCardinalities.delete(hosted.key);
    await hosted.close();
  }

  async #shutDown(): Promise<void> {
    this.#hosting.groups.delete(this);
    await Promise.allSettled(this.executors.map((hosted) => this.#destroy(hosted)));
  }
}

/** In the order of their names, so that equal ones read the same. */
function cardinalitiesOf(
  asked: ExecutorRequest<'getExecutor'>['cardinalities'],
  most: number,
): Cardinalities {
  if (asked.length > MAX_PLACEMENTS) {
    throw transportError(
      'transport.resource_exhausted',
      `${asked.length} cardinalities were stated; at most ${MAX_PLACEMENTS} are read.`,
    );
  }
  const counts = new Map<string, number>();
  for (const { placement, cardinality } of asked) {
    const uri = placement?.uri ?? '';
    const isCount = Number.isSafeInteger(cardinality) && cardinality >= 0;
    if (!/^[a-z][a-z_]{0,39}$/.test(uri) || counts.has(uri) || !isCount) {
      throw transportError(
        'transport.invalid_argument',
        `${cardinality} at ${JSON.stringify(uri.slice(0, 60))} is no cardinality of a placement that is stated once.`,
      );
    }
    if (cardinality > most) {
      throw transportError(
        'transport.resource_exhausted',
        `${cardinality} participants at ${uri} are more than the ${most} that this service makes.`,
      );
    }
    counts.set(uri, cardinality);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function keyOf(cardinalities: Cardinalities): string {
  return JSON.stringify(Object.entries(cardinalities));
}

const MAX_PLACEMENTS = 16;
