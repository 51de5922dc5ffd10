/**
 * @file Runs computations on plain data: compiles them, asks a factory for an executor of the right
 * size, brings the data in, calls, and brings the result out. One context serves any number of
 * invocations at the same time.
 */

import type { Span } from '@opentelemetry/api';
import type { BuildingBlock } from '../computations/building-blocks.ts';
import type { AnyComputation, Computation } from '../computations/computation.ts';
import type { Context, InvokeOptions } from '../computations/contexts/context.ts';
import {
  type ArgumentOf,
  ContextError,
  compactNotation,
  FederatedTypeError,
  type FunctionType,
  type MaterializedValue,
  type ResultOf,
  type Type,
  toMaterialized,
  toPlain,
} from '../computations/types/index.ts';
import type {
  Cardinalities,
  Executor,
  ExecutorFactory,
  RequestOptions,
} from '../executors/executor.ts';
import { interruptible } from '../executors/interruption.ts';
import { withinSpan } from '../executors/spans.ts';
import type { CompileLevel } from '../intrinsics/index.ts';
import { CachingCompiler } from './caching-compiler.ts';
import {
  argumentTypesOf,
  inferCardinalities,
  type NamedArgument,
  nameArguments,
} from './cardinalities.ts';
import { Invocation, type ProgressEvent } from './invocation.ts';
import { type InvocationRetry, repeatedly } from './invocation-retry.ts';
import { spreadAllEqual } from './spread-all-equal.ts';

export interface ExecutionContextOptions {
  /**
   * How long an executor may take to start, in milliseconds; then the invocation fails with
   * `context.start_timeout`. @default 30000
   */
  readonly startTimeoutMs?: number;
  /**
   * How far computations are compiled: `full`, or `reduce`, which runs what was written call by
   * call. For finding out whether the compiler is the cause of a result. @default 'full'
   */
  readonly compileLevel?: CompileLevel;
  /** How many compiled computations are kept for reuse. @default 100 */
  readonly maxCompiled?: number;
  /**
   * How often a computation is begun anew when another process is gone, or what it held for us
   * (TransportError `transport.unavailable` and `transport.failed_precondition`).
   * @default up to 10 attempts; a stack with secure aggregation has one, because every attempt may
   *   release a sum: whether another one may be, is for the caller to say
   */
  readonly retry?: InvocationRetry;
}

/** What a context tells of, by name. */
export interface ContextEvents {
  /** How far each invocation has come. */
  readonly progress: ProgressEvent;
}

export interface CloseOptions {
  /** End running invocations with `context.cancelled`, instead of waiting for them. @default false */
  readonly cancel?: boolean;
}

const DEFAULT_START_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_COMPILED = 100;

export class ExecutionContext implements Context, AsyncDisposable, Disposable {
  readonly #factory: ExecutorFactory;
  readonly #startTimeoutMs: number;
  readonly #compiler: CachingCompiler;
  readonly #retry: InvocationRetry;
  readonly #running = new Map<Invocation, Promise<unknown>>();
  readonly #listeners = { progress: new Set<(event: ProgressEvent) => void>() };
  #invocations = 0;
  #closing: Promise<void> | null = null;
  /** Ends the wait of a close for running invocations. */
  #stopWaiting: () => void = () => {};

