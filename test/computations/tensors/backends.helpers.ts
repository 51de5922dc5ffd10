/** @file Backends for tests: with the host's shortcut for small graphs, and without it. */

import { DeviceBackend } from '../../../computations/tensors/backends/device-backend.ts';
import {
  NATIVE_BACKEND,
  NativeDevice,
} from '../../../computations/tensors/backends/native-device.ts';
import { TfjsDevice } from '../../../computations/tensors/backends/tfjs-device.ts';
import {
  type Backend,
  type BackendName,
  type KernelGraph,
  loadBackend,
} from '../../../computations/tensors/index.ts';
import { tf } from '../../../computations/tensors/tfjs.ts';
import { TensorValue } from '../../../computations/types/index.ts';

/** A backend that runs every kernel that it has on the device, however small the graph. */
export async function deviceOnly(name: BackendName): Promise<Backend> {
  await loadBackend({ prefer: name });
  const backend = tf.findBackend(name === 'native' ? NATIVE_BACKEND : name);
  if (backend === null) throw new Error(`${name} did not start`);
  const device = name === 'native' ? new NativeDevice(backend) : new TfjsDevice(name, backend);
  return new DeviceBackend(device, 'test', { tinyElements: 0 });
}

/** The backends to test; the native one where it was asked for, so that its absence is a failure. */
export const BACKENDS: readonly BackendName[] =
  process.env.FEDLOOM_BACKEND === 'native' ? ['cpu', 'wasm', 'native'] : ['cpu', 'wasm'];

/** Runs a graph on plain values; nothing stays on the backend. */
export async function runGraph(
  backend: Backend,
  graph: KernelGraph,
  values: readonly TensorValue[],
): Promise<TensorValue[]> {
  const inputs = values.map((value) => backend.upload(value));
  try {
    const outputs = backend.prepare(graph).run(inputs);
    const read = await Promise.all(outputs.map((output) => output.read()));
    for (const output of outputs) output.dispose();
    return read;
  } finally {
    for (const input of inputs) input.dispose();
  }
}

export function float(shape: readonly number[], data: Iterable<number>): TensorValue<'float32'> {
  return new TensorValue('float32', shape, Float32Array.from(data));
}

export function int(shape: readonly number[], data: Iterable<number>): TensorValue<'int32'> {
  return new TensorValue('int32', shape, Int32Array.from(data));
}

export function bool(shape: readonly number[], data: Iterable<number>): TensorValue<'bool'> {
  return new TensorValue('bool', shape, Uint8Array.from(data));
}

export function long(shape: readonly number[], data: Iterable<bigint>): TensorValue<'int64'> {
  return new TensorValue('int64', shape, BigInt64Array.from(data));
}

/** Numbers that look random and are the same in each run. */
export function noise(length: number, seed = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >> 8) / 2 ** 23;
  });
}

/** Data ids that the tfjs backend of this name holds. */
export function dataIds(name: BackendName): number {
  return tf.findBackend(name === 'native' ? NATIVE_BACKEND : name)?.numDataIds() ?? 0;
}

/** The numbers of a value, for comparisons. */
export function numbers(value: TensorValue | undefined): number[] {
  return Array.from((value?.data ?? []) as ArrayLike<number | bigint>, Number);
}
