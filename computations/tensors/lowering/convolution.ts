/** @file Gradients of convolutions, written with forward convolutions. */

import type { Attributes, ValueId } from '../graph.ts';
import { type ConvolutionShape, convolutionShape } from '../kernels/windows.ts';
import { type LoweredNode, type LoweringRule, needsPadding } from './rule.ts';

/**
 * The gradient with respect to the filter is a convolution of the image with dy as its filter,
 * where batch and channels change places, and strides and dilations too.
 */
export const conv2DBackpropFilter: LoweringRule = (node) => {
  if (node.target.has('Conv2DBackpropFilter')) return paddedGradient.filter(node, false);
  const geometry = filterGeometry(node, false);
  const { rows, columns, padded, strides, dilations } = geometry;
  const [, , channels, outer] = node.call().ints('filterShape') as [number, number, number, number];
  const image = node.transpose(padded, [3, 1, 2, 0]);
  const filter = node.transpose(node.input('dy'), [1, 2, 0, 3]);
  const correlation = node.emit(
    'Conv2D',
    { x: image, filter },
    {
      strides: dilations,
      dilations: strides,
      pad: 'valid',
      dataFormat: 'NHWC',
    },
  );
  const kept = node.emit(
    'Slice',
    { x: correlation },
    { begin: [0, 0, 0, 0], size: [channels, rows, columns, outer] },
  );
  return [node.transpose(kept, [1, 2, 0, 3])];
};

/**
 * wasm gives zeros for 'same' padding where a stride is larger than the filter, and some padding in
 * numbers is not for the kernels; such images are padded before.
 */
export const paddedBefore: LoweringRule = (node) => {
  const x = node.input('x');
  const depthwise = DEPTHWISE.has(node.kernel);
  const filter = node.shape(node.input('filter'));
  const shape = convolutionShape(node.call(), node.shape(x), filter, depthwise);
  const { strides } = shape;
  const sparse = strides[0] > (filter[0] ?? 0) || strides[1] > (filter[1] ?? 0);
  const wrong = node.target.name === 'wasm' && node.attributes.pad === 'same' && sparse;
  if (!wrong && !needsPadding(node, filter)) return null;
  const inputs = { ...node.inputs(), x: node.padOrCrop(x, around(shape, node.shape(x))) };
  return [node.emit(node.kernel, inputs, unpadded(node))];
};

/** The gradients of a convolution that the kernel does not pad: of a larger image, and cropped. */
const paddedGradient = {
  filter: (node: LoweredNode, depthwise: boolean): readonly ValueId[] | null => {
    const filterShape = node.call().ints('filterShape');
    if (!needsPadding(node, filterShape)) return null;
    const x = node.input('x');
    const shape = convolutionShape(node.call(), node.shape(x), filterShape, depthwise);
    const inputs = { ...node.inputs(), x: node.padOrCrop(x, around(shape, node.shape(x))) };
    return [node.emit(node.kernel, inputs, unpadded(node))];
  },
  input: (node: LoweredNode, depthwise: boolean): readonly ValueId[] | null => {
    const filterShape = node.shape(node.input('filter'));
    if (!needsPadding(node, filterShape)) return null;
    const image = node.call().ints('inputShape');
    const paddings = around(convolutionShape(node.call(), image, filterShape, depthwise), image);
    const inputShape = image.map((size, axis) => size + sum(paddings[axis] as Pair));
    const gradient = node.emit(node.kernel, node.inputs(), { ...unpadded(node), inputShape });
    return [
      node.padOrCrop(
        gradient,
        paddings.map(([before, after]) => [-before, -after] as const),
      ),
    ];
  },
};

export const conv2DBackpropInput: LoweringRule = (node) => paddedGradient.input(node, false);

function unpadded(node: LoweredNode): Attributes {
  const { dimRoundingMode: _, ...attributes } = node.attributes;
  return { ...attributes, pad: 'valid' };
}

type Pair = readonly [number, number];

const sum = ([before, after]: Pair): number => before + after;

/** Paddings of an image such that its windows are all inside and the last one ends with it. */
function around(
  { outShape, filterShape, strides, dilations, padding }: ConvolutionShape,
  image: readonly number[],
): readonly Pair[] {
  const along = (axis: 0 | 1): Pair => {
    const before = padding[axis][0];
    const extent = ((filterShape[axis] ?? 0) - 1) * dilations[axis] + 1;
    const end = ((outShape[axis + 1] ?? 0) - 1) * strides[axis] + extent;
    return [before, end - (image[axis + 1] ?? 0) - before];
  };
  return [[0, 0], along(0), along(1), [0, 0]];
}

const DEPTHWISE: ReadonlySet<string> = new Set(['DepthwiseConv2dNative', 'FusedDepthwiseConv2D']);

