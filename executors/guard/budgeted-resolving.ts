/** @file Resolves syntax as ReferenceResolvingExecutor does, and counts the calls of each request. */

import type { FunctionType } from '../../computations/types/index.ts';
import type { Executor, RequestOptions } from '../executor.ts';
import { breathe } from '../interruption.ts';
import { ReferenceResolvingExecutor } from '../reference-resolving.ts';
import type { ValueNode } from '../value-tree.ts';
import { LimitExceeded } from './policy/syntax-limits.ts';

export class BudgetedResolvingExecutor extends ReferenceResolvingExecutor {
  readonly #limit: 'calls' | 'elementCalls';
  readonly #most: number;
  /** By the options that go along with all steps of a request. */
  readonly #calls = new WeakMap<RequestOptions, number>();

  /** @param limit names the limit of calls that one request may make, `most` is how many. */
  constructor(target: Executor, limit: 'calls' | 'elementCalls', most: number) {
    super(target);
    this.#limit = limit;
    this.#most = most;
  }

  protected override async apply(
    fn: ValueNode,
    argument: ValueNode | null,
    type: FunctionType,
    options: RequestOptions,
  ): Promise<ValueNode> {
    const calls = (this.#calls.get(options) ?? 0) + 1;
    if (calls > this.#most) {
      throw new LimitExceeded(this.#limit, `A request makes more than ${this.#most} calls.`);
    }
    this.#calls.set(options, calls);
    // Calls of nothing but syntax wait for nothing, and others want their turn.
    if (calls % CALLS_AT_A_TIME === 0) await breathe();
    return super.apply(fn, argument, type, options);
  }
}

const CALLS_AT_A_TIME = 256;
