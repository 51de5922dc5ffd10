/** @file A backend made of a device: programs cached by graph hash, tensors by upload. */

import type { TensorValue } from '../../types/values.ts';
import type { KernelGraph } from '../graph.ts';
import { graphHash } from '../graph-hash.ts';
import { HOST_KERNELS } from '../host/index.ts';
import { requireKernels } from '../lowering/index.ts';
import type { Backend, BackendName, DeviceTensor, Program } from './backend.ts';
import type { Device } from './device.ts';
import { DEFAULT_PLAN_OPTIONS, type PlanOptions } from './plan.ts';
import { DeviceProgram } from './program.ts';
import { SMALL, Storage, StoredTensor } from './storage.ts';

/** Programs kept, those used last. */
const MAX_PROGRAMS = 256;

export class DeviceBackend implements Backend {
  readonly name: BackendName;
  readonly reason: string;
  readonly #device: Device;
  readonly #options: PlanOptions;
  readonly #programs = new Map<string, DeviceProgram>();
  // Saves hashing a graph that is prepared again; graphs are immutable.
  #byIdentity = new WeakMap<KernelGraph, DeviceProgram>();

  /** @param device runs all graphs, or those that `options.large` does not take */
  constructor(device: Device, reason: string, options: PlanOptions = DEFAULT_PLAN_OPTIONS) {
    this.#options = options;
    this.name = options.large === undefined ? device.name : 'auto';
    this.reason = reason;
    this.#device = device;
  }

  prepare(graph: KernelGraph): Program {
    const known = this.#byIdentity.get(graph);
    if (known !== undefined) return known;
    const hash = graphHash(graph);
    let program = this.#programs.get(hash);
    if (program === undefined) {
      requireKernels(graph, {
        name: this.name,
        has: (kernel) =>
          this.#device.has(kernel) || HOST_KERNELS[kernel] !== undefined || kernel === 'Fill',
      });
      program = new DeviceProgram(graph, this.#device, this.#options);
    }
    // Moves it to the end: a Map iterates in the order of insertion.
    this.#programs.delete(hash);
    this.#programs.set(hash, program);
    this.#byIdentity.set(graph, program);
    for (const [oldest, old] of this.#programs) {
      if (this.#programs.size <= MAX_PROGRAMS) break;
      this.#programs.delete(oldest);
      old.release();
    }
    return program;
  }

  upload(value: TensorValue): DeviceTensor {
    return new StoredTensor(this.#store(value), value.shape);
  }

  #store({ dtype, shape, data }: TensorValue): Storage {
    const device = this.#device;
    // Large tensors go to the device now, which spares the copy that would be kept for later. Those
    // of other dtypes are often needed on the host, and of two devices the plan chooses.
    const here = this.#options.large === undefined && !device.sharesArrays;
    if (here && dtype === 'float32' && data.length > SMALL) {
      return new Storage(device, dtype, null, device.write(data as Float32Array, shape, dtype));
    }
    return new Storage(device, dtype, data.slice(), null);
  }

  close(): void {
    for (const program of this.#programs.values()) program.release();
    this.#programs.clear();
    this.#byIdentity = new WeakMap();
  }
}