  /** @param factory belongs to the context from now on: closing the context closes it. */
  constructor(factory: ExecutorFactory, options: ExecutionContextOptions = {}) {
    this.#factory = factory;
    this.#startTimeoutMs = options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS;
    this.#retry = options.retry ?? (factory.handles === undefined ? {} : { maxAttempts: 1 });
    this.#compiler = new CachingCompiler({
      factory,
      level: options.compileLevel ?? 'full',
      maxEntries: options.maxCompiled ?? DEFAULT_MAX_COMPILED,
    });
  }

  /**
   * Runs a computation.
   * @param args plain data, one entry a parameter.
   * @param options end the invocation early. It rejects at once then; the work stops at its next
   *   step, and what it made is freed. Others that run at the same time go on.
   * @throws ValueError if data does not fit its parameter, CardinalityError if the number of
   *   clients cannot be told, ContextError `context.closed`, `context.cancelled`,
   *   `context.deadline_exceeded` or `context.start_timeout`, and what the computation fails with.
   *   The context stays usable.
   */
  invoke<P extends readonly Type[], R extends Type>(
    computation: Computation<P, R>,
    args: { readonly [K in keyof P]: ArgumentOf<P[K]> },
    options?: InvokeOptions,
  ): Promise<ResultOf<R>>;
  invoke(
    computation: AnyComputation,
    args: readonly unknown[],
    options?: InvokeOptions,
  ): Promise<unknown>;
  async invoke(
    computation: AnyComputation,
    args: readonly unknown[],
    options: InvokeOptions = {},
  ): Promise<unknown> {
    if (this.#closing !== null) throw closed();
    const number = ++this.#invocations;
    const { name } = computation;
    const listeners = this.#listeners.progress;
    const invocation = new Invocation({ ...options, number, computation: name, listeners });
    const attributes = { 'fedloom.computation': name, 'fedloom.invocation': number };
    const running = withinSpan('fedloom.invoke', { attributes }, (span) =>
      repeatedly(this.#retry, invocation, () => this.#run(computation, args, invocation, span)),
    );
    this.#running.set(invocation, running);
    try {
      const result = await running;
      invocation.finish(null);
      return result;
    } catch (error) {
      invocation.finish({ error });
      throw error;
    } finally {
      this.#running.delete(invocation);
    }
  }

  /**
   * Calls `listener` at each event of that name from now on.
   * @returns ends that.
   * @example const stop = context.on('progress', ({ computation, stage }) => console.log(computation, stage));
   */
  on<E extends keyof ContextEvents>(
    event: E,
    listener: (event: ContextEvents[E]) => void,
  ): () => void {
    const listeners = this.#listeners[event];
    // Its own function, so that a listener that is added twice is called twice and removed once.
    const entry = (occurrence: ContextEvents[E]): void => listener(occurrence);
    listeners.add(entry);
    return () => void listeners.delete(entry);
  }

  /**
   * Waits for running invocations, or cancels them, and frees all executors. Later calls are
   * refused. A close that waits can be hurried by another one that cancels.
   */
  close({ cancel = false }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#shutDown();
    if (cancel) {
      for (const invocation of this.#running.keys()) {
        invocation.cancel(
          new ContextError('context.cancelled', 'The context was closed while this ran.'),
        );
      }
      this.#stopWaiting();
    }
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Cancels what is running: a synchronous disposal cannot wait. */
  [Symbol.dispose](): void {
    this.close({ cancel: true }).catch(() => {});
  }

  async #shutDown(): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      this.#stopWaiting = resolve;
    });
    const finished = Promise.allSettled(this.#running.values());
    await Promise.race([finished, stopped]);
    await this.#factory.close();
  }

  async #run(
    computation: AnyComputation,
    args: readonly unknown[],
    invocation: Invocation,
    span: Span,
  ): Promise<unknown> {
    const { signal } = invocation;
    signal.throwIfAborted();
    invocation.report({ stage: 'compile' });
    const block = this.#compiler.compile(computation.buildingBlock);
    const { type } = computation;
    const named = namedArguments(computation, args);
    const cardinalities: Cardinalities = {
      clients: this.#factory.defaultClients ?? 0,
      ...inferCardinalities(named),
    };
    const argument = toArgument(named);
    invocation.report({ stage: 'start', cardinalities });
    span.setAttribute('fedloom.clients', cardinalities.clients ?? 0);
    const executor = await this.#start(cardinalities, signal);
    let failed = true;
    let result: MaterializedValue;
    try {
      const options = invocation.requestOptions;
      const executing = execute(executor, block, type, argument, cardinalities, options);
      // An executor that knows nothing of signals is not waited for.
      result = await interruptible(executing, signal);
      failed = false;
    } catch (error) {
      // Whatever fails because the work was to stop, this is why.
      throw signal.aborted ? signal.reason : error;
    } finally {
      this.#factory.releaseExecutor?.(executor);
      if (failed) {
        // What failed may have left the executor in any state; the next invocation gets a new one.
        const cleaning = this.#factory.cleanUpExecutor(cardinalities).catch(() => {});
        if (!signal.aborted) await cleaning;
      }
    }
    return toPlain(result, type.result);
  }

  async #start(cardinalities: Cardinalities, signal: AbortSignal): Promise<Executor> {
    const starting = this.#factory.createExecutor(cardinalities);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, this.#startTimeoutMs, null);
    });
    try {
      const executor = await interruptible(Promise.race([starting, limit]), signal);
      if (executor !== null) return executor;
      this.#giveUpStart(starting, cardinalities);
    } catch (error) {
      if (signal.aborted) this.#giveUpStart(starting, cardinalities);
      throw error;
    } finally {
      clearTimeout(timer);
    }
    const size = Object.entries(cardinalities).map(([placement, n]) => `${n} ${placement}`);
    throw new ContextError(
      'context.start_timeout',
      `The executor for ${size.join(', ')} was not ready within ${this.#startTimeoutMs} ms: the factory's createExecutor has not completed. A leaf or worker may be unreachable, or a backend may not load; raise startTimeoutMs if it only needs longer.`,
    );
  }

  /** Should it start after all, it is given back; the next invocation starts a new one. */
  #giveUpStart(starting: Promise<Executor>, cardinalities: Cardinalities): void {
    starting.then((executor) => this.#factory.releaseExecutor?.(executor)).catch(() => {});
    this.#factory.cleanUpExecutor(cardinalities).catch(() => {});
  }
}

