/**
 * @file The cpu and wasm backends of tfjs as a device: kernel functions are called directly, so a
 * replay touches no scope, tape or current backend of the engine, and may interleave with anything.
 */

import type { ConcreteSpec } from '../graph.ts';
import type { ConcreteAttributes } from '../kernels/definition.ts';
import { type TfBackend, type TfTensorInfo, tf } from '../tfjs.ts';
import type { BoundKernel, Device, DeviceHandle, DeviceInputs } from './device.ts';
import type { DeviceArray } from './storage.ts';
import { WasmCalls } from './wasm-calls.ts';

type KernelFunction = ReturnType<typeof tf.getKernel>['kernelFunc'];

export class TfjsDevice implements Device {
  readonly name: 'wasm' | 'cpu';
  readonly sharesArrays: boolean;
  readonly #backend: TfBackend;
  readonly #direct: WasmCalls | null;
  readonly #kernels = new Map<string, KernelFunction>();

  /** @param backend an initialised backend, whose kernels have been set up */
  constructor(name: 'wasm' | 'cpu', backend: TfBackend) {
    this.name = name;
    this.sharesArrays = name === 'cpu';
    this.#backend = backend;
    this.#direct = name === 'wasm' ? new WasmCalls(backend) : null;
    for (const { kernelName, kernelFunc } of tf.getKernelsForBackend(name)) {
      this.#kernels.set(kernelName, kernelFunc);
    }
  }

  has(kernel: string): boolean {
    return this.#kernels.has(kernel);
  }

  write(data: DeviceArray, shape: readonly number[], dtype: DeviceHandle['dtype']): DeviceHandle {
    const sizes = [...shape];
    // The cpu backend keeps the array that it is given; kernels do not write to their inputs.
    return { dataId: this.#backend.write(data, sizes, dtype), shape: sizes, dtype };
  }

  read({ dataId }: DeviceHandle): DeviceArray {
    const data = this.#backend.readSync(dataId);
    if (data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array) {
      return data;
    }
    throw new TypeError('The backend gave data of an unexpected kind.');
  }

  free({ dataId }: DeviceHandle): void {
    this.#backend.disposeData(dataId);
  }

  run(
    kernel: string,
    inputs: DeviceInputs,
    attributes: ConcreteAttributes,
  ): readonly DeviceHandle[] {
    const run = this.#kernels.get(kernel) as KernelFunction;
    const outputs = run({
      inputs: inputs as Record<string, TfTensorInfo>,
      attrs: attributes as tf.NamedAttrMap,
      backend: this.#backend,
    });
    return (Array.isArray(outputs) ? outputs : [outputs]) as unknown as readonly DeviceHandle[];
  }

  bind(
    kernel: string,
    inputs: readonly ConcreteSpec[],
    attributes: ConcreteAttributes,
    output: ConcreteSpec,
  ): BoundKernel | null {
    return this.#direct?.bind(kernel, inputs, attributes, output) ?? null;
  }
}
