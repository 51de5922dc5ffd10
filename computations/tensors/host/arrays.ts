/** @file Tensors as typed arrays on the host, and walking over them with broadcasting. */

import { allocate, type DataOfDType, type DType } from '../../types/dtypes.ts';
import { type ConcreteSpec, equalShapes, shapeSize } from '../graph.ts';
import type { ConcreteAttributes } from '../kernels/definition.ts';

export type TensorData = DataOfDType<DType>;

export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/**
 * A kernel on the host. Inputs come in the order of the kernel table; the data of each output is
 * returned. @throws ExecutionError if the data do not allow a result.
 */
export type HostKernel = (
  inputs: readonly HostTensor[],
  attributes: ConcreteAttributes,
  outputs: readonly ConcreteSpec[],
) => readonly TensorData[];

/** The writable array of an output. */
export type MutableData = Uint8Array | Int32Array | Float32Array | BigInt64Array | string[];

/** Zero-filled storage for an output. */
export function allocateOutput(spec: ConcreteSpec): MutableData {
  return allocate(spec.dtype, shapeSize(spec.shape)) as MutableData;
}

/**
 * For each element of `shape`, row-major, the index of the element of `source` that broadcasts to
 * it; `null` if that is the element's own index.
 */
export function broadcastIndex(
  source: readonly number[],
  shape: readonly number[],
): ((index: number) => number) | null {
  if (equalShapes(source, shape)) return null;
  if (shapeSize(source) === 1) return () => 0;
  const strides = broadcastStrides(source, shape);
  return (index) => {
    let rest = index;
    let position = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] as number;
      position += (rest % size) * (strides[axis] as number);
      rest = Math.floor(rest / size);
    }
    return position;
  };
}

/** Strides of `source` along the axes of `shape`; 0 where it is repeated. */
function broadcastStrides(source: readonly number[], shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length).fill(0);
  let stride = 1;
  for (let axis = source.length - 1; axis >= 0; axis--) {
    const size = source[axis] as number;
    if (size !== 1) strides[axis + shape.length - source.length] = stride;
    stride *= size;
  }
  return strides;
}

/** Row-major strides of a shape. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** Copies a run of elements between arrays of one dtype. */
export function copyRun(
  target: MutableData,
  targetStart: number,
  source: TensorData,
  start: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) {
    (target as (string | number | bigint)[])[targetStart + i] = source[start + i] as string;
  }
}
