/** @file A party that does not do as it is asked: its executor meddles with calls and with results. */

import type { BuildingBlock } from '../../../computations/building-blocks.ts';
import {
  type MaterializedValue,
  TensorValue,
  type Type,
} from '../../../computations/types/index.ts';
import type {
  Executor,
  ExecutorInput,
  ExecutorValue,
  StructElementValue,
} from '../../../executors/executor.ts';

export interface Meddling {
  /** In the place of a call of the operator `uri`; `go` makes it. */
  readonly call?: (uri: string, go: () => Promise<ExecutorValue>) => Promise<ExecutorValue>;
  /** In the place of bytes that are brought out. */
  readonly send?: (bytes: Uint8Array) => Uint8Array;
  /** In the place of bytes that are brought in. */
  readonly receive?: (bytes: Uint8Array) => Uint8Array;
  /** Gets every handle that was given out and not disposed yet. */
  readonly handles?: Set<ExecutorValue>;
}

export class MeddlingExecutor implements Executor {
  readonly #target: Executor;
  readonly #meddling: Meddling;

  constructor(target: Executor, meddling: Meddling) {
    this.#target = target;
    this.#meddling = meddling;
  }

  async createValue(value: ExecutorInput, type: Type): Promise<ExecutorValue> {
    const block = value as BuildingBlock;
    const uri = block.kind === 'intrinsic' ? block.uri : null;
    return this.#wrap(await this.#target.createValue(this.#received(value), type), uri);
  }

  async createCall(fn: ExecutorValue, argument?: ExecutorValue): Promise<ExecutorValue> {
    const { target, uri } = fn as MeddlingValue;
    const go = () =>
      this.#target.createCall(target, argument && (argument as MeddlingValue).target);
    const { call } = this.#meddling;
    return this.#wrap(await (uri === null || call === undefined ? go() : call(uri, go)));
  }

  async createStruct(elements: readonly StructElementValue[]): Promise<ExecutorValue> {
    return this.#wrap(
      await this.#target.createStruct(
        elements.map(({ name, value }) => ({ name, value: (value as MeddlingValue).target })),
      ),
    );
  }

  async createSelection(source: ExecutorValue, index: number): Promise<ExecutorValue> {
    return this.#wrap(await this.#target.createSelection((source as MeddlingValue).target, index));
  }

  close(): Promise<void> {
    return this.#target.close();
  }

  #received(value: ExecutorInput): ExecutorInput {
    const { receive } = this.#meddling;
    if (receive === undefined || !(value instanceof TensorValue)) return value;
    if (!(value.data instanceof Uint8Array)) return value;
    const bytes = receive(value.data);
    return new TensorValue('uint8', [bytes.length], bytes);
  }

  #wrap(target: ExecutorValue, uri: string | null = null): MeddlingValue {
    return new MeddlingValue(target, uri, this.#meddling);
  }
}

class MeddlingValue implements ExecutorValue {
  readonly target: ExecutorValue;
  readonly uri: string | null;
  readonly #meddling: Meddling;

  constructor(target: ExecutorValue, uri: string | null, meddling: Meddling) {
    this.target = target;
    this.uri = uri;
    this.#meddling = meddling;
    meddling.handles?.add(this);
  }

  get type(): Type {
    return this.target.type;
  }

  async compute(): Promise<MaterializedValue> {
    const value = await this.target.compute();
    const { send } = this.#meddling;
    if (send === undefined || value.kind !== 'tensor') return value;
    if (!(value.data instanceof Uint8Array)) return value;
    const bytes = send(value.data);
    return new TensorValue('uint8', [bytes.length], bytes);
  }

  [Symbol.dispose](): void {
    this.#meddling.handles?.delete(this);
    this.target[Symbol.dispose]();
  }
}
