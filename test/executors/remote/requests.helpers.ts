/** @file Requests by hand, and executors that do what a test tells them. */

import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import type { MaterializedValue, Type } from '../../../computations/types/index.ts';
import {
  blockToValueMessage,
  ExecutorGroup,
  toValueMessage,
} from '../../../computations/wire/index.ts';
import type { Executor, ExecutorValue } from '../../../executors/executor.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorResponse,
} from '../../../executors/remote/calls.ts';

export type RequestInit<M extends ExecutorMethod> = MessageInitShape<
  (typeof ExecutorGroup.method)[M]['input']
>;

/** A call with fields instead of a message. */
export function ask<M extends ExecutorMethod>(
  calls: ExecutorCalls,
  method: M,
  fields: RequestInit<M>,
  options: Partial<CallOptions> = {},
): Promise<ExecutorResponse<M>> {
  const request = create(ExecutorGroup.method[method].input, fields as never);
  return calls.call(method, request as never, { timeoutMs: 10_000, ...options });
}

/** A peer that has asked for an executor. */
export class Peer {
  readonly calls: ExecutorCalls;
  readonly executor: { readonly id: string };

  private constructor(calls: ExecutorCalls, id: string) {
    this.calls = calls;
    this.executor = { id };
  }

  static async of(
    calls: ExecutorCalls,
    cardinalities: { readonly [uri: string]: number } = {},
  ): Promise<Peer> {
    const response = await ask(calls, 'getExecutor', {
      cardinalities: Object.entries(cardinalities).map(([uri, cardinality]) => ({
        placement: { uri },
        cardinality,
      })),
    });
    return new Peer(calls, response.executor?.id ?? '');
  }

  async data(value: MaterializedValue, type: Type, options?: Partial<CallOptions>) {
    const { executor, calls } = this;
    const fields = { executor, value: toValueMessage(value, type) };
    return idOf(await ask(calls, 'createValue', fields, options));
  }

  async block(block: BuildingBlock) {
    const { executor, calls } = this;
    return idOf(await ask(calls, 'createValue', { executor, value: blockToValueMessage(block) }));
  }

  async apply(fn: string, argument?: string, options?: Partial<CallOptions>) {
    const { executor, calls } = this;
    const fields = {
      executor,
      functionRef: { id: fn },
      ...(argument !== undefined && { argumentRef: { id: argument } }),
    };
    return idOf(await ask(calls, 'createCall', fields, options));
  }

  async struct(...ids: string[]) {
    const { executor, calls } = this;
    const element = ids.map((id) => ({ valueRef: { id } }));
    return idOf(await ask(calls, 'createStruct', { executor, element }));
  }

  async select(id: string, index: number) {
    const { executor, calls } = this;
    return idOf(await ask(calls, 'createSelection', { executor, sourceRef: { id }, index }));
  }

  async compute(id: string, options?: Partial<CallOptions>) {
    const { executor, calls } = this;
    return (await ask(calls, 'compute', { executor, valueRef: { id } }, options)).value;
  }

  async dispose(...ids: string[]) {
    const { executor, calls } = this;
    await ask(calls, 'dispose', { executor, valueRef: ids.map((id) => ({ id })) });
  }

  async leave() {
    await ask(this.calls, 'disposeExecutor', { executor: this.executor });
  }
}

export function idOf({ valueRef }: { readonly valueRef?: { readonly id: string } | undefined }) {
  if (valueRef === undefined) throw new TypeError('no value');
  return valueRef.id;
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** An executor whose values are made when the test says so; it counts those that live. */
export class ManualExecutor implements Executor {
  /** What waits to be made, in order, with the signal of its request. */
  readonly making: { readonly made: Deferred<void>; readonly signal: AbortSignal | undefined }[] =
    [];
  live = 0;
  closed = 0;
  readonly #type: Type;
  readonly #content: MaterializedValue;
  readonly #obeys: boolean;

  /** @param obeys whether it stops when it is told to. */
  constructor(type: Type, content: MaterializedValue, { obeys = true } = {}) {
    this.#type = type;
    this.#content = content;
    this.#obeys = obeys;
  }

  createValue: Executor['createValue'] = (_value, _type, options) => this.#make(options?.signal);
  createCall: Executor['createCall'] = (_fn, _argument, options) => this.#make(options?.signal);
  createStruct: Executor['createStruct'] = () => this.#make(undefined);
  createSelection: Executor['createSelection'] = () => this.#make(undefined);

  async close(): Promise<void> {
    this.closed += 1;
  }

  async #make(signal: AbortSignal | undefined): Promise<ExecutorValue> {
    const made = deferred<void>();
    this.making.push({ made, signal });
    if (this.#obeys) signal?.addEventListener('abort', () => made.reject(signal.reason));
    await made.promise;
    this.live += 1;
    return {
      type: this.#type,
      compute: async () => this.#content,
      [Symbol.dispose]: () => {
        this.live -= 1;
      },
    };
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