function closed(): ContextError {
  return new ContextError(
    'context.closed',
    'The context is closed; make a new ExecutionContext to run computations.',
  );
}

function namedArguments(computation: AnyComputation, args: readonly unknown[]): NamedArgument[] {
  const { type, buildingBlock } = computation;
  const types = argumentTypesOf(type, args.length);
  if (types.length !== args.length) {
    throw new FederatedTypeError(
      'type.arity',
      `${computation.name}, of type ${compactNotation(type)}, was called with ${args.length} argument${args.length === 1 ? '' : 's'}.`,
    );
  }
  return nameArguments(parameterNamesOf(buildingBlock, type, types.length), types, args);
}

function parameterNamesOf(
  block: BuildingBlock,
  { parameter }: FunctionType,
  count: number,
): readonly string[] {
  if (count === 1)
    return block.kind === 'lambda' && block.parameter !== null ? [block.parameter] : [];
  return parameter?.kind === 'struct' ? parameter.elements.map(({ name }) => name ?? '') : [];
}

/** The arguments as one value, as a function takes them. */
function toArgument(args: readonly NamedArgument[]): MaterializedValue | null {
  const values = args.map(({ data, type, what }) => toMaterialized(data, type, what));
  const [only] = values;
  if (only === undefined) return null;
  return values.length === 1 ? only : { kind: 'struct', elements: values };
}

async function execute(
  executor: Executor,
  block: BuildingBlock,
  type: FunctionType,
  argument: MaterializedValue | null,
  cardinalities: Cardinalities,
  options: RequestOptions,
): Promise<MaterializedValue> {
  using fn = await executor.createValue(block, type, options);
  if (argument === null || type.parameter === null) {
    using result = await executor.createCall(fn, undefined, options);
    return spreadAllEqual(await result.compute(options), result.type, type.result, cardinalities);
  }
  using given = await executor.createValue(argument, type.parameter, options);
  using result = await executor.createCall(fn, given, options);
  return spreadAllEqual(await result.compute(options), result.type, type.result, cardinalities);
}
