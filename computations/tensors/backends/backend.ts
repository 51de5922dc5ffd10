/** @file What runs kernel graphs: a backend prepares programs and holds tensors. */

import type { DType } from '../../types/dtypes.ts';
import type { TensorValue } from '../../types/values.ts';
import type { KernelGraph } from '../graph.ts';

/** `'auto'` is native for graphs with much work and wasm for the others, where both are here. */
export type BackendName = 'auto' | 'native' | 'wasm' | 'cpu';

/** A tensor held by a backend. int64, uint8 and string tensors stay on the host. */
export interface DeviceTensor {
  readonly dtype: DType;
  /** All sizes are known. */
  readonly shape: readonly number[];
  readonly disposed: boolean;
  /** The values, as a copy. @throws ExecutionError `execution.released` after `dispose` */
  read(): TensorValue | Promise<TensorValue>;
  /** Frees the tensor. A second call does nothing. */
  dispose(): void;
}

/** A graph made ready to run. */
export interface Program {
  readonly graph: KernelGraph;
  /**
   * Runs the graph at once. The inputs stay as they are; the caller owns the outputs. Intermediate
   * values are freed after their last use, also when a kernel fails.
   * @throws GraphError `graph.type_mismatch` if the inputs do not fit the parameters
   * @throws ExecutionError if a kernel fails, with the code that its node gives
   */
  run(inputs: readonly DeviceTensor[]): DeviceTensor[];
}

export interface Backend {
  readonly name: BackendName;
  /** Why this backend was chosen. */
  readonly reason: string;
  /**
   * Makes a graph ready to run. Programs are cached by the graph's hash.
   * @throws ExecutionError `execution.backend_unavailable` naming a kernel that cannot run here
   */
  prepare(graph: KernelGraph): Program;
  /** Takes a tensor over; its data is copied. */
  upload(value: TensorValue): DeviceTensor;
  /** Drops cached programs and their constants. Tensors that callers own are theirs to dispose. */
  close(): void;
}
