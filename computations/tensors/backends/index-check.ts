/**
 * @file Checks indices before a kernel uses them. The wasm backend reads and writes outside its
 * tensors for an index that is out of range, which would let a graph from outside see other values.
 */

import { ExecutionError } from '../../types/errors.ts';
import type { Step } from './plan.ts';
import type { StoredTensor } from './storage.ts';

/** @throws ExecutionError `execution.kernel_failed` naming the index */
export function checkIndices(step: Step, inputs: readonly StoredTensor[]): void {
  const rule = INDEXED[step.kernel];
  if (rule === undefined) return;
  const named = (name: string): StoredTensor =>
    inputs[step.names?.indexOf(name) ?? -1] as StoredTensor;
  const indices = named('indices');
  const data = indices.storage.host() as Int32Array;
  const bounds = rule(step, named);
  const depth = bounds.length;
  data.forEach((index, position) => {
    const bound = bounds[position % depth] as number;
    if (index >= 0 && index < bound) return;
    throw new ExecutionError(
      'execution.kernel_failed',
      `${step.kernel}: the index ${index} is not within [0, ${bound}).`,
    );
  });
}

type Bounds = (step: Step, named: (name: string) => StoredTensor) => readonly number[];

const depthOf = (indices: StoredTensor): number => indices.shape.at(-1) ?? 0;

const INDEXED: Readonly<Record<string, Bounds>> = {
  GatherV2: (step, named) => {
    const { shape } = named('x');
    const axis = step.attributes.axis as number;
    return [shape.at(axis) ?? 0];
  },
  GatherNd: (_, named) => named('params').shape.slice(0, depthOf(named('indices'))),
  ScatterNd: (step, named) =>
    (step.attributes.shape as readonly number[]).slice(0, depthOf(named('indices'))),
  TensorScatterUpdate: (_, named) => named('tensor').shape.slice(0, depthOf(named('indices'))),
};
