/** @file A secure aggregation before it is called; of one executor, which calls it. */

import {
  ContextError,
  ExecutionError,
  type FunctionType,
  type MaterializedValue,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';

/** @param argument belongs to the caller. */
export type SecureCall = (
  argument: ExecutorValue,
  options: RequestOptions,
) => Promise<ExecutorValue>;

export class SecureFunction implements ExecutorValue {
  readonly #owner: Executor;
  #released = false;
  readonly uri: string;
  readonly type: FunctionType;
  readonly call: SecureCall;

  constructor(owner: Executor, uri: string, type: FunctionType, call: SecureCall) {
    this.#owner = owner;
    this.uri = uri;
    this.type = type;
    this.call = call;
  }

  /** @throws ContextError `context.unknown_value`; ExecutionError `execution.released` */
  requireUsable(executor: Executor): void {
    if (executor !== this.#owner) {
      throw new ContextError(
        'context.unknown_value',
        `${this.uri} was made by another executor than the one that is to call it.`,
      );
    }
    if (this.#released) {
      throw new ExecutionError(
        'execution.released',
        `${this.uri} was disposed already; call it before its handle is disposed.`,
      );
    }
  }

  async compute(): Promise<MaterializedValue> {
    throw new ExecutionError(
      'execution.unsupported_value',
      `${this.uri} is a function; call it to get a value.`,
    );
  }

  [Symbol.dispose](): void {
    this.#released = true;
  }
}
