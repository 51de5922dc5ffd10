/** @file A user-written executor that adds nothing: whatever it wraps must work the same inside. */

import type { Type } from '../../computations/types/index.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  StructElementValue,
} from '../../executors/executor.ts';

export class PassThroughExecutor implements Executor {
  readonly #target: Executor;
  /** The methods called, in order. */
  readonly calls: string[] = [];

  constructor(target: Executor) {
    this.#target = target;
  }

  createValue(value: ExecutorInput, type: Type): Promise<ExecutorValue> {
    this.calls.push(`createValue ${value.kind}`);
    return this.#target.createValue(value, type);
  }

  createCall(fn: ExecutorValue, argument?: ExecutorValue): Promise<ExecutorValue> {
    this.calls.push('createCall');
    return argument === undefined
      ? this.#target.createCall(fn)
      : this.#target.createCall(fn, argument);
  }

  createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    this.calls.push('createStruct');
    return this.#target.createStruct(elements);
  }

  createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    this.calls.push('createSelection');
    return this.#target.createSelection(source, index);
  }

  close(): Promise<void> {
    return this.#target.close();
  }
}
