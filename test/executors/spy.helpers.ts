/**
 * @file An executor that watches what is brought out of the one behind it. Around a participant's
 * leaf it sees that participant's messages, and nothing else leaves a leaf.
 */

import type { Executor, ExecutorValue, MaterializedValue } from 'fedloom';

/** Told of every value brought out; what it returns is brought out in its place. */
export type Watch = (value: MaterializedValue) => MaterializedValue | Promise<MaterializedValue>;

export class SpyExecutor implements Executor {
  readonly #target: Executor;
  readonly #watch: Watch;

  constructor(target: Executor, watch: Watch) {
    this.#target = target;
    this.#watch = watch;
  }

  createValue: Executor['createValue'] = async (value, type, ...options) =>
    this.#wrap(await this.#target.createValue(value, type, ...options));
  createCall: Executor['createCall'] = async (fn, argument, ...options) =>
    this.#wrap(
      await this.#target.createCall(unwatched(fn), argument && unwatched(argument), ...options),
    );
  createStruct: Executor['createStruct'] = async (elements, ...options) =>
    this.#wrap(
      await this.#target.createStruct(
        elements.map(({ name, value }) => ({ name, value: unwatched(value) })),
        ...options,
      ),
    );
  createSelection: Executor['createSelection'] = async (source, index, ...options) =>
    this.#wrap(await this.#target.createSelection(unwatched(source), index, ...options));
  close = (): Promise<void> => this.#target.close();

  #wrap(target: ExecutorValue): ExecutorValue {
    return new SpyValue(target, this.#watch);
  }
}

/** The value behind a spy, which can be read without being noticed. */
export function unwatched(value: ExecutorValue): ExecutorValue {
  return value instanceof SpyValue ? value.target : value;
}

class SpyValue implements ExecutorValue {
  readonly target: ExecutorValue;
  readonly #watch: Watch;

  constructor(target: ExecutorValue, watch: Watch) {
    this.target = target;
    this.#watch = watch;
  }

  get type() {
    return this.target.type;
  }

  compute: ExecutorValue['compute'] = async (...options) =>
    this.#watch(await this.target.compute(...options));

  [Symbol.dispose](): void {
    this.target[Symbol.dispose]();
  }
}
