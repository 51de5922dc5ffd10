/**
 * @file Changes syntax on its way into an executor: a pass of a compiler, or a rewrite of one's own.
 * After TensorFlow Federated's TransformingExecutor.
 */

import type { BuildingBlock } from '../../computations/building-blocks.ts';
import { requireAssignable, type Type } from '../../computations/types/index.ts';
import { isBlock } from '../blocks.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  RequestOptions,
  StructElementValue,
} from '../executor.ts';

/**
 * @param type the type that the block is put in with.
 * @returns a block that may stand where the given one stood; the same one to leave it as it is.
 */
export type BlockTransformation = (
  block: BuildingBlock,
  type: Type,
) => BuildingBlock | Promise<BuildingBlock>;

/** Values are those of the target; data passes unchanged. */
export class TransformingExecutor implements Executor {
  readonly #transform: BlockTransformation;
  readonly #target: Executor;

  /** @param target owned by this executor: closed with it. */
  constructor(transform: BlockTransformation, target: Executor) {
    this.#transform = transform;
    this.#target = target;
  }

  /**
   * @throws FederatedTypeError `type.not_assignable` if what the transformation made does not have
   *   the type that the block had.
   */
  async createValue(
    value: ExecutorInput,
    type: Type,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    if (!isBlock(value)) return this.#target.createValue(value, type, options);
    const transformed = await this.#transform(value, type);
    if (transformed !== value) {
      requireAssignable(type, transformed.type, 'What a TransformingExecutor made of a block');
    }
    return this.#target.createValue(transformed, type, options);
  }

  createCall(
    fn: ExecutorValue,
    argument?: ExecutorValue,
    options?: RequestOptions,
  ): Promise<ExecutorValue> {
    return this.#target.createCall(fn, argument, options);
  }

  createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    return this.#target.createStruct(elements);
  }

  createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    return this.#target.createSelection(source, index);
  }

  close(): Promise<void> {
    return this.#target.close();
  }
}
