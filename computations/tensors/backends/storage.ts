/**
 * @file The storage of a value: on the host, on the device, or on both. It is moved when a kernel
 * asks for it, and shared by counting references (a reshape shares its input's storage).
 */

import type { DType } from '../../types/dtypes.ts';
import { ExecutionError } from '../../types/errors.ts';
import { TensorValue } from '../../types/values.ts';
import type { HostTensor, TensorData } from '../host/arrays.ts';
import type { DeviceTensor } from './backend.ts';
import type { Device, DeviceHandle } from './device.ts';

export type DeviceArray = Float32Array | Int32Array | Uint8Array;

// A copy on the host of what is on the device is kept up to this number of elements.
export const SMALL = 1024;

export class Storage {
  /** The main device of the backend that the tensor belongs to. */
  readonly owner: Device;
  readonly dtype: DType;
  #device: Device;
  #host: TensorData | null;
  #handle: DeviceHandle | null;
  #references = 1;

  /** @param device where `handle` is, if it is not on the owner */
  constructor(
    owner: Device,
    dtype: DType,
    host: TensorData | null,
    handle: DeviceHandle | null,
    device: Device = owner,
  ) {
    this.owner = owner;
    this.#device = device;
    this.dtype = dtype;
    this.#host = host;
    this.#handle = handle;
  }

  retain(): this {
    this.#references++;
    return this;
  }

  release(): void {
    if (--this.#references > 0) return;
    if (this.#handle !== null) this.#device.free(this.#handle);
    this.#handle = null;
    this.#host = null;
  }

  /** The elements on the host; they must not be written to. */
  host(): TensorData {
    if (this.#host !== null) return this.#host;
    const data = this.#device.read(this.#handle as DeviceHandle);
    if (data.length <= SMALL) this.#host = data;
    return data;
  }

  /** The elements as an array of the caller's own. */
  copy(): TensorData {
    if (this.#host === null && !this.#device.sharesArrays) {
      return this.#device.read(this.#handle as DeviceHandle);
    }
    return this.host().slice();
  }

  /** The tensor on a device, seen with the given shape. It is on one device at a time. */
  handle(shape: readonly number[], device: Device): DeviceHandle {
    if (device !== this.#device) this.#leave(device);
    let handle = this.#handle;
    if (handle === null) {
      const data = this.#host as DeviceArray;
      handle = device.write(data, shape, this.dtype as DeviceHandle['dtype']);
      this.#handle = handle;
      if (data.length > SMALL) this.#host = null;
    }
    return handle.shape === shape
      ? handle
      : { dataId: handle.dataId, shape: shape as number[], dtype: handle.dtype };
  }

  /** Takes the data to the host, to be written to another device when a kernel asks for it. */
  #leave(device: Device): void {
    if (this.#handle !== null) {
      this.#host ??= this.#device.read(this.#handle);
      this.#device.free(this.#handle);
      this.#handle = null;
    }
    this.#device = device;
  }
}

/** A value while a program runs: storage, and the shape in which it is seen. */
export class StoredTensor implements DeviceTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly #storage: Storage;
  #disposed = false;

  /** Takes over one reference to the storage. */
  constructor(storage: Storage, shape: readonly number[]) {
    this.dtype = storage.dtype;
    this.shape = shape;
    this.#storage = storage;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws ExecutionError `execution.released` after `dispose` */
  get storage(): Storage {
    if (this.#disposed) {
      throw new ExecutionError(
        'execution.released',
        'The tensor was disposed; keep it until nothing needs it any more.',
      );
    }
    return this.#storage;
  }

  host(): HostTensor {
    return { dtype: this.dtype, shape: this.shape, data: this.storage.host() };
  }

  read(): TensorValue {
    return new TensorValue(this.dtype, this.shape, this.storage.host().slice());
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
