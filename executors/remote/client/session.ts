/**
 * @file The side of a caller: one executor in another process, asked for at first use, and what it
 * holds for us. Every call has a time limit. Values are disposed of a few at a time.
 */

import { create } from '@bufbuild/protobuf';
import { ContextError, TRANSPORT_STATUS } from '../../../computations/types/index.ts';
import {
  type BatchRequest,
  BatchRequestSchema,
  type BatchResponse,
} from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import { ExecutorGroup, type ExecutorId } from '../../../computations/wire/index.ts';
import { SharedWork } from '../../caching/shared-work.ts';
import type { Cardinalities } from '../../executor.ts';
import { onAbort } from '../../interruption.ts';
import { callLimit } from '../call-limit.ts';
import type { ExecutorCalls, ExecutorMethod, ExecutorRequest, ExecutorResponse } from '../calls.ts';
import { statusCodeOf, transportError } from '../status.ts';
import { takeBack, takeBackBatch } from '../take-back.ts';

export interface SessionOptions {
  /** Whom the executor is for; for none at all it is that of a single participant. */
  readonly cardinalities: Cardinalities;
  /** How long what is quick may take: asking for an executor, disposing. */
  readonly callTimeoutMs: number;
  /** How long the end of everything may take, when nobody answers. */
  readonly closeTimeoutMs: number;
  /** Values that wait to be disposed of, at most. */
  readonly disposeBatchSize: number;
  /** How long they wait for more of them. */
  readonly disposeDelayMs: number;
}

/** Methods that make a value. */
export type MakingMethod = 'createValue' | 'createCall' | 'createStruct' | 'createSelection';

/** A request without the executor, which the session adds. */
export type Body<M extends ExecutorMethod> = Omit<ExecutorRequest<M>, 'executor' | '$typeName'>;

/** A batch without the executor and what is disposed of, which the session adds. */
export interface BatchBody {
  readonly steps: BatchRequest['steps'];
  /** The number of a value, or `#` and that of a step. */
  readonly computed?: string;
}

export interface SessionCall {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

export class RemoteSession {
  readonly #calls: ExecutorCalls;
  readonly #options: SessionOptions;
  #takesBatches: boolean;
  /** Answered so far. */
  #batches = 0;
  #executor: ExecutorId | null = null;
  #asking: SharedWork<ExecutorId> | null = null;
  /** Why the executor is gone, if the service said so. */
  #lost: Error | null = null;
  #closed = false;
  readonly #running = new Set<AbortController>();
  /** Values that are ours. */
  readonly #held = new Set<string>();
  /** Values that are to be disposed of. */
  #unwanted: string[] = [];
  /** Values of which the service was told, but did not say yet that they are gone. */
  readonly #leaving = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #disposing = new Set<Promise<void>>();

  constructor(calls: ExecutorCalls, options: SessionOptions) {
    this.#calls = calls;
    this.#options = options;
    this.#takesBatches = calls.batch !== undefined;
  }

  /** @returns the number of the new value, which is ours until we dispose of it. */
  async make<M extends MakingMethod>(method: M, body: Body<M>, call: SessionCall): Promise<string> {
    const response = await this.#callOn(method, body, call);
    if (response.valueRef === undefined) throw wrongAnswer(method, 'no value');
    return response.valueRef.id;
  }

  /** Whether the other side takes batches, as far as is known. */
  get takesBatches(): boolean {
    return this.#takesBatches;
  }

