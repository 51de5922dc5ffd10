/** @file What each method of the service does with the executors of a group. */

import { create } from '@bufbuild/protobuf';
import type {
  BatchRequest,
  BatchResponse,
} from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import {
  ExecutorGroup,
  fromValueMessage,
  type ReceivedValue,
  toValueMessage,
  type Value as ValueMessage,
  type ValueRef,
} from '../../../computations/wire/index.ts';
import type { ExecutorValue, RequestOptions } from '../../executor.ts';
import { readAgain } from '../../materialized.ts';
import { memoryOf } from '../../watching/value-size.ts';
import { callLimit } from '../call-limit.ts';
import type {
  CallOptions,
  ExecutorCalls,
  ExecutorMethod,
  ExecutorRequest,
  ExecutorResponse,
} from '../calls.ts';
import { requireModestStruct } from '../messages/struct-size.ts';
import { transportError } from '../status.ts';
import { takeBack, takeBackBatch } from '../take-back.ts';
import type { PeerExecutors } from './peer-executors.ts';
import { serveBatch } from './serve-batch.ts';

/** Calls that a group of executors answers. */
export class GroupCalls implements ExecutorCalls {
  readonly #group: PeerExecutors;

  constructor(group: PeerExecutors) {
    this.#group = group;
  }

  async call<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    options: CallOptions,
  ): Promise<ExecutorResponse<M>> {
    this.#requireOpen();
    if (!Object.hasOwn(SERVES, method)) {
      throw transportError(
        'transport.unimplemented',
        `The executor service has no method '${String(method).slice(0, 60)}'.`,
      );
    }
    using limit = callLimit(options, `${method} at the executor service`);
    limit.signal.throwIfAborted();
    const serving = this.#serve(method, request, limit.signal);
    return await limit.within(serving, (late) => takeBack(this, method, request, late));
  }

  async batch(request: BatchRequest, options: CallOptions): Promise<BatchResponse> {
    this.#requireOpen();
    using limit = callLimit(options, 'A batch at the executor service');
    limit.signal.throwIfAborted();
    const serving = serveBatch(request, (method, one) => this.#serve(method, one, limit.signal));
    return await limit.within(serving, (late) => takeBackBatch(this, request, late.made));
  }

  async #serve<M extends ExecutorMethod>(
    method: M,
    request: ExecutorRequest<M>,
    signal: AbortSignal,
  ): Promise<ExecutorResponse<M>> {
    const serve: Serve<M> = SERVES[method];
    const response = await serve(request, { group: this.#group, options: { signal } });
    return create(ExecutorGroup.method[method].output, response) as ExecutorResponse<M>;
  }

  #requireOpen(): void {
    if (!this.#group.closed) return;
    throw transportError('transport.unavailable', 'The executor service is closed.');
  }
}

interface Serving {
  readonly group: PeerExecutors;
  readonly options: RequestOptions;
}

/** What becomes a response, field by field. */
type Serve<M extends ExecutorMethod> = (
  request: ExecutorRequest<M>,
  serving: Serving,
) => Promise<object>;

const SERVES: { readonly [M in ExecutorMethod]: Serve<M> } = {
  getExecutor: async (request, { group, options }) => ({
    executor: { id: await group.hold(request, options.signal) },
  }),

  createValue: ({ value: message, executor }, { group, options }) =>
    group.on(executor, async (hosted) => {
      const received = receive(message, group);
      const dataBytes = received.kind === 'data' ? memoryOf(received.value) : 0;
      return made(
        await hosted.make(
          options,
          (target, within) =>
            received.kind === 'block'
              ? target.createValue(received.block, received.block.type, within)
              : target.createValue(received.value, received.type, within),
          { dataBytes },
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
          { from: refs.map(({ id }) => id) },
        ),
      );
    }),

  createStruct: ({ element, executor }, { group, options }) =>
    group.on(executor, async (hosted) => {
      const from = element.map(({ valueRef }) => requiredRef(valueRef).id);
      return made(
        await hosted.make(
          options,
          async (target, _, values) => {
            requireModestStruct(values);
            return target.createStruct(
              element.map(({ name }, i) => ({
                name: name === '' ? null : name,
                value: values[i] as ExecutorValue,
              })),
            );
          },
          { from },
        ),
      );
    }),

  createSelection: ({ sourceRef, index, executor }, { group, options }) =>
    group.on(executor, async (hosted) =>
      made(
        await hosted.make(
          options,
          (target, _, [source]) => target.createSelection(source as ExecutorValue, index),
          { from: [requiredRef(sourceRef).id] },
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
    await group.release(executor?.id ?? '');
    return {};
  },
};

function receive(message: ValueMessage | undefined, group: PeerExecutors): ReceivedValue {
  if (message === undefined) {
    throw transportError('transport.invalid_argument', 'The request holds no value.');
  }
  return fromValueMessage(message, group.limits.decode);
}

function made(id: string): { readonly valueRef: { readonly id: string } } {
  return { valueRef: { id } };
}

function requiredRef(ref: ValueRef | undefined): ValueRef {
  if (ref !== undefined) return ref;
  throw transportError('transport.invalid_argument', 'The request lacks a reference to a value.');
}
