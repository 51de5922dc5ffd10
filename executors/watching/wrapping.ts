/**
 * @file An executor around any other, with handles of its own: the base of those that watch, check
 * or order what another one does. By itself it only forwards.
 */

import { ContextError, type MaterializedValue, type Type } from '../../computations/types/index.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from '../executor.ts';
import type { Lost } from '../lost-client.ts';
import { releaseAll, released, TargetNode } from '../value-tree.ts';

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
    return new WrappedValue(
      this,
      await this.perform(() => this.target.createValue(value, type, options), options),
    );
  }

  async createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    const values = argument === undefined ? [fn] : [fn, argument];
    return this.#withHeld(
      values,
      ([callee, given]) => this.target.createCall(callee as ExecutorValue, given, options),
      options,
    );
  }

  async createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    const values = elements.map(({ value }) => value);
    return this.#withHeld(values, (inner) =>
      this.target.createStruct(
        elements.map(({ name }, i) => ({ name, value: inner[i] as ExecutorValue })),
      ),
    );
  }

  async createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    return this.#withHeld([source], ([inner]) =>
      this.target.createSelection(inner as ExecutorValue, index),
    );
  }

  close(): Promise<void> {
    return this.target.close();
  }

  /** Reads a value of the target for one of this executor's handles, which is held meanwhile. */
  read(inner: ExecutorValue, options?: RequestOptions): Promise<MaterializedValue> {
    return this.perform(() => inner.compute(options), options);
  }

  /** Makes a request of the target: at once, unless a subclass has it wait. */
  protected perform<T>(request: () => Promise<T>, _options?: RequestOptions): Promise<T> {
    return request();
  }

  /** Values may be disposed as soon as a request was made with them, so they are held until its end. */
  async #withHeld(
    values: readonly ExecutorValue[],
    request: (inner: readonly ExecutorValue[]) => Promise<ExecutorValue>,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    const held: TargetNode[] = [];
    try {
      for (const value of values) held.push(this.#nodeOf(value).retain());
      const made = await this.perform(() => request(held.map(({ handle }) => handle)), options);
      return new WrappedValue(this, made);
    } finally {
      releaseAll(held);
    }
  }

  /** @throws ContextError `context.unknown_value` for a handle of another executor. */
  #nodeOf(value: ExecutorValue): TargetNode {
    if (value instanceof WrappedValue && value.owner === this) return value.node();
    throw new ContextError(
      'context.unknown_value',
      `A value of type ${String(value.type)} belongs to another executor than the one it was given to. Bring it over by compute() and createValue().`,
    );
  }
}

/** A handle on a value of the target, which it holds until it is disposed. */
class WrappedValue implements ExecutorValue {
  readonly owner: WrappingExecutor;
  readonly type: Type;
  #node: TargetNode | null;

  /** Takes over the value of the target. */
  constructor(owner: WrappingExecutor, inner: ExecutorValue) {
    this.owner = owner;
    this.type = inner.type;
    this.#node = new TargetNode(inner);
  }

  get missing(): readonly Lost[] {
    return this.#node?.missing ?? [];
  }

  async compute(options?: RequestOptions): Promise<MaterializedValue> {
    const node = this.node().retain();
    try {
      return await this.owner.read(node.handle, options);
    } finally {
      node.release();
    }
  }

  /** @throws ExecutionError `execution.released` */
  node(): TargetNode {
    if (this.#node !== null) return this.#node;
    throw released(this.type);
  }

  [Symbol.dispose](): void {
    const node = this.#node;
    this.#node = null;
    node?.release();
  }
}
