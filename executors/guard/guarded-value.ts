/** @file Handles that a guard gives out, and their account. */

import { ContextError, type MaterializedValue, type Type } from '../../computations/types/index.ts';
import type { ExecutorValue, RequestOptions } from '../executor.ts';
import type { Lost } from '../lost-client.ts';

/** How many handles somebody has. */
export interface Held {
  values: number;
}

/** Reads values for those who hold them. */
export interface GuardedReader {
  read(value: ExecutorValue, options: RequestOptions): Promise<MaterializedValue>;
}

export class GuardedValue implements ExecutorValue {
  readonly type: Type;
  readonly #owner: GuardedReader;
  readonly #inner: ExecutorValue;
  readonly #held: Held;
  #disposed = false;

  /** Takes over the handle, and adds it to the account until it is disposed. */
  constructor(owner: GuardedReader, inner: ExecutorValue, held: Held) {
    this.type = inner.type;
    this.#owner = owner;
    this.#inner = inner;
    this.#held = held;
    held.values += 1;
  }

  /**
   * The handle behind one that a guard gave out.
   * @throws ContextError `context.unknown_value` for a handle of another executor.
   */
  static of(value: ExecutorValue, owner: GuardedReader): ExecutorValue {
    if (value instanceof GuardedValue && value.#owner === owner) return value.#inner;
    throw new ContextError(
      'context.unknown_value',
      `A value of type ${String(value.type)} belongs to another executor than the one it was given to. Bring it over by compute() and createValue().`,
    );
  }

  get missing(): readonly Lost[] {
    return this.#inner.missing ?? [];
  }

  compute(options: RequestOptions = {}): Promise<MaterializedValue> {
    return this.#owner.read(this.#inner, options);
  }

  [Symbol.dispose](): void {
    if (!this.#disposed) {
      this.#disposed = true;
      this.#held.values -= 1;
    }
    this.#inner[Symbol.dispose]();
  }
}
