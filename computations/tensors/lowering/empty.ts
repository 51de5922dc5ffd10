/**
 * @file Tensors without elements, answered without a kernel: those of the backends divide by a size
 * of zero, leave their output as it was in memory, or refuse.
 */

import { shapeSize } from '../graph.ts';
import type { LoweringRule } from './rule.ts';

/** What comes out if it is empty, or if it is made of nothing. */
export const withoutElements: LoweringRule = (node) => {
  // What is on the host in any case takes empty tensors, and some of it may fail by its data.
  if (node.kernel === 'Fill' || node.kernel.startsWith('fl.')) return null;
  const outputs = node.outputs();
  if (outputs.every(({ shape }) => isEmpty(shape))) {
    return outputs.map(({ dtype, shape }) => node.fill(shape, 0, dtype));
  }
  const [output] = outputs;
  if (output === undefined || !node.inputShapes().some(isEmpty)) return null;
  if (node.kernel === 'TensorScatterUpdate') return [node.input('tensor')];
  const zeros = (shape: readonly number[]) => node.fill(shape, 0, output.dtype);
  if (node.kernel === 'Mean') {
    // 0/0: no attribute may be NaN, so it cannot be filled in.
    return [node.emit('RealDiv', { a: zeros(output.shape), b: zeros([]) })];
  }
  const result = OF_NOTHING[node.kernel];
  return result === undefined ? null : [node.fill(output.shape, result, output.dtype)];
};

const isEmpty = (shape: readonly number[]): boolean => shapeSize(shape) === 0;

/** The sum, product or disjunction of no elements, and the like, for kernels that have one. */
const OF_NOTHING: Readonly<Record<string, number>> = {
  Sum: 0,
  Prod: 1,
  All: 1,
  Any: 0,
  BatchMatMul: 0,
  ScatterNd: 0,
  UnsortedSegmentSum: 0,
};
