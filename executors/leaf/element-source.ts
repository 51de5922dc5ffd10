/**
 * @file Where the elements of a sequence come from: data, or another sequence through a function.
 * Sources are lazy: an element is produced when a consumer asks for it, and not before.
 */

import {
  compactNotation,
  ExecutionError,
  type MaterializedValue,
  RereadableElements,
  type Type,
} from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { breathe, interruptibleElements } from '../interruption.ts';
import type { TargetNode } from '../value-tree.ts';

export interface ElementSource {
  /** The elements as values of the target, one after the other; the consumer disposes each. */
  values(options: RequestOptions): AsyncIterable<ExecutorValue>;
  /** All elements as data. */
  toArray(options: RequestOptions): Promise<readonly MaterializedValue[]>;
  /** Called when nobody holds the sequence any more. */
  free(): void;
}

/** Elements given as data. Those in an array can be read again, those of most iterables cannot. */
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

  async *values(options: RequestOptions): AsyncGenerator<ExecutorValue> {
    for await (const element of interruptibleElements(this.#open(), options.signal)) {
      yield await this.#target.createValue(element, this.#type, options);
      await breathe();
    }
  }

  async toArray({ signal }: RequestOptions): Promise<readonly MaterializedValue[]> {
    if (Array.isArray(this.#elements)) return this.#elements;
    const elements: MaterializedValue[] = [];
    for await (const element of interruptibleElements(this.#open(), signal)) {
      elements.push(element);
      await breathe();
    }
    return elements;
  }

  free(): void {
    if (this.#elements instanceof OwnedElements) this.#elements.release();
  }

  #open(): Iterable<MaterializedValue> | AsyncIterable<MaterializedValue> {
    if (this.#consumed) {
      throw new ExecutionError(
        'execution.sequence_consumed',
        `A sequence of ${compactNotation(this.#type)} that comes from an iterable was read to its end already, and is needed a second time. Pass an array, or RereadableElements.`,
      );
    }
    this.#consumed = !(
      Array.isArray(this.#elements) || this.#elements instanceof RereadableElements
    );
    return this.#elements;
  }
}

/** Elements that belong to the sequence made of them: it says when nobody needs them any more. */
export abstract class OwnedElements implements AsyncIterable<MaterializedValue> {
  abstract [Symbol.asyncIterator](): AsyncIterator<MaterializedValue>;
  abstract release(): void;
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

  async *values(options: RequestOptions): AsyncGenerator<ExecutorValue> {
    for await (const element of this.#source.values(options)) {
      let mapped: ExecutorValue;
      try {
        mapped = await this.#target.createCall(this.#fn.handle, element, options);
      } finally {
        element[Symbol.dispose]();
      }
      yield mapped;
    }
  }

  async toArray(options: RequestOptions): Promise<readonly MaterializedValue[]> {
    const elements: MaterializedValue[] = [];
    for await (const element of this.values(options)) {
      try {
        elements.push(await element.compute(options));
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
