/**
 * @file An executor around any other, with handles of its own: the base of those that watch, check
 * or order what another one does. By itself it only forwards.
 */

import { ContextError, type MaterializedValue, type Type } from '../computations/types/index.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from './executor.ts';

export abstract class WrappingExecutor implements Executor {
  protected readonly target: Executor;

  /** @param target owned by this executor: closed with it. */
  constructor(target: Executor) {
    this.target = target;
  }

  async createValue(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    return this.wrap(await this.target.createValue(value, type, options));
  }

  async createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    const callee = this.unwrap(fn);
    const given = argument === undefined ? undefined : this.unwrap(argument);
    return this.wrap(await this.target.createCall(callee, given, options));
  }

  async createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    const inner = elements.map(({ name, value }) => ({ name, value: this.unwrap(value) }));
    return this.wrap(await this.target.createStruct(inner));
  }

  async createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    return this.wrap(await this.target.createSelection(this.unwrap(source), index));
  }

  close(): Promise<void> {
    return this.target.close();
  }

  /** Reads a value of the target for one of this executor's handles. */
  readInner(inner: ExecutorValue, options?: RequestOptions): Promise<MaterializedValue> {
    return inner.compute(options);
  }

  /** A handle of this executor on a value of the target, which it owns from then on. */
  protected wrap(inner: ExecutorValue): WrappedValue {
    return new WrappedValue(this, inner);
  }

  /**
   * The value of the target behind a handle; it stays the handle's.
   * @throws ContextError `context.unknown_value` for a handle of another executor.
   */
  protected unwrap(value: ExecutorValue): ExecutorValue {
    if (value instanceof WrappedValue && value.owner === this) return value.inner;
    throw new ContextError(
      'context.unknown_value',
      `A value of type ${String(value.type)} belongs to another executor than the one it was given to. Bring it over by compute() and createValue().`,
    );
  }
}

class WrappedValue implements ExecutorValue {
  readonly owner: WrappingExecutor;
  readonly inner: ExecutorValue;

  constructor(owner: WrappingExecutor, inner: ExecutorValue) {
    this.owner = owner;
    this.inner = inner;
  }

  get type(): Type {
    return this.inner.type;
  }

  compute(options?: RequestOptions): Promise<MaterializedValue> {
    return this.owner.readInner(this.inner, options);
  }

  [Symbol.dispose](): void {
    this.inner[Symbol.dispose]();
  }
}
