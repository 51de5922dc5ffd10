/** @file The gradient of an average over windows that reach over the edge of the image. */

import { TensorValue } from '../../types/values.ts';
import { poolShares } from '../kernels/windows.ts';
import type { LoweringRule } from './rule.ts';

/**
 * An average counts the positions inside the image only, and so does the native gradient. Those of
 * cpu and wasm divide by the whole window, so what they are given makes up for it.
 */
export const averagePoolGradient: LoweringRule = (node) => {
  if (node.target.name === 'native') return null;
  const { dy, input } = node.inputs();
  if (dy === undefined || input === undefined) return null;
  const [rows, columns] = poolShares(node.call(), node.shape(input));
  const shares = rows.flatMap((height) => columns.map((width) => 1 / (height * width)));
  if (shares.every((share) => share === 1)) return null;
  const shape = [1, rows.length, columns.length, 1];
  const factor = node.constant(new TensorValue('float32', shape, Float32Array.from(shares)));
  const scaled = node.emit('Multiply', { a: dy, b: factor });
  return node.keep({ dy: scaled, input });
};
