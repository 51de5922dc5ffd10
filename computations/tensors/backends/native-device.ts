/**
 * @file The native backend (tfjs-node) as a device. Its kernels return tensors that the engine
 * tracks, so each call runs in a scope of its own, the outputs are kept, and tensors are freed
 * through the engine and not by their data ids.
 */

import { equalShapes } from '../graph.ts';
import type { ConcreteAttributes } from '../kernels/definition.ts';
import { engine, type TfBackend, type TfTensor, type TfTensorInfo, tf } from '../tfjs.ts';
import type { Device, DeviceHandle, DeviceInputs } from './device.ts';
import type { DeviceArray } from './storage.ts';

/** Name under which tfjs-node registers its backend. */
export const NATIVE_BACKEND = 'tensorflow';

export class NativeDevice implements Device {
  readonly name = 'native';
  readonly sharesArrays = false;
  readonly #backend: TfBackend;
  // Tensors by data id; one data id may have several, each with a reference of its own.
  readonly #tensors = new Map<object, TfTensor[]>();

  constructor(backend: TfBackend) {
    this.#backend = backend;
  }

  has(kernel: string): boolean {
    return tf.getKernel(kernel, NATIVE_BACKEND) !== undefined;
  }

  write(data: DeviceArray, shape: readonly number[], dtype: DeviceHandle['dtype']): DeviceHandle {
    return this.#onBackend(() => {
      const sizes = [...shape];
      const dataId = this.#backend.write(data.slice(), sizes, dtype);
      return this.#adopt({ dataId, shape: sizes, dtype });
    });
  }

  read({ dataId }: DeviceHandle): DeviceArray {
    const data = this.#backend.readSync(dataId);
    if (data instanceof Float32Array || data instanceof Int32Array) return data.slice();
    return Uint8Array.from(data as ArrayLike<number>);
  }

  free({ dataId }: DeviceHandle): void {
    const tensors = this.#tensors.get(dataId);
    const tensor = tensors?.pop();
    if (tensors?.length === 0) this.#tensors.delete(dataId);
    tensor?.dispose();
  }

  run(
    kernel: string,
    inputs: DeviceInputs,
    attributes: ConcreteAttributes,
  ): readonly DeviceHandle[] {
    const { kernelFunc } = tf.getKernel(kernel, NATIVE_BACKEND);
    return this.#onBackend(() => {
      const outputs = kernelFunc({
        inputs: this.#asTensors(inputs) as Record<string, TfTensorInfo>,
        attrs: attributes as tf.NamedAttrMap,
        backend: this.#backend,
      });
      return (Array.isArray(outputs) ? outputs : [outputs]).map((output) => this.#adopt(output));
    });
  }

  /** Runs in an engine scope, with this backend current, as its kernels expect. */
  #onBackend<T>(action: () => T): T {
    const core = engine();
    const { backendName, backendInstance } = core;
    core.backendName = NATIVE_BACKEND;
    core.backendInstance = this.#backend;
    core.startScope('fedloom replay');
    try {
      return action();
    } finally {
      core.endScope();
      core.backendName = backendName;
      core.backendInstance = backendInstance;
    }
  }

  #adopt(output: TfTensorInfo): DeviceHandle {
    const tensor =
      output instanceof tf.Tensor
        ? output
        : engine().makeTensorFromTensorInfo(output, this.#backend);
    tf.keep(tensor);
    const known = this.#tensors.get(tensor.dataId);
    if (known === undefined) this.#tensors.set(tensor.dataId, [tensor]);
    else known.push(tensor);
    return {
      dataId: tensor.dataId,
      shape: tensor.shape,
      dtype: tensor.dtype as DeviceHandle['dtype'],
    };
  }

  // The add-on knows a tensor by one shape, so another view of it is a tensor of its own; it shares
  // the memory, and ends with the scope. Some kernels call tensor methods on their inputs.
  #asTensors(inputs: DeviceInputs): unknown {
    const tensor = ({ dataId, shape }: DeviceHandle): TfTensor => {
      const kept = this.#tensors.get(dataId)?.[0];
      if (kept === undefined) throw new Error('the tensor was freed');
      return equalShapes(kept.shape, shape) ? kept : this.#view(kept, shape);
    };
    return Array.isArray(inputs)
      ? inputs.map(tensor)
      : Object.fromEntries(Object.entries(inputs).map(([name, handle]) => [name, tensor(handle)]));
  }

  #view(tensor: TfTensor, shape: readonly number[]): TfTensor {
    const { kernelFunc } = tf.getKernel('Reshape', NATIVE_BACKEND);
    const view = kernelFunc({
      inputs: { x: tensor },
      attrs: { shape: [...shape] },
      backend: this.#backend,
    });
    return view instanceof tf.Tensor
      ? view
      : engine().makeTensorFromTensorInfo(view as TfTensorInfo, this.#backend);
  }
}