/** One product and sum for each position in the filter. */
export const depthwiseBackpropFilter: LoweringRule = (node) => {
  if (node.target.has('DepthwiseConv2dNativeBackpropFilter')) {
    return paddedGradient.filter(node, true);
  }
  const geometry = filterGeometry(node, true);
  const { rows, columns, padded, outRows, outColumns, strides, dilations } = geometry;
  const [batch = 0, , , channels = 0] = node.shape(padded);
  const multiplier = node.call().ints('filterShape')[3] ?? 1;
  const points = batch * outRows * outColumns;
  const dy = node.reshape(node.input('dy'), [points, channels, multiplier]);
  const taps: ValueId[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [top, left] = [row * dilations[0], column * dilations[1]];
      const window = node.emit(
        'StridedSlice',
        { x: padded },
        {
          begin: [0, top, left, 0],
          end: [
            batch,
            top + (outRows - 1) * strides[0] + 1,
            left + (outColumns - 1) * strides[1] + 1,
            channels,
          ],
          strides: [1, strides[0], strides[1], 1],
          beginMask: 0,
          endMask: 0,
          ellipsisMask: 0,
          newAxisMask: 0,
          shrinkAxisMask: 0,
        },
      );
      const a = node.reshape(window, [points, channels, 1]);
      const product = node.emit('Multiply', { a, b: dy });
      taps.push(node.emit('Sum', { x: product }, { axis: [0], keepDims: false }));
    }
  }
  const stacked = node.emit('Pack', taps, { axis: 0 });
  return [node.reshape(stacked, [rows, columns, channels, multiplier])];
};

/** A depthwise convolution of dy, spread by the strides, with the filter turned round. */
export const depthwiseBackpropInput: LoweringRule = (node) => {
  if (node.target.has('DepthwiseConv2dNativeBackpropInput')) {
    return paddedGradient.input(node, true);
  }
  const call = node.call();
  const inputShape = call.ints('inputShape');
  const filterShape = node.shape(node.input('filter'));
  const { strides, dilations, padding, outShape } = convolutionShape(
    call,
    inputShape,
    filterShape,
    true,
  );
  const [batch = 0, height = 0, width = 0, channels = 0] = inputShape;
  const [rows = 0, columns = 0, , multiplier = 1] = filterShape;
  const [, outRows = 0, outColumns = 0] = outShape;
  const turned = node.emit('Reverse', { x: node.input('filter') }, { dims: [0, 1] });
  const parts = Array.from({ length: multiplier }, (_, m) => {
    const dy = pick(node, node.input('dy'), [batch, outRows, outColumns, channels], multiplier, m);
    const filter = pick(node, turned, [rows, columns, channels], multiplier, m);
    const spread = spreadBy(node, dy, strides);
    const around = ([extent, size, dilation, before]: readonly number[], length: number) => {
      const reach = ((size as number) - 1) * (dilation as number);
      const first = reach - (before as number);
      return [first, (extent as number) + reach - length - first] as const;
    };
    const [, spreadRows = 0, spreadColumns = 0] = node.shape(spread);
    const padded = node.padOrCrop(spread, [
      [0, 0],
      around([height, rows, dilations[0], padding[0][0]], spreadRows),
      around([width, columns, dilations[1], padding[1][0]], spreadColumns),
      [0, 0],
    ]);
    return node.emit(
      'DepthwiseConv2dNative',
      { x: padded, filter: node.reshape(filter, [rows, columns, channels, 1]) },
      { strides: [1, 1], dilations, pad: 'valid', dataFormat: 'NHWC' },
    );
  });
  return [parts.reduce((a, b) => node.emit('Add', { a, b }))];
};

/** The part of channel multiplier `m` of a tensor whose last axis is channels times multiplier. */
function pick(
  node: LoweredNode,
  x: ValueId,
  shape: readonly number[],
  multiplier: number,
  m: number,
): ValueId {
  if (multiplier === 1) return node.reshape(x, shape);
  const whole = node.reshape(x, [shape.reduce((a, b) => a * b, 1), multiplier]);
  const size = [node.shape(whole)[0] ?? 0, 1];
  return node.reshape(node.emit('Slice', { x: whole }, { begin: [0, m], size }), shape);
}

/** Puts `stride - 1` zeros between rows, and between columns. */
function spreadBy(
  node: LoweredNode,
  x: ValueId,
  [down, right]: readonly [number, number],
): ValueId {
  const [batch = 0, rows = 0, columns = 0, channels = 0] = node.shape(x);
  let spread = x;
  if (down > 1) {
    const split = node.reshape(spread, [batch, rows, 1, columns * channels]);
    const wide = node.padOrCrop(split, [
      [0, 0],
      [0, 0],
      [0, down - 1],
      [0, 0],
    ]);
    spread = node.reshape(wide, [batch, rows * down, columns, channels]);
  }
  if (right > 1) {
    const split = node.reshape(spread, [batch * rows * down, columns, 1, channels]);
    const wide = node.padOrCrop(split, [
      [0, 0],
      [0, 0],
      [0, right - 1],
      [0, 0],
    ]);
    spread = node.reshape(wide, [batch, rows * down, columns * right, channels]);
  }
  return node.padOrCrop(spread, [
    [0, 0],
    [0, 1 - down],
    [0, 1 - right],
    [0, 0],
  ]);
}

/** The image of a filter gradient, padded so that every window lies inside it. */
function filterGeometry(node: LoweredNode, depthwise: boolean) {
  const call = node.call();
  const x = node.input('x');
  const filterShape = call.ints('filterShape');
  const shape = convolutionShape(call, node.shape(x), filterShape, depthwise);
  const { strides, dilations, outShape } = shape;
  const [rows = 0, columns = 0] = filterShape;
  const [, outRows = 0, outColumns = 0] = outShape;
  const padded = node.padOrCrop(x, around(shape, node.shape(x)));
  return { rows, columns, padded, outRows, outColumns, strides, dilations };
}
