/**
 * @file Named data: what a `data` block refers to is found by the executor at the place of use, so
 * that a computation can speak of data that its author never sees.
 */

import {
  ExecutionError,
  type FunctionType,
  type MaterializedValue,
  type Type,
} from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type { Executor, ExecutorInput, RequestOptions } from '../executor.ts';
import { interruptible } from '../interruption.ts';
import { LayerExecutor } from '../tree-executor.ts';
import type { TargetNode, ValueNode } from '../value-tree.ts';

/** Finds data by its URI. */
export interface DataSource {
  /**
   * @param type the type that the computation states; what is returned must have it.
   * @returns `null` if there is no data of that name here.
   */
  resolve(uri: string, type: Type): MaterializedValue | null | Promise<MaterializedValue | null>;
}

/** Resolves `data` blocks by a data source; everything else is the target's. */
export class DataExecutor extends LayerExecutor {
  readonly #source: DataSource;

  constructor(target: Executor, source: DataSource) {
    super(target);
    this.#source = source;
  }

  protected override async embed(
    value: ExecutorInput,
    type: Type,
    options: RequestOptions,
  ): Promise<ValueNode> {
    if (!isBlock(value) || value.kind !== 'data') return this.embedInTarget(value, type, options);
    const finding = Promise.resolve(this.#source.resolve(value.uri, value.type));
    const found = await interruptible(finding, options.signal);
    if (found === null) {
      throw new ExecutionError(
        'execution.unsupported_value',
        `The data source of this executor has no data named '${value.uri}'.`,
      );
    }
    return this.embedInTarget(found, value.type, options);
  }

  protected override apply(
    fn: ValueNode,
    argument: ValueNode | null,
    _type: FunctionType,
    options: RequestOptions,
  ): Promise<TargetNode> {
    return this.applyInTarget(fn, argument, options);
  }

  protected override async lowerOwn(node: ValueNode): Promise<TargetNode> {
    throw new ExecutionError(
      'execution.unsupported_value',
      `A value of type ${String(node.type)} is not known here.`,
    );
  }
}
