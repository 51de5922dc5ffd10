/**
 * @file Runs what has no private data in it apart from what does. Graphs come from the server, and a
 * fast backend may keep to its tensors only for graphs that make sense: one that does not may read what
 * lies beside or before in the same memory, such as a private value. What is private stays private
 * whatever is in it; of public results the server gets every bit. So those are made where nothing else is.
 */

import { ContextError, type MaterializedValue } from '../../computations/types/index.ts';
import type { Executor, ExecutorValue, RequestOptions } from '../executor.ts';
import { StructNode, type ValueNode } from '../value-tree.ts';
import { LabelledNode } from './labels.ts';

/** Reads a public value of the guard. */
export type ReadPublic = (
  node: ValueNode,
  options: RequestOptions,
) => MaterializedValue | Promise<MaterializedValue>;

export class PublicWork {
  readonly #start: () => Promise<Executor>;
  readonly #read: ReadPublic;
  #executor: Promise<Executor> | null = null;
  #isClosed = false;

  /** @param start makes the executor when it is first needed. It is closed with this. */
  constructor(start: () => Promise<Executor>, read: ReadPublic) {
    this.#start = start;
    this.#read = read;
  }

  /** The result of a call of public functions on public values. */
  async call(
    fn: ValueNode,
    argument: ValueNode | null,
    options: RequestOptions,
  ): Promise<MaterializedValue> {
    if (this.#isClosed) throw new ContextError('context.closed', 'The executor is closed.');
    const executor = await this.#started();
    using callee = await this.#bring(executor, fn, options);
    using given = argument === null ? null : await this.#bring(executor, argument, options);
    using result = await executor.createCall(callee, given ?? undefined, options);
    return await result.compute(options);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const executor = await this.#executor?.catch(() => null);
    await executor?.close();
  }

  /** A failure is not kept: the next call tries again. */
  #started(): Promise<Executor> {
    if (this.#executor === null) {
      const starting = this.#start();
      starting.catch(() => {
        this.#executor = null;
      });
      this.#executor = starting;
    }
    return this.#executor;
  }

  async #bring(
    executor: Executor,
    node: ValueNode,
    options: RequestOptions,
  ): Promise<ExecutorValue> {
    if (node instanceof LabelledNode && node.marks.fn !== undefined) {
      return executor.createValue(node.marks.fn.block, node.type, options);
    }
    if (!(node instanceof StructNode)) {
      return executor.createValue(await this.#read(node, options), node.type, options);
    }
    const types = node.type.kind === 'struct' ? node.type.elements : [];
    const elements: { readonly name: string | null; readonly value: ExecutorValue }[] = [];
    try {
      for (const [i, element] of node.elements.entries()) {
        const value = await this.#bring(executor, element, options);
        elements.push({ name: types[i]?.name ?? null, value });
      }
      return await executor.createStruct(elements);
    } finally {
      for (const { value } of elements) value[Symbol.dispose]();
    }
  }
}
