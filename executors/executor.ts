/**
 * @file The one interface of everything that computes. An executor holds values and gives out
 * handles; caching, sizing, remote, secure and guarded executors are executors around executors.
 * After TensorFlow Federated's `Executor` (core/impl/executors/executor_base.py, cc executor.h).
 */

import type { BuildingBlock } from '../computations/building-blocks.ts';
import type { MaterializedValue, Type } from '../computations/types/index.ts';
import type { ReleasePermit } from './leaf/operator.ts';
import type { Lost } from './lost-client.ts';
import type { ProgressListener } from './progress.ts';

/** What `createValue` takes: a piece of syntax, or data. Types tell them apart by their kinds. */
export type ExecutorInput = BuildingBlock | MaterializedValue;

/**
 * What comes along with a request. An executor passes it on with whatever it asks of others for the
 * sake of this request.
 */
export interface RequestOptions {
  /**
   * Interrupts the request: it stops at its next step, rejects with the signal's reason, and leaves
   * nothing behind. Other requests go on.
   */
  readonly signal?: AbortSignal;
  /** Told of the progress of the request. */
  readonly onProgress?: ProgressListener;
  /**
   * What the guard of a client says about a call of a releasing operator. Guards set it for the
   * executors below them and take no notice of one from above; it never travels.
   */
  readonly permit?: ReleasePermit;
}

/**
 * A handle on a value that lives in an executor. Whoever made it owns it and disposes it, once.
 * Handles are independent: a struct stays valid when the handles it was made of are disposed.
 */
export interface ExecutorValue extends Disposable {
  readonly type: Type;
  /**
   * The clients whose part is missing: of a value at CLIENTS those that were lost, of what was
   * aggregated those that were left out. The same request may give more the next time.
   * @default none
   */
  readonly missing?: readonly Lost[];
  /**
   * Brings the value out of the executor.
   * @throws ExecutionError `execution.unsupported_value` for a function, and `execution.released`
   *   after disposal.
   */
  compute(options?: RequestOptions): Promise<MaterializedValue>;
}

export interface Executor {
  /**
   * Puts a value into the executor.
   * @param type its type; data must have been checked against it.
   */
  createValue(value: ExecutorInput, type: Type, options?: RequestOptions): Promise<ExecutorValue>;
  /** Calls a function of this executor on a value of this executor, or on none. */
  createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options?: RequestOptions,
  ): Promise<ExecutorValue>;
  /** Makes a struct of values of this executor. */
  createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue>;
  /** Selects one element of a struct of this executor, by index. */
  createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue>;
  /** Ends all work and frees everything that the executor holds. Closing twice is allowed. */
  close(): Promise<void>;
}

export interface StructElementValue {
  readonly name: string | null;
  readonly value: ExecutorValue;
}

/** How many participants there are at each placement. */
export type Cardinalities = { readonly [placement: string]: number };

/** Makes executor stacks. A context asks for one for the cardinalities of each invocation. */
export interface ExecutorFactory {
  /**
   * Composite intrinsics that this stack wants to see itself. The compiler reduces all others to
   * primitives before execution.
   */
  readonly handles?: ReadonlySet<string>;
  /** Number of clients to assume where the arguments do not tell. */
  readonly defaultClients?: number;
  /** An executor for these cardinalities. The factory may hand out the same one again. */
  createExecutor(cardinalities: Cardinalities): Promise<Executor>;
  /**
   * Says that an invocation is done with an executor that it got from `createExecutor`. A factory
   * that keeps executors can then close those that it wants to drop without disturbing others.
   */
  releaseExecutor?(executor: Executor): void;
  /** Frees the executors for these cardinalities, after a failure for example. */
  cleanUpExecutor(cardinalities: Cardinalities): Promise<void>;
  /** Frees everything. */
  close(): Promise<void>;
}
