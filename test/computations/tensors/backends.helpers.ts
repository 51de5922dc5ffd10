/** @file Backends for tests: with the host's shortcut for small graphs, and without it. */

import { expect } from 'vitest';
import type { Device } from '../../../computations/tensors/backends/device.ts';
import { DeviceBackend } from '../../../computations/tensors/backends/device-backend.ts';
import {
  NATIVE_BACKEND,
  NativeDevice,
} from '../../../computations/tensors/backends/native-device.ts';
import { TfjsDevice } from '../../../computations/tensors/backends/tfjs-device.ts';
import {
  type Backend,
  type KernelGraph,
  loadBackend,
} from '../../../computations/tensors/index.ts';
import { tf } from '../../../computations/tensors/tfjs.ts';
import { TensorValue } from '../../../computations/types/index.ts';

type DeviceName = Device['name'];

/** A backend that runs every kernel that it has on the device, however small the graph. */
export async function deviceOnly(name: DeviceName): Promise<Backend> {
  return new DeviceBackend(await startDevice(name), 'test', { tinyElements: 0 });
}

/** A device of its own over a backend of tfjs. */
export async function startDevice(name: DeviceName): Promise<Device> {
  await loadBackend({ prefer: name });
  const backend = tf.findBackend(tfjsName(name));
  if (backend === null) throw new Error(`${name} did not start`);
  return name === 'native' ? new NativeDevice(backend) : new TfjsDevice(name, backend);
}

/** The backends to test; the native one where it was asked for, so that its absence is a failure. */
export const BACKENDS: readonly DeviceName[] =
  process.env.FEDLOOM_BACKEND === 'native' ? ['cpu', 'wasm', 'native'] : ['cpu', 'wasm'];

/** The name of the backend in tfjs. */
export function tfjsName(name: DeviceName): string {
  return name === 'native' ? NATIVE_BACKEND : name;
}

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
export function dataIds(name: DeviceName): number {
  return tf.findBackend(tfjsName(name))?.numDataIds() ?? 0;
}

/** The numbers of a value, for comparisons. */
export function numbers(value: TensorValue | undefined): number[] {
  return Array.from((value?.data ?? []) as ArrayLike<number | bigint>, Number);
}

/** Expects the same types, and the same values but for rounding. */
export function expectClose(actual: TensorValue[], expected: TensorValue[]): void {
  expect(actual.map(({ dtype, shape }) => [dtype, shape])).toEqual(
    expected.map(({ dtype, shape }) => [dtype, shape]),
  );
  actual.forEach((tensor, index) => {
    const wanted = numbers(expected[index]);
    numbers(tensor).forEach((value, position) => {
      const other = wanted[position] as number;
      if (Object.is(value, other) || value === other) return;
      if (tensor.dtype !== 'float32') expect(value).toBe(other);
      // Kernels may add in another order, and approximate functions in another way.
      expect(Math.abs(value - other)).toBeLessThanOrEqual(2e-5 * Math.max(1, Math.abs(other)));
    });
  });
}

/** Tensors that TensorFlow holds for the native backend. */
export function nativeTensors(): number {
  const binding: { getNumOfTensors(): number } = Reflect.get(
    tf.findBackend(NATIVE_BACKEND),
    'binding',
  );
  return binding.getNumOfTensors();
}
