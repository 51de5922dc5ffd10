/** @file The kernels and the memory of one tfjs backend, called directly and not by tfjs's engine. */

import type { ConcreteSpec } from '../graph.ts';
import type { ConcreteAttributes } from '../kernels/definition.ts';
import type { DeviceArray } from './storage.ts';

/** A tensor in the memory of a device. */
export interface DeviceHandle {
  readonly dataId: object;
  readonly shape: number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
}

export type DeviceInputs = readonly DeviceHandle[] | Readonly<Record<string, DeviceHandle>>;

/** A kernel with everything but the data fixed; inputs come in the order of the kernel table. */
export type BoundKernel = (inputs: readonly DeviceHandle[]) => DeviceHandle;

export interface Device {
  readonly name: 'native' | 'wasm' | 'cpu';
  /** True if `write` keeps the array that it is given, and `read` gives out the one that it has. */
  readonly sharesArrays: boolean;
  has(kernel: string): boolean;
  write(data: DeviceArray, shape: readonly number[], dtype: DeviceHandle['dtype']): DeviceHandle;
  /** The values: as a copy, unless arrays are shared. */
  read(handle: DeviceHandle): DeviceArray;
  free(handle: DeviceHandle): void;
  /** Runs a kernel; each output is freed on its own, even if it shares memory with an input. */
  run(
    kernel: string,
    inputs: DeviceInputs,
    attributes: ConcreteAttributes,
  ): readonly DeviceHandle[];
  /** A faster way to run one step of a plan, if there is one. */
  bind?(
    kernel: string,
    inputs: readonly ConcreteSpec[],
    attributes: ConcreteAttributes,
    output: ConcreteSpec,
  ): BoundKernel | null;
}
