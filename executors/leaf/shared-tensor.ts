/**
 * @file Data that goes to many executors at once, as a broadcast does: those that use the same
 * backend share one tensor on it, instead of each bringing its own there.
 */

import type { Backend, DeviceTensor } from '../../computations/tensors/index.ts';
import { type DType, type MaterializedValue, TensorValue } from '../../computations/types/index.ts';

/** A tensor value that is brought to each backend once, as long as somebody there holds it. */
export class SharedTensorValue<D extends DType = DType> extends TensorValue<D> {
  readonly #uploads = new Map<Backend, { readonly device: DeviceTensor; holders: number }>();

  /** The tensor on a backend. Who acquires it releases it, once, and does not dispose it. */
  acquire(backend: Backend): DeviceTensor {
    let upload = this.#uploads.get(backend);
    if (upload === undefined) {
      upload = { device: backend.upload(this), holders: 0 };
      this.#uploads.set(backend, upload);
    }
    upload.holders++;
    return upload.device;
  }

  release(backend: Backend): void {
    const upload = this.#uploads.get(backend);
    if (upload === undefined || --upload.holders > 0) return;
    this.#uploads.delete(backend);
    upload.device.dispose();
  }
}

/**
 * The same value, of tensors that executors share. Only what is read from the value at that time is
 * shared: each call makes tensors of its own.
 */
export function forMany(value: MaterializedValue): MaterializedValue {
  switch (value.kind) {
    case 'tensor':
      return value instanceof SharedTensorValue
        ? value
        : new SharedTensorValue(value.dtype, value.shape, value.data);
    case 'struct':
      return { kind: 'struct', elements: value.elements.map(forMany) };
    default:
      return value;
  }
}
