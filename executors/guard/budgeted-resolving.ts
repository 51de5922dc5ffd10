/** @file Resolves syntax as ReferenceResolvingExecutor does, and counts the calls of each request. */

import type { FunctionType } from '../../computations/types/index.ts';
import type { Executor, RequestOptions } from '../executor.ts';
import { breathe } from '../interruption.ts';
import { ReferenceResolvingExecutor } from '../reference-resolving.ts';
import type { ValueNode } from '../value-tree.ts';
import { LimitExceeded } from './syntax-limits.ts';

export class BudgetedResolvingExecutor extends ReferenceResolvingExecutor {
  readonly #most: number;
  /** By the options that go along with all steps of a request. */
  readonly #calls = new WeakMap<RequestOptions, number>();

  /** @param calls that one request may make. */
  constructor(target: Executor, calls: number) {
    super(target);
    this.#most = calls;
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const calls = (this.#calls.get(options) ?? 0) + 1;
    if (calls > this.#most) {
      throw new LimitExceeded('calls', `A request makes more than ${this.#most} calls.`);
    }
    this.#calls.set(options, calls);
    // Calls of nothing but syntax wait for nothing, and others want their turn.
    if (calls % CALLS_AT_A_TIME === 0) await breathe();
    return super.apply(fn, argument, type, options);
  }
}

const CALLS_AT_A_TIME = 256;