  /**
   * Several requests in one, with what is to be disposed of.
   * @returns with a value for each step that is not temporary, which is ours until we dispose of it;
   *   `null` if the other side takes no batches, and never will.
   */
  async batch(body: BatchBody, call: SessionCall): Promise<BatchResponse | null> {
    const disposed = this.#takeUnwanted();
    const batching = this.#batchWith(disposed, body, call);
    if (disposed.length > 0) this.#untilDisposed(batching);
    try {
      return await batching;
    } catch (error) {
      // Later on it is a step that the other side does not know.
      if (statusCodeOf(error) !== UNIMPLEMENTED || this.#batches > 0) throw error;
      this.#takesBatches = false;
      return null;
    }
  }

  compute(id: string, call: SessionCall): Promise<ExecutorResponse<'compute'>> {
    return this.#callOn('compute', { valueRef: refTo(id) }, call);
  }

  /** Disposes of a value, soon. */
  dispose(id: string): void {
    if (this.#held.delete(id)) this.#disposeSoon([id]);
  }

  #disposeSoon(ids: readonly string[]): void {
    if (ids.length === 0 || this.#closed || this.#lost !== null) return;
    this.#unwanted.push(...ids);
    if (this.#unwanted.length >= this.#options.disposeBatchSize) this.#disposeUnwanted();
    else this.#timer ??= setTimeout(() => this.#disposeUnwanted(), this.#options.disposeDelayMs);
  }

  /** Waits until the service knows of all that was disposed of, or cannot be told. */
  async flush(): Promise<void> {
    this.#disposeUnwanted();
    await Promise.all(this.#disposing);
    // What a batch could not tell.
    this.#disposeUnwanted();
    await Promise.all(this.#disposing);
  }

  /** Ends all calls, and gives the executor back with all that it holds. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const controller of this.#running) controller.abort(closed());
    const executor = this.#executor;
    if (executor === null || this.#lost !== null) return;
    // Others may use the same executor, which lives on then; what we put there must not.
    const ids = [...this.#held, ...this.#unwanted, ...this.#leaving];
    const deadline = Date.now() + this.#options.closeTimeoutMs;
    const limit = () => ({ timeoutMs: Math.max(1, deadline - Date.now()) });
    try {
      for (let start = 0; start < ids.length; start += MAX_DISPOSED) {
        const valueRef = ids.slice(start, start + MAX_DISPOSED).map(refTo);
        const message = create(ExecutorGroup.method.dispose.input, { executor, valueRef });
        await this.#bounded('dispose', message, limit());
      }
      const message = create(ExecutorGroup.method.disposeExecutor.input, { executor });
      await this.#bounded('disposeExecutor', message, limit());
    } catch {
      // With the channel, or the service, what it held for us is gone; nobody could do more.
    }
  }

  async #batchWith(
    disposed: readonly string[],
    { steps, computed }: BatchBody,
    call: SessionCall,
  ): Promise<BatchResponse> {
    try {
      const response = await this.#onExecutor(async (executor) => {
        const message = create(BatchRequestSchema, {
          executor,
          steps: [...steps],
          disposed: disposed.map(refTo),
          ...(computed !== undefined && { computed: refTo(computed) }),
        });
        return this.#runBatch(message, call);
      }, call);
      const kept = steps.filter(({ temporary }) => !temporary).length;
      if (response.made.length !== kept) {
        throw wrongAnswer('a batch', `${response.made.length} values of ${kept}`);
      }
      this.#batches += 1;
      for (const id of disposed) this.#leaving.delete(id);
      return response;
    } catch (error) {
      // Whether it got that far is not known. To dispose of a value again does no harm.
      for (const id of disposed) this.#leaving.delete(id);
      this.#disposeSoon(disposed);
      throw error;
    }
  }

  /** `flush` waits for it. */
  #untilDisposed(telling: Promise<unknown>): void {
    const told = telling
      .then(
        () => {},
        () => {},
      )
      .finally(() => this.#disposing.delete(told));
    this.#disposing.add(told);
  }

  #callOn<M extends MakingMethod | 'compute'>(
    method: M,
    body: Body<M>,
    call: SessionCall,
  ): Promise<ExecutorResponse<M>> {
    return this.#onExecutor((executor) => {
      const fields = { ...body, executor };
      const message = create(ExecutorGroup.method[method].input, fields) as ExecutorRequest<M>;
      return this.#run(method, message, call);
    }, call);
  }

  async #onExecutor<T>(
    work: (executor: ExecutorId) => Promise<T>,
    { signal }: SessionCall,
  ): Promise<T> {
    const executor = this.#executor ?? (await this.#ask(signal));
    this.#requireUsable();
    try {
      return await work(executor);
    } catch (error) {
      if (statusCodeOf(error) === FAILED_PRECONDITION && !this.#closed) {
        // Its values are gone with it: a new executor would take their numbers for other ones.
        this.#lost ??= error as Error;
        clearTimeout(this.#timer);
      }
      throw error;
    }
  }

  /** Whoever comes first asks; the others wait for the same answer. A failure is not kept. */
  async #ask(signal: AbortSignal | undefined): Promise<ExecutorId> {
    this.#requireUsable();
    if (this.#asking === null || this.#asking.abandoned) {
      const asking: SharedWork<ExecutorId> = new SharedWork(async (abandoned) => {
        try {
          return await this.#askService(abandoned);
        } finally {
          if (this.#asking === asking) this.#asking = null;
        }
      });
      this.#asking = asking;
    }
    return this.#asking.wait(signal);
  }

  async #askService(signal: AbortSignal): Promise<ExecutorId> {
    const cardinalities = Object.entries(this.#options.cardinalities).map(([uri, cardinality]) => ({
      placement: { uri },
      cardinality,
    }));
    const message = create(ExecutorGroup.method.getExecutor.input, { cardinalities });
    const timeoutMs = this.#options.callTimeoutMs;
    await this.#run('getExecutor', message, { signal, timeoutMs });
    if (this.#executor === null) throw wrongAnswer('getExecutor', 'no executor');
    return this.#executor;
  }

