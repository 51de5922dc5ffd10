/**
 * @file Values on their way between threads. The data of a tensor is copied once and handed over, so
 * that both sides keep what they have; a value that is part of several messages of one post is sent
 * once.
 */

import { type MaterializedValue, TensorValue } from '../../computations/types/index.ts';
import type { ClonedValue } from './messages.ts';

/** Clones the values of one post. */
export class ValueCloner {
  readonly #known = new Map<MaterializedValue, ClonedValue>();
  /** Buffers that the receiver gets. */
  readonly transfer: ArrayBuffer[] = [];
  #bytes = 0;
  #streams = 0;

  /** Bytes of tensors so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param stream takes a sequence that is no array, and gives the number that it is pulled by. */
  clone(
    value: MaterializedValue,
    stream: (elements: Iterable<MaterializedValue> | AsyncIterable<MaterializedValue>) => number,
  ): ClonedValue {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const streams = this.#streams;
    const cloned = this.#clone(value, stream);
    // A sequence that can be read once has one reader.
    if (this.#streams === streams) this.#known.set(value, cloned);
    return cloned;
  }

  #clone(value: MaterializedValue, stream: Parameters<ValueCloner['clone']>[1]): ClonedValue {
    const all = (values: readonly MaterializedValue[]): ClonedValue[] =>
      values.map((element) => this.clone(element, stream));
    switch (value.kind) {
      case 'tensor':
        return this.#cloneTensor(value);
      case 'struct':
        return { kind: 'struct', elements: all(value.elements) };
      case 'federated':
        return { kind: 'federated', members: all(value.members) };
      case 'sequence':
        if (Array.isArray(value.elements)) {
          return { kind: 'sequence', elements: all(value.elements) };
        }
        this.#streams++;
        return { kind: 'stream', stream: stream(value.elements) };
    }
  }

  #cloneTensor({ dtype, shape, data }: TensorValue): ClonedValue {
    const copy = data.slice();
    if ('buffer' in copy) {
      this.#bytes += copy.byteLength;
      this.transfer.push(copy.buffer as ArrayBuffer);
    }
    return { kind: 'tensor', dtype, shape, data: copy };
  }
}

/** Restores the values of one post. */
export class ValueRestorer {
  readonly #known = new Map<ClonedValue, MaterializedValue>();

  /** @param stream gives the elements that are pulled by that number. */
  restore(
    cloned: ClonedValue,
    stream: (stream: number) => AsyncIterable<MaterializedValue>,
  ): MaterializedValue {
    const known = this.#known.get(cloned);
    if (known !== undefined) return known;
    const value = this.#restore(cloned, stream);
    this.#known.set(cloned, value);
    return value;
  }

  #restore(
    cloned: ClonedValue,
    stream: Parameters<ValueRestorer['restore']>[1],
  ): MaterializedValue {
    const all = (values: readonly ClonedValue[]): MaterializedValue[] =>
      values.map((element) => this.restore(element, stream));
    switch (cloned.kind) {
      case 'tensor':
        return new TensorValue(cloned.dtype, cloned.shape, cloned.data);
      case 'struct':
        return { kind: 'struct', elements: all(cloned.elements) };
      case 'federated':
        return { kind: 'federated', members: all(cloned.members) };
      case 'sequence':
        return { kind: 'sequence', elements: all(cloned.elements) };
      case 'stream':
        return { kind: 'sequence', elements: stream(cloned.stream) };
    }
  }
}
