/** @file Matrix multiplication, convolution, pooling, normalisation and image resizing. */

import { type ConcreteSpec, shapeSize } from '../graph.ts';
import {
  broadcast,
  type KernelCall,
  type KernelDefinition,
  type KernelTable,
  spec,
} from './definition.ts';
import { type ConvolutionShape, convolutionShape, poolShape } from './windows.ts';

const FLOAT = ['float32'] as const;
const ACTIVATIONS = ['linear', 'relu', 'relu6', 'elu', 'prelu', 'leakyrelu', 'sigmoid'];
const WINDOW = { strides: 'ints', pad: 'padding', dimRoundingMode: 'text?' } as const;
const CONVOLUTION = { ...WINDOW, dataFormat: 'text?', dilations: 'ints?' } as const;
const FUSED = { activation: 'text', leakyreluAlpha: 'number?' } as const;

function product(call: KernelCall): ConcreteSpec {
  const a = call.typed('a', FLOAT).shape;
  const b = call.typed('b', FLOAT).shape;
  call.require(a.length >= 2 && b.length >= 2, 'both factors must have at least two axes');
  const [m, inner] = matrixSizes(a, call.flag('transposeA'));
  const [innerB, n] = matrixSizes(b, call.flag('transposeB'));
  call.require(inner === innerB, `the inner sizes ${inner} and ${innerB} differ`);
  return spec('float32', [...broadcast(call, a.slice(0, -2), b.slice(0, -2)), m, n]);
}

function matrixSizes(shape: readonly number[], transposed: boolean): readonly [number, number] {
  const [rows = 0, columns = 0] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}

function productFlops(call: KernelCall, outputs: readonly ConcreteSpec[]): number {
  const a = call.input('a').shape;
  const inner = matrixSizes(a, call.flag('transposeA'))[1];
  return 2 * inner * shapeSize(outputs[0]?.shape ?? []);
}

function checkFused(call: KernelCall, output: ConcreteSpec): readonly ConcreteSpec[] {
  const activation = call.text('activation', ACTIVATIONS);
  const bias = call.optional('bias');
  if (bias !== undefined) {
    call.typed('bias', FLOAT);
    const fits = String(broadcast(call, bias.shape, output.shape)) === String(output.shape);
    call.require(fits, 'the bias does not fit the result');
  }
  const needed = activation === 'prelu';
  call.require(
    needed === (call.optional('preluActivationWeights') !== undefined),
    "preluActivationWeights are for the activation 'prelu' only",
  );
  if (needed) {
    const { shape } = call.typed('preluActivationWeights', FLOAT);
    // The kernels go through the weights again and again: they are the last axes of the result.
    const own = shape.slice(shape.findIndex((size) => size !== 1));
    const fits = shapeSize(shape) === 1 || String(own) === String(output.shape.slice(-own.length));
    call.require(fits, 'preluActivationWeights do not fit the result');
  }
  return [output];
}

const fusedInputs = ['bias', 'preluActivationWeights'];

function convolution(depthwise: boolean): (call: KernelCall) => ConcreteSpec {
  return (call) => {
    const x = call.typed('x', FLOAT).shape;
    const filter = call.typed('filter', FLOAT).shape;
    return spec('float32', convolutionShape(call, x, filter, depthwise).outShape);
  };
}

function convolutionFlops(shape: ConvolutionShape): number {
  const [height = 0, width = 0, channels = 0] = shape.filterShape;
  return 2 * shapeSize(shape.outShape) * height * width * (shape.depthwise ? 1 : channels);
}

function forwardFlops(depthwise: boolean): NonNullable<KernelDefinition['flops']> {
  return (call) =>
    convolutionFlops(
      convolutionShape(call, call.input('x').shape, call.input('filter').shape, depthwise),
    );
}

/** Gradient of a convolution with respect to its input or filter. */
function convolutionGradient(depthwise: boolean, of: 'input' | 'filter'): KernelDefinition {
  const other = of === 'input' ? 'filter' : 'x';
  const shapeName = of === 'input' ? 'inputShape' : 'filterShape';
  const resolve = (call: KernelCall): ConvolutionShape => {
    const given = call.typed(other, FLOAT).shape;
    const wanted = call.ints(shapeName);
    return of === 'input'
      ? convolutionShape(call, wanted, given, depthwise)
      : convolutionShape(call, given, wanted, depthwise);
  };
  return {
    inputs: of === 'input' ? ['dy', 'filter'] : ['x', 'dy'],
    attributes: { ...CONVOLUTION, [shapeName]: 'ints' },
    infer: (call) => {
      const { outShape, dilations } = resolve(call);
      // tfjs ignores dilations here, and refuses to differentiate a dilated convolution.
      call.require(String(dilations) === '1,1', 'it has no dilations');
      const dy = call.typed('dy', FLOAT).shape;
      call.require(String(dy) === String(outShape), `dy must have the shape [${outShape}]`);
      return [spec('float32', call.ints(shapeName))];
    },
    flops: (call) => convolutionFlops(resolve(call)),
  };
}