  /** A call that ends with the session. */
  async #run<M extends ExecutorMethod>(
    method: M,
    message: ExecutorRequest<M>,
    { signal, timeoutMs }: SessionCall,
  ): Promise<ExecutorResponse<M>> {
    return this.#untilClosed(signal, async (ending) => {
      const response = await this.#bounded(method, message, { signal: ending, timeoutMs });
      this.#keep(method, message, response);
      return response;
    });
  }

  #runBatch(message: BatchRequest, { signal, timeoutMs }: SessionCall): Promise<BatchResponse> {
    return this.#untilClosed(signal, async (ending) => {
      using limit = callLimit({ timeoutMs, signal: ending }, 'A batch in another process');
      limit.signal.throwIfAborted();
      const calling = this.#calls.batch?.(message, { signal: limit.signal, timeoutMs });
      if (calling === undefined) throw wrongAnswer('a batch', 'nothing');
      const response = await limit.within(calling, ({ made }) =>
        takeBackBatch(this.#calls, message, made),
      );
      if (this.#closed) {
        takeBackBatch(this.#calls, message, response.made);
        throw closed();
      }
      for (const { id } of response.made) this.#held.add(id);
      return response;
    });
  }

  async #untilClosed<T>(
    signal: AbortSignal | undefined,
    work: (ending: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const stop = signal && onAbort(signal, () => controller.abort(signal.reason));
    if (signal?.aborted) controller.abort(signal.reason);
    this.#running.add(controller);
    try {
      return await work(controller.signal);
    } finally {
      this.#running.delete(controller);
      stop?.();
    }
  }

  /**
   * Notes what is ours from now on. Nothing is awaited between the answer and this, so that the end of
   * the session comes before or after, and finds it in any case.
   */
  #keep<M extends ExecutorMethod>(
    method: M,
    message: ExecutorRequest<M>,
    response: ExecutorResponse<M>,
  ): void {
    const isHeldAlready = method === 'getExecutor' && this.#executor !== null;
    if (this.#closed || isHeldAlready) takeBack(this.#calls, method, message, response);
    if (this.#closed) throw closed();
    if ('valueRef' in response && response.valueRef !== undefined) {
      this.#held.add(response.valueRef.id);
    } else if ('executor' in response && response.executor !== undefined) {
      this.#executor ??= response.executor;
    }
  }

  /** The time limit holds, whatever the transport makes of it. */
  async #bounded<M extends ExecutorMethod>(
    method: M,
    message: ExecutorRequest<M>,
    { signal, timeoutMs }: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  ): Promise<ExecutorResponse<M>> {
    using limit = callLimit(
      { timeoutMs, ...(signal !== undefined && { signal }) },
      `${method} in another process`,
    );
    limit.signal.throwIfAborted();
    const calling = this.#calls.call(method, message, { signal: limit.signal, timeoutMs });
    return await limit.within(calling, (late) => takeBack(this.#calls, method, message, late));
  }

  /** What the next message tells the other side to dispose of. */
  #takeUnwanted(): readonly string[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ids = this.#unwanted;
    this.#unwanted = [];
    for (const id of ids) this.#leaving.add(id);
    return ids;
  }

  #disposeUnwanted(): void {
    const executor = this.#executor;
    if (executor === null || this.#closed || this.#lost !== null) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    const ids = this.#takeUnwanted();
    if (ids.length === 0) return;
    const message = create(ExecutorGroup.method.dispose.input, {
      executor,
      valueRef: ids.map(refTo),
    });
    const telling = this.#bounded('dispose', message, { timeoutMs: this.#options.callTimeoutMs });
    this.#untilDisposed(
      telling.then(
        () => {
          for (const id of ids) this.#leaving.delete(id);
        },
        () => {
          // They are told of again when the session ends, if anything can be told then.
        },
      ),
    );
  }

  #requireUsable(): void {
    if (this.#closed) throw closed();
    if (this.#lost !== null) throw this.#lost;
  }
}

function refTo(id: string): ExecutorRequest<'compute'>['valueRef'] & object {
  return { $typeName: 'tensorflow_federated.v0.ValueRef', id };
}

function closed(): ContextError {
  return new ContextError(
    'context.closed',
    'The executor is closed; nothing can be run on it any more.',
  );
}

function wrongAnswer(method: string, what: string): Error {
  return transportError('transport.internal', `The answer to ${method} holds ${what}.`);
}

const FAILED_PRECONDITION = TRANSPORT_STATUS['transport.failed_precondition'];
const UNIMPLEMENTED = TRANSPORT_STATUS['transport.unimplemented'];

/** Values that one message disposes of. */
const MAX_DISPOSED = 1_000;
