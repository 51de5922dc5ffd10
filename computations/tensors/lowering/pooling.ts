/** @file Pools and their gradients, where kernels lack a padding or have it wrong. */

import { TensorValue } from '../../types/values.ts';
import type { ValueId } from '../graph.ts';
import { type PoolWindows, poolWindows } from '../kernels/windows.ts';
import { type LoweredNode, type LoweringRule, needsPadding } from './rule.ts';

/** Padding that the kernel does not take is made before, with what is never a maximum. */
export const maxPool: LoweringRule = (node) => {
  const x = node.input('x');
  const padded = padBefore(node, x, Number.NEGATIVE_INFINITY);
  return padded && [node.emit('MaxPool', { x: padded.image }, padded.attributes)];
};

/** The same with zeros, which the average must not count. */
export const averagePool: LoweringRule = (node) => {
  const x = node.input('x');
  const padded = padBefore(node, x, 0);
  if (padded === null) return null;
  const average = node.emit('AvgPool', { x: padded.image }, padded.attributes);
  return [countInside(node, average, padded.windows)];
};

/**
 * An average counts the positions inside the image only, and so does the native gradient. Those of
 * cpu and wasm divide by the whole window, so what they are given makes up for it.
 */
export const averagePoolGradient: LoweringRule = (node) => {
  const { dy, input } = node.inputs() as Readonly<Record<'dy' | 'input', ValueId>>;
  const padded = padBefore(node, input, 0);
  if (padded !== null) {
    const inputs = { dy: countInside(node, dy, padded.windows), input: padded.image };
    return [padded.crop(node.emit('AvgPoolGrad', inputs, padded.attributes))];
  }
  if (node.target.name === 'native') return null;
  const scaled = countInside(node, dy, poolWindows(node.call(), node.shape(input)));
  return scaled === dy ? null : node.keep({ dy: scaled, input });
};

/**
 * wasm looks for a maximum above the smallest positive float32, so a window without positive numbers
 * gets no gradient. Such windows are looked at a second time with 1/|x|, which has the order of x
 * there; numbers that differ in their last bit may become equal, and then the first one counts.
 */
export const maxPoolGradient: LoweringRule = (node) => {
  type Inputs = Readonly<Record<'dy' | 'input' | 'output', ValueId>>;
  const { dy, input, output } = node.inputs() as Inputs;
  const padded = padBefore(node, input, Number.NEGATIVE_INFINITY);
  if (padded !== null) {
    const inputs = { dy, input: padded.image, output };
    return [padded.crop(node.emit('MaxPoolGrad', inputs, padded.attributes))];
  }
  if (node.target.name !== 'wasm') return null;
  const zero = node.constant(new TensorValue('float32', [], Float32Array.of(0)));
  const positive = node.emit('Greater', { a: output, b: zero });
  const none = node.emit('ZerosLike', { x: dy });
  const upper = node.emit('Select', { condition: positive, t: dy, e: none });
  const lower = node.emit('Select', { condition: positive, t: none, e: dy });
  const reversed = node.emit('Reciprocal', { x: node.emit('Abs', { x: input }) });
  const [a] = node.keep({ dy: upper, input, output });
  const [b] = node.keep({ dy: lower, input: reversed, output });
  return [node.emit('Add', { a: a as ValueId, b: b as ValueId })];
};

/** Divides by the share of each window that is inside the image. */
function countInside(
  node: LoweredNode,
  x: ValueId,
  [rows, columns]: readonly [PoolWindows, PoolWindows],
): ValueId {
  const factors = rows.shares.flatMap((height) =>
    columns.shares.map((width) => 1 / (height * width)),
  );
  if (factors.every((factor) => factor === 1)) return x;
  const shape = [1, rows.size, columns.size, 1];
  const b = node.constant(new TensorValue('float32', shape, Float32Array.from(factors)));
  return node.emit('Multiply', { a: x, b });
}

/** An image with its padding as part of it, so that every window is inside; `null` if not needed. */
function padBefore(node: LoweredNode, x: ValueId, constantValue: number) {
  const { filterSize = [], strides = [] } = node.attributes;
  if (!needsPadding(node, node.call().ints('filterSize'))) return null;
  const windows = poolWindows(node.call(), node.shape(x));
  const [, height = 0, width = 0] = node.shape(x);
  const around = (extent: number, { size, padding, filter, stride }: PoolWindows) => {
    const before = padding[0];
    return [before, (size - 1) * stride + filter - extent - before] as const;
  };
  const [rows, columns] = [around(height, windows[0]), around(width, windows[1])];
  return {
    windows,
    image: node.padOrCrop(x, [[0, 0], rows, columns, [0, 0]], constantValue),
    attributes: { filterSize, strides, pad: 'valid' },
    /** The part of a gradient that belongs to the image. */
    crop: (gradient: ValueId): ValueId =>
      node.padOrCrop(gradient, [[0, 0], negated(rows), negated(columns), [0, 0]]),
  };
}

function negated([before, after]: readonly [number, number]): readonly [number, number] {
  return [-before, -after];
}