const pool: KernelDefinition = {
  inputs: ['x'],
  attributes: { ...WINDOW, filterSize: 'ints' },
  infer: (call) => [spec('float32', poolShape(call, call.typed('x', FLOAT).shape))],
};

const resize: KernelDefinition = {
  inputs: ['images'],
  attributes: { alignCorners: 'flag?', halfPixelCenters: 'flag?', size: 'ints' },
  infer: (call) => {
    const [batch, height, width, channels, ...more] = call.typed('images', FLOAT).shape;
    const [newHeight, newWidth, ...others] = call.ints('size');
    if (batch === undefined || channels === undefined || more.length > 0) {
      return call.fail('images must have four axes');
    }
    if (newHeight === undefined || newWidth === undefined || others.length > 0) {
      return call.fail('size must have two entries');
    }
    call.require((height ?? 0) > 0 && (width ?? 0) > 0, 'the images are empty');
    call.require(
      !(call.flag('alignCorners') && call.flag('halfPixelCenters')),
      'either corners are aligned or centers are at half pixels',
    );
    return [spec('float32', [batch, newHeight, newWidth, channels])];
  },
};

export const MATRIX: KernelTable = {
  BatchMatMul: {
    inputs: ['a', 'b'],
    attributes: { transposeA: 'flag?', transposeB: 'flag?' },
    infer: (call) => [product(call)],
    flops: productFlops,
  },
  _FusedMatMul: {
    inputs: ['a', 'b'],
    optional: fusedInputs,
    attributes: { transposeA: 'flag?', transposeB: 'flag?', ...FUSED },
    infer: (call) => checkFused(call, product(call)),
    flops: productFlops,
  },
  Conv2D: {
    inputs: ['x', 'filter'],
    attributes: CONVOLUTION,
    infer: (call) => [convolution(false)(call)],
    flops: forwardFlops(false),
  },
  DepthwiseConv2dNative: {
    inputs: ['x', 'filter'],
    attributes: CONVOLUTION,
    infer: (call) => [convolution(true)(call)],
    flops: forwardFlops(true),
  },
  FusedConv2D: {
    inputs: ['x', 'filter'],
    optional: fusedInputs,
    attributes: { ...CONVOLUTION, ...FUSED },
    infer: (call) => checkFused(call, convolution(false)(call)),
    flops: forwardFlops(false),
  },
  FusedDepthwiseConv2D: {
    inputs: ['x', 'filter'],
    optional: fusedInputs,
    attributes: { ...CONVOLUTION, ...FUSED },
    infer: (call) => checkFused(call, convolution(true)(call)),
    flops: forwardFlops(true),
  },
  Conv2DBackpropInput: convolutionGradient(false, 'input'),
  Conv2DBackpropFilter: convolutionGradient(false, 'filter'),
  DepthwiseConv2dNativeBackpropInput: convolutionGradient(true, 'input'),
  DepthwiseConv2dNativeBackpropFilter: convolutionGradient(true, 'filter'),
  MaxPool: pool,
  AvgPool: pool,
  MaxPoolGrad: {
    inputs: ['dy', 'input', 'output'],
    attributes: { ...WINDOW, filterSize: 'ints' },
    infer: (call) => {
      const input = call.typed('input', FLOAT);
      const shape = String(poolShape(call, input.shape));
      for (const name of ['dy', 'output']) {
        const given = String(call.typed(name, FLOAT).shape);
        call.require(given === shape, `'${name}' must have the shape [${shape}]`);
      }
      return [input];
    },
  },
  AvgPoolGrad: {
    inputs: ['dy', 'input'],
    attributes: { ...WINDOW, filterSize: 'ints' },
    infer: (call) => {
      const input = call.typed('input', FLOAT);
      const shape = String(poolShape(call, input.shape));
      call.require(String(call.typed('dy', FLOAT).shape) === shape, `dy must be [${shape}]`);
      return [input];
    },
  },
  FusedBatchNorm: {
    inputs: ['x', 'mean', 'variance'],
    optional: ['scale', 'offset'],
    attributes: { varianceEpsilon: 'number?' },
    infer: (call) => {
      const x = call.typed('x', FLOAT);
      const { shape } = call.input('mean');
      for (const name of ['mean', 'variance', 'scale', 'offset']) {
        const parameter = call.optional(name);
        if (parameter === undefined) continue;
        call.typed(name, FLOAT);
        // The kernels cycle through a parameter's elements, so only its last axes may be used.
        const fits =
          parameter.shape.length === 1
            ? parameter.shape[0] === x.shape.at(-1)
            : String(parameter.shape) === String(x.shape);
        const alike = String(parameter.shape) === String(shape);
        call.require(
          fits && alike,
          `'${name}' must have one entry for each channel, or the shape of x, like 'mean'`,
        );
      }
      return [x];
    },
  },
  ResizeBilinear: resize,
  ResizeNearestNeighbor: resize,
};
