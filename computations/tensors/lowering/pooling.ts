/** @file Gradients of pools, where kernels have them wrong. */

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

/**
 * wasm looks for a maximum above the smallest positive float32, so a window without positive numbers
 * gets no gradient. Such windows are looked at a second time with 1/|x|, which has the order of x
 * there; numbers that differ in their last bit may become equal, and then the first one counts.
 */
export const maxPoolGradient: LoweringRule = (node) => {
  if (node.target.name !== 'wasm') return null;
  const { dy, input, output } = node.inputs();
  if (dy === undefined || input === undefined || output === undefined) return null;
  const zero = node.constant(new TensorValue('float32', [], Float32Array.of(0)));
  const positive = node.emit('Greater', { a: output, b: zero });
  const none = node.emit('ZerosLike', { x: dy });
  const upper = node.emit('Select', { condition: positive, t: dy, e: none });
  const lower = node.emit('Select', { condition: positive, t: none, e: dy });
  const reversed = node.emit('Reciprocal', { x: node.emit('Abs', { x: input }) });
  const [a] = node.keep({ dy: upper, input, output });
  const [b] = node.keep({ dy: lower, input: reversed, output });
  return a === undefined || b === undefined ? null : [node.emit('Add', { a, b })];
};
