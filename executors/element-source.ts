/**
 * @file Where the elements of a sequence come from: data, or another sequence through a function.
 * Sources are lazy: an element is produced when a consumer asks for it, and not before.
 */

import {
  compactNotation,
  ExecutionError,
  type MaterializedValue,
  type Type,
} from '../computations/types/index.ts';
import type { Executor, ExecutorValue } from './executor.ts';
import type { TargetNode } from './value-tree.ts';

export interface ElementSource {
  /** The elements as values of the target, one after the other; the consumer disposes each. */
  values(): AsyncIterable<ExecutorValue>;
  /** All elements as data. */
  toArray(): Promise<readonly MaterializedValue[]>;
  /** Called when nobody holds the sequence any more. */
  free(): void;
}

/** Elements given as data. Those in an array can be read again, those of an iterable cannot. */
export class DataSourceElements implements ElementSource {
  readonly #target: Executor;
  readonly #type: Type;
  readonly #elements: Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>;
  #consumed = false;

  /** @param type type of an element. */
  constructor(
    target: Executor,
    type: Type,
    elements: Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>,
  ) {
    this.#target = target;
    this.#type = type;
    this.#elements = elements;
  }

  async *values(): AsyncGenerator<ExecutorValue> {
    for await (const element of this.#open()) {
      yield await this.#target.createValue(element, this.#type);
    }
  }

  async toArray(): Promise<readonly MaterializedValue[]> {
    if (Array.isArray(this.#elements)) return this.#elements;
    const elements: MaterializedValue[] = [];
    for await (const element of this.#open()) elements.push(element);
    return elements;
  }

  free(): void {}

  #open(): Iterable<MaterializedValue> | AsyncIterable<MaterializedValue> {
    if (this.#consumed) {
      throw new ExecutionError(
        'execution.sequence_consumed',
        `A sequence of ${compactNotation(this.#type)} that comes from an iterable was read to its end already, and is needed a second time. Pass an array, which can be read again.`,
      );
    }
    this.#consumed = !Array.isArray(this.#elements);
    return this.#elements;
  }
}

/** The elements of another source, each through a function of the target. */
export class MappedElements implements ElementSource {
  readonly #target: Executor;
  readonly #source: ElementSource;
  readonly #fn: TargetNode;
  readonly #hold: { release(): void };

  /**
   * @param fn is held until the source is freed; the caller's hold passes to the source.
   * @param hold keeps `source` alive, and is released with this one.
   */
  constructor(target: Executor, source: ElementSource, fn: TargetNode, hold: { release(): void }) {
    this.#target = target;
    this.#source = source;
    this.#fn = fn;
    this.#hold = hold;
  }

  async *values(): AsyncGenerator<ExecutorValue> {
    for await (const element of this.#source.values()) {
      let mapped: ExecutorValue;
      try {
        mapped = await this.#target.createCall(this.#fn.handle, element);
      } finally {
        element[Symbol.dispose]();
      }
      yield mapped;
    }
  }

  async toArray(): Promise<readonly MaterializedValue[]> {
    const elements: MaterializedValue[] = [];
    for await (const element of this.values()) {
      try {
        elements.push(await element.compute());
      } finally {
        element[Symbol.dispose]();
      }
    }
    return elements;
  }

  free(): void {
    this.#fn.release();
    this.#hold.release();
  }
}
