/**
 * @file Serves executors to other processes: makes them for the cardinalities that are asked for, and
 * holds their values by number. After TensorFlow Federated's executor service
 * (cc/core/impl/executors/executor_service.cc): the same cardinalities get the same executor, which
 * lives until all who asked for it have disposed of it; whatever fails with FAILED_PRECONDITION takes
 * its executor down for all.
 */

import { create } from '@bufbuild/protobuf';
import { TRANSPORT_STATUS } from '../../computations/types/index.ts';
import {
  type DecodeBlockOptions,
  ExecutorGroup,
  type ExecutorId,
  fromValueMessage,
  toValueMessage,
  type Value as ValueMessage,
  type ValueRef,
} from '../../computations/wire/index.ts';
import { INTRINSICS, intrinsicTypeRule } from '../../intrinsics/table.ts';
import type { Cardinalities, Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { readAgain } from '../materialized.ts';
import { callLimit } from './call-limit.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from './calls.ts';
import { HostedExecutor } from './hosted-executor.ts';
import { statusOf, transportError } from './status.ts';

export interface ExecutorHostOptions {
  /**
   * Makes an executor for so many participants at each placement; for none at all, that of a single
   * participant. It is closed when nobody uses it any more.
   */
  readonly makeExecutor: (cardinalities: Cardinalities) => Promise<Executor>;
  /**
   * When a request for a value is answered: `when-made`, so that what fails is told at once;
   * `at-once`, as TensorFlow Federated has it: only `compute` takes long, and tells what failed.
   * @default 'when-made'
   */
  readonly answers?: 'when-made' | 'at-once';
  readonly limits?: Partial<HostLimits>;
}

export interface HostLimits {
  /** Executors at a time, of different cardinalities. @default 1,000 */
  readonly maxExecutors: number;
  /** Values that an executor holds at a time. @default 100,000 */
  readonly maxValues: number;
  /** Participants at a placement. @default 100,000 */
  readonly maxCardinality: number;
  /** What building blocks and their kernel graphs may cost. */
  readonly decode: DecodeBlockOptions;
}

export interface HostUsage {
  readonly executors: number;
  readonly values: number;
}

export class ExecutorHost implements ExecutorCalls {
  readonly #options: Required<Omit<ExecutorHostOptions, 'limits'>>;
  readonly #limits: HostLimits;
  /** In every identifier, so that those of an earlier host are not taken for ours. */
  readonly #name = randomName();
  readonly #byId = new Map<string, HostedExecutor>();
  readonly #byCardinalities = new Map<string, HostedExecutor>();
  #made = 0;
  #closing: Promise<void> | null = null;

  constructor({ makeExecutor, answers = 'when-made', limits = {} }: ExecutorHostOptions) {
    this.#options = { makeExecutor, answers };
    this.#limits = {
      maxExecutors: 1_000,
      maxValues: 100_000,
      maxCardinality: 100_000,
      ...limits,
      decode: { intrinsicTypeRule: knownIntrinsicRule, ...limits.decode },
    };
  }

  /** What is held, for tests of leaks and for logs. */
  get usage(): HostUsage {
    const executors = [...this.#byId.values()];
    return {
      executors: executors.length,
      values: executors.reduce((sum, { size }) => sum + size, 0),
    };
  }

  async call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    if (this.#closing !== null) {
      throw transportError('transport.unavailable', 'The executor service is closed.');
    }
    const serve: Serve<M> = SERVES[method];
    using limit = callLimit(options, `${method} at the executor service`);
    const response = await limit.within(
      serve(request, { group: this, options: { signal: limit.signal } }),
    );
    return create(ExecutorGroup.method[method].output, response) as ExecutorResponse<M>;
  }

  /**
   * The calls of one peer: what it asked for and did not dispose of is disposed of when its connection
   * ends.
   */
  connect(): ConnectedCalls {
    return new ConnectedCalls(this);
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  /** @internal */
  getExecutor({ cardinalities: asked }: ExecutorRequest<'getExecutor'>): string {
    const cardinalities = cardinalitiesOf(asked, this.#limits.maxCardinality);
    const key = JSON.stringify(Object.entries(cardinalities).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#byCardinalities.get(key);
    if (known !== undefined) {
      known.holders += 1;
      return known.id;
    }
    if (this.#byId.size >= this.#limits.maxExecutors) {
      throw transportError(
        'transport.resource_exhausted',
        `This service holds ${this.#byId.size} executors, as many as it may.`,
      );
    }
    const counts = Object.entries(cardinalities).map(([uri, count]) => `${uri}=${count}`);
    this.#made += 1;
    const id = `${counts.join(',')}/${this.#name}/${this.#made}`;
    const hosted = new HostedExecutor(id, key, this.#options.makeExecutor(cardinalities), {
      maxValues: this.#limits.maxValues,
      waits: this.#options.answers === 'when-made',
    });
    this.#byId.set(id, hosted);
    this.#byCardinalities.set(key, hosted);
    return id;
  }

  /** @internal */
  disposeExecutor(id: string): Promise<void> {
    const hosted = this.#byId.get(id);
    if (hosted === undefined) return Promise.resolve();
    hosted.holders -= 1;
    return hosted.holders > 0 ? Promise.resolve() : this.#destroy(hosted);
  }

  /** @internal */
  find(id: string): HostedExecutor | undefined {
    return this.#byId.get(id);
  }

  /**
   * Work on an executor; if it fails as FAILED_PRECONDITION, the executor is gone for all.
   * @internal
   */
  async on<T>(
    executor: ExecutorId | undefined,
    work: (hosted: HostedExecutor) => Promise<T>,
  ): Promise<T> {
    const id = executor?.id ?? '';
    const hosted = this.#byId.get(id);
    if (hosted === undefined) {
      throw transportError(
        'transport.failed_precondition',
        `No executor found for ID '${id.slice(0, 200)}'. Ask for one anew.`,
      );
    }
    try {
      return await work(hosted);
    } catch (error) {
      if (isFailedPrecondition(error)) await this.#destroy(hosted);
      throw error;
    }
  }

  /** @internal */
  received(value: ValueMessage | undefined) {
    if (value === undefined) {
      throw transportError('transport.invalid_argument', 'The request holds no value.');
    }
    return fromValueMessage(value, this.#limits.decode);
  }

  async #destroy(hosted: HostedExecutor): Promise<void> {
    this.#byId.delete(hosted.id);
    if (this.#byCardinalities.get(hosted.key) === hosted) this.#byCardinalities.delete(hosted.key);
    await hosted.close();
  }

  async #shutDown(): Promise<void> {
    await Promise.allSettled([...this.#byId.values()].map((hosted) => this.#destroy(hosted)));
  }
}

/** The calls of one connection; see `ExecutorHost.connect`. */
export class ConnectedCalls implements ExecutorCalls {
  readonly #host: ExecutorHost;
  readonly #held = new Map<string, number>();
  #closed = false;

  constructor(host: ExecutorHost) {
    this.#host = host;
  }

  async call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    if (this.#closed) throw transportError('transport.unavailable', 'The connection is closed.');
    // What others asked for is none of this peer's business, though it guess the name.
    if (method !== 'getExecutor' && !this.#held.has(executorOf(request))) {
      if (method === 'dispose' || method === 'disposeExecutor') {
        return create(ExecutorGroup.method[method].output) as ExecutorResponse<M>;
      }
      throw transportError(
        'transport.failed_precondition',
        `No executor found for ID '${executorOf(request).slice(0, 200)}'. Ask for one anew.`,
      );
    }
    const response = await this.#host.call(method, request, options);
    if (method === 'getExecutor') {
      const { executor } = response as ExecutorResponse<'getExecutor'>;
      const id = executor?.id ?? '';
      if (this.#closed) await this.#host.disposeExecutor(id);
      else this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    } else if (method === 'disposeExecutor') {
      this.#release(executorOf(request));
    }
    return response;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const ids = [...this.#held].flatMap(([id, count]) => new Array<string>(count).fill(id));
    this.#held.clear();
    await Promise.allSettled(ids.map((id) => this.#host.disposeExecutor(id)));
  }

  #release(id: string): void {
    const left = (this.#held.get(id) ?? 1) - 1;
    if (left > 0) this.#held.set(id, left);
    else this.#held.delete(id);
  }
}

interface Serving {
  readonly group: ExecutorHost;
  readonly options: RequestOptions;
}

/** What becomes a response, field by field. */
type Serve<M extends ExecutorMethod> = (
  request: ExecutorRequest<M>,
  serving: Serving,
) => Promise<object>;

const SERVES: { readonly [M in ExecutorMethod]: Serve<M> } = {
  getExecutor: async (request, { group }) => ({ executor: { id: group.getExecutor(request) } }),

  createValue: ({ value: message, executor }, { group, options }) =>
    group.on(executor, async (hosted) => {
      const received = group.received(message);
      return made(
        await hosted.make(options, (target, within) =>
          received.kind === 'block'
            ? target.createValue(received.block, received.block.type, within)
            : target.createValue(received.value, received.type, within),
        ),
      );
    }),

  createCall: ({ functionRef, argumentRef, executor }, { group, options }) =>
    group.on(executor, async (hosted) => {
      const refs = [requiredRef(functionRef), ...(argumentRef === undefined ? [] : [argumentRef])];
      return made(
        await hosted.make(
          options,
          (target, within, [fn, argument]) =>
            target.createCall(fn as ExecutorValue, argument, within),
          refs.map(({ id }) => id),
        ),
      );
    }),

  createStruct: ({ element, executor }, { group, options }) =>
    group.on(executor, async (hosted) => {
      const ids = element.map(({ valueRef }) => requiredRef(valueRef).id);
      return made(
        await hosted.make(
          options,
          (target, _, values) =>
            target.createStruct(
              element.map(({ name }, i) => ({
                name: name === '' ? null : name,
                value: values[i] as ExecutorValue,
              })),
            ),
          ids,
        ),
      );
    }),

  createSelection: ({ sourceRef, index, executor }, { group, options }) =>
    group.on(executor, async (hosted) =>
      made(
        await hosted.make(
          options,
          (target, _, [source]) => target.createSelection(source as ExecutorValue, index),
          [requiredRef(sourceRef).id],
        ),
      ),
    ),

  compute: ({ valueRef, executor }, { group, options }) =>
    group.on(executor, (hosted) =>
      hosted.use([requiredRef(valueRef).id], async ([held]) => {
        const value = held as ExecutorValue;
        const data = await readAgain(await value.compute(options), options.signal);
        return { value: toValueMessage(data, value.type) };
      }),
    ),

  dispose: async ({ valueRef, executor }, { group }) => {
    const hosted = group.find(executor?.id ?? '');
    for (const { id } of valueRef) hosted?.dispose(id);
    return {};
  },

  disposeExecutor: async ({ executor }, { group }) => {
    await group.disposeExecutor(executor?.id ?? '');
    return {};
  },
};

function made(id: string): { readonly valueRef: { readonly id: string } } {
  return { valueRef: { id } };
}

function requiredRef(ref: ValueRef | undefined): ValueRef {
  if (ref !== undefined) return ref;
  throw transportError('transport.invalid_argument', 'The request lacks a reference to a value.');
}

function executorOf(request: ExecutorRequest<ExecutorMethod>): string {
  return 'executor' in request ? (request.executor?.id ?? '') : '';
}

function cardinalitiesOf(
  asked: ExecutorRequest<'getExecutor'>['cardinalities'],
  most: number,
): Cardinalities {
  const cardinalities: Record<string, number> = Object.create(null);
  for (const { placement, cardinality } of asked) {
    const uri = placement?.uri ?? '';
    if (!/^[a-z_]{1,40}$/.test(uri) || uri in cardinalities || cardinality < 0) {
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
    cardinalities[uri] = cardinality;
  }
  return cardinalities;
}

/** Operators have type rules of their own, where they are known. */
function knownIntrinsicRule(uri: string, type: Parameters<typeof intrinsicTypeRule>[1]): void {
  if (INTRINSICS.has(uri)) intrinsicTypeRule(uri, type);
}

function isFailedPrecondition(error: unknown): boolean {
  return statusOf(error).code === TRANSPORT_STATUS['transport.failed_precondition'];
}

function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
