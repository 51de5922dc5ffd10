/**
 * @file Runs computations on plain data: compiles them, asks a factory for an executor of the right
 * size, brings the data in, calls, and brings the result out. One context serves any number of
 * invocations at the same time.
 */

import type { BuildingBlock } from '../computations/building-blocks.ts';
import type { AnyComputation, Computation } from '../computations/computation.ts';
import type { Context } from '../computations/contexts/context.ts';
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
import type { Cardinalities, Executor, ExecutorFactory } from '../executors/executor.ts';
import type { CompileLevel } from '../intrinsics/index.ts';
import { CachingCompiler } from './caching-compiler.ts';
import {
  argumentTypesOf,
  inferCardinalities,
  type NamedArgument,
  nameArguments,
} from './cardinalities.ts';
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
  readonly #running = new Set<Invocation>();
  #closing: Promise<void> | null = null;
  /** Ends the wait of a close for running invocations. */
  #stopWaiting: () => void = () => {};

  /** @param factory belongs to the context from now on: closing the context closes it. */
  constructor(factory: ExecutorFactory, options: ExecutionContextOptions = {}) {
    this.#factory = factory;
    this.#startTimeoutMs = options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS;
    this.#compiler = new CachingCompiler({
      handles: factory.handles ?? new Set(),
      level: options.compileLevel ?? 'full',
      maxEntries: options.maxCompiled ?? DEFAULT_MAX_COMPILED,
    });
  }

  /**
   * Runs a computation.
   * @param args plain data, one entry a parameter.
   * @throws ValueError if data does not fit its parameter, CardinalityError if the number of
   *   clients cannot be told, ContextError `context.closed`, `context.cancelled` or
   *   `context.start_timeout`, and what the computation fails with. The context stays usable.
   */
  invoke<P extends readonly Type[], R extends Type>(
    computation: Computation<P, R>,
    args: { readonly [K in keyof P]: ArgumentOf<P[K]> },
  ): Promise<ResultOf<R>>;
  invoke(computation: AnyComputation, args: readonly unknown[]): Promise<unknown>;
  invoke(computation: AnyComputation, args: readonly unknown[]): Promise<unknown> {
    if (this.#closing !== null) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      const done = this.#run(computation, args);
      const invocation: Invocation = { done, cancel: reject };
      this.#running.add(invocation);
      const end = (): boolean => this.#running.delete(invocation);
      done.then(resolve, reject).then(end, end);
    });
  }

  /**
   * Waits for running invocations, or cancels them, and frees all executors. Later calls are
   * refused. A close that waits can be hurried by another one that cancels.
   */
  close({ cancel = false }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#shutDown();
    if (cancel) {
      for (const { cancel: end } of this.#running) {
        end(new ContextError('context.cancelled', 'The context was closed while this ran.'));
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
    const finished = Promise.allSettled([...this.#running].map(({ done }) => done));
    await Promise.race([finished, stopped]);
    await this.#factory.close();
  }

  async #run(computation: AnyComputation, args: readonly unknown[]): Promise<unknown> {
    const block = this.#compiler.compile(computation.buildingBlock);
    const { type } = computation;
    const named = namedArguments(computation, args);
    const cardinalities: Cardinalities = {
      clients: this.#factory.defaultClients ?? 0,
      ...inferCardinalities(named),
    };
    const argument = toArgument(named);
    const executor = await this.#start(cardinalities);
    let failed = true;
    let result: MaterializedValue;
    try {
      result = await execute(executor, block, type, argument, cardinalities);
      failed = false;
    } finally {
      this.#factory.releaseExecutor?.(executor);
      // What failed may have left the executor in any state; the next invocation gets a new one.
      if (failed) await this.#factory.cleanUpExecutor(cardinalities).catch(() => {});
    }
    return toPlain(result, type.result);
  }

  async #start(cardinalities: Cardinalities): Promise<Executor> {
    const starting = this.#factory.createExecutor(cardinalities);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, this.#startTimeoutMs, null);
    });
    try {
      const executor = await Promise.race([starting, limit]);
      if (executor !== null) return executor;
    } finally {
      clearTimeout(timer);
    }
    // Should it start after all, it is given back; the next invocation starts a new one.
    starting.then((executor) => this.#factory.releaseExecutor?.(executor)).catch(() => {});
    this.#factory.cleanUpExecutor(cardinalities).catch(() => {});
    const size = Object.entries(cardinalities).map(([placement, n]) => `${n} ${placement}`);
    throw new ContextError(
      'context.start_timeout',
      `The executor for ${size.join(', ')} was not ready within ${this.#startTimeoutMs} ms: the factory's createExecutor has not completed. A leaf or worker may be unreachable, or a backend may not load; raise startTimeoutMs if it only needs longer.`,
    );
  }
}

interface Invocation {
  readonly done: Promise<unknown>;
  readonly cancel: (reason: ContextError) => void;
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
): Promise<MaterializedValue> {
  using fn = await executor.createValue(block, type);
  if (argument === null || type.parameter === null) {
    using result = await executor.createCall(fn);
    return spreadAllEqual(await result.compute(), result.type, type.result, cardinalities);
  }
  using given = await executor.createValue(argument, type.parameter);
  using result = await executor.createCall(fn, given);
  return spreadAllEqual(await result.compute(), result.type, type.result, cardinalities);
}
