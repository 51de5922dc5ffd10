/** @file For each kernel that backends run, an arbitrary of inputs and attributes that it takes. */

import fc from 'fast-check';
import type { Attributes } from '../../../computations/tensors/index.ts';
import {
  ANY,
  aboveOne,
  averageGradient,
  axisCase,
  binary,
  type Cases,
  convolution,
  distinct,
  FLOAT,
  fusedProduct,
  indices,
  NUMERIC,
  normalisation,
  oneOf,
  pairsFor,
  pooling,
  positive,
  product,
  reduction,
  scanning,
  shapeOf,
  size,
  small,
  table,
  tensor,
  unary,
  unit,
} from './kernel-arbitraries.helpers.ts';

export const KERNEL_CASES: Readonly<Record<string, Cases>> = {
  ...table(
    'Atan Ceil Cos Cosh Elu Erf Exp Expm1 Floor Relu Relu6 Round Selu Sigmoid Sign Sin Sinh Softplus Tan Tanh Asinh',
    unary(FLOAT),
  ),
  ...table('Acos Asin Atanh', unary(FLOAT, undefined, unit)),
  Acosh: unary(FLOAT, undefined, aboveOne),
  ...table('Log Log1p Reciprocal Rsqrt Sqrt', unary(FLOAT, undefined, positive)),
  ...table('Abs Neg Square', unary(NUMERIC)),
  ...table('ZerosLike OnesLike Identity', unary(ANY)),
  ...table(
    'IsNan IsInf IsFinite',
    unary(FLOAT, undefined, fc.constantFrom(0, 1, Number.NaN, Number.POSITIVE_INFINITY)),
  ),
  LogicalNot: unary(['bool']),
  Step: unary(FLOAT, fc.constantFrom({ alpha: 0 }, { alpha: 0.5 })),
  LeakyRelu: unary(FLOAT, fc.constant({ alpha: 0.25 })),
  ClipByValue: unary(
    FLOAT,
    fc.constantFrom<Attributes>(
      { clipValueMin: -1, clipValueMax: 1 },
      { clipValueMin: 0, clipValueMax: Number.POSITIVE_INFINITY },
    ),
  ),
  Cast: unary(ANY, fc.constantFrom({ dtype: 'float32' }, { dtype: 'int32' }, { dtype: 'bool' })),

  ...table('Add Sub Multiply Maximum Minimum SquaredDifference', binary(NUMERIC)),
  ...table('Greater GreaterEqual Less LessEqual', binary(NUMERIC)),
  ...table('Equal NotEqual', binary(ANY)),
  ...table('LogicalAnd LogicalOr', binary(['bool'])),
  ...table('RealDiv Mod', binary(FLOAT, positive)),
  FloorDiv: binary(['int32'], fc.constantFrom(-3, -1, 1, 2, 4)),
  Atan2: binary(FLOAT, positive),
  Pow: fc
    .tuple(shapeOf(0, 3))
    .chain(([shape]) => fc.tuple(tensor('float32', shape, positive), tensor('float32', shape)))
    .map(([a, b]) => ({ inputs: { a, b }, attributes: {} })),
  AddN: fc
    .tuple(oneOf(NUMERIC), shapeOf(0, 3), size)
    .chain(([dtype, shape, count]) =>
      fc
        .array(tensor(dtype, shape), { minLength: count, maxLength: count })
        .map((inputs) => ({ inputs, attributes: {} })),
    ),
  EluGrad: shapeOf(0, 3).chain((shape) =>
    fc
      .tuple(tensor('float32', shape), tensor('float32', shape))
      .map(([dy, y]) => ({ inputs: { dy, y }, attributes: {} })),
  ),
  Prelu: shapeOf(0, 3).chain((shape) =>
    fc
      .tuple(tensor('float32', shape), tensor('float32', shape))
      .map(([x, alpha]) => ({ inputs: { x, alpha }, attributes: {} })),
  ),
  Select: fc
    .tuple(oneOf(ANY), shapeOf(0, 3))
    .chain(([dtype, shape]) =>
      fc
        .tuple(tensor('bool', shape), tensor(dtype, shape), tensor(dtype, shape))
        .map(([condition, t, e]) => ({ inputs: { condition, t, e }, attributes: {} })),
    ),

  ...table('Sum Min', reduction(NUMERIC)),
  // tfjs multiplies integers as doubles here, so products stay small.
  Prod: reduction(NUMERIC, 'axis', small),
  Max: reduction(NUMERIC, 'reductionIndices'),
  Mean: reduction(FLOAT),
  ...table('All Any', reduction(['bool'])),
  ...table(
    'ArgMax ArgMin',
    axisCase(FLOAT, (axis) => fc.constant({ axis })),
  ),
  Cumsum: axisCase(NUMERIC, scanning),
  Cumprod: axisCase(NUMERIC, scanning, 'x', small),
  Softmax: shapeOf(1, 3).chain((shape) =>
    tensor('float32', shape).map((logits) => ({
      inputs: { logits },
      attributes: { dim: shape.length - 1 },
    })),
  ),
  TopK: shapeOf(1, 2).chain((shape) =>
    fc
      .tuple(distinct(shape), fc.integer({ min: 1, max: shape.at(-1) ?? 1 }))
      .map(([x, k]) => ({ inputs: { x }, attributes: { k, sorted: true } })),
  ),
  UnsortedSegmentSum: fc
    .tuple(oneOf(NUMERIC), shapeOf(1, 3), size)
    .chain(([dtype, shape, n]) =>
      fc
        .tuple(tensor(dtype, shape), indices([shape[0] ?? 1], n))
        .map(([x, segmentIds]) => ({ inputs: { x, segmentIds }, attributes: { numSegments: n } })),
    ),

  BatchMatMul: product,
  _FusedMatMul: fusedProduct,
  Conv2D: convolution(false, 'forward'),
  DepthwiseConv2dNative: convolution(true, 'forward'),
  FusedConv2D: convolution(false, 'forward').map(({ inputs, attributes }) => ({
    inputs,
    attributes: { ...attributes, activation: 'relu' },
  })),
  FusedDepthwiseConv2D: convolution(true, 'forward').map(({ inputs, attributes }) => ({
    inputs,
    attributes: { ...attributes, activation: 'linear' },
  })),
  Conv2DBackpropInput: convolution(false, 'input'),
  Conv2DBackpropFilter: convolution(false, 'filter'),
  DepthwiseConv2dNativeBackpropInput: convolution(true, 'input'),
  DepthwiseConv2dNativeBackpropFilter: convolution(true, 'filter'),
  MaxPool: pooling,
  AvgPool: pooling,
  AvgPoolGrad: averageGradient,
  FusedBatchNorm: normalisation,
  ...table(
    'ResizeBilinear ResizeNearestNeighbor',
    fc
      .tuple(shapeOf(4, 4), size, size, fc.boolean())
      .chain(([shape, height, width, alignCorners]) =>
        tensor('float32', shape).map((images) => ({
          inputs: { images },
          attributes: { alignCorners, halfPixelCenters: false, size: [height, width] },
        })),
      ),
  ),

  Reshape: shapeOf(0, 3).chain((shape) =>
    tensor('float32', shape).map((x) => ({
      inputs: { x },
      attributes: { shape: [shape.reduce((a, b) => a * b, 1), 1] },
    })),
  ),
  ExpandDims: axisCase(ANY, (axis) => fc.constant({ dim: axis }), 'input'),
  Transpose: fc.tuple(oneOf(ANY), shapeOf(1, 4)).chain(([dtype, shape]) =>
    fc
      .tuple(
        tensor(dtype, shape),
        fc.shuffledSubarray(
          shape.map((_, axis) => axis),
          { minLength: shape.length },
        ),
      )
      .map(([x, perm]) => ({ inputs: { x }, attributes: { perm } })),
  ),
  Concat: fc
    .tuple(oneOf(ANY), shapeOf(1, 3), fc.array(size, { minLength: 1, maxLength: 3 }))
    .chain(([dtype, shape, extents]) =>
      fc
        .integer({ min: 0, max: shape.length - 1 })
        .chain((axis) =>
          fc
            .tuple(...extents.map((extent) => tensor(dtype, shape.with(axis, extent))))
            .map((inputs) => ({ inputs, attributes: { axis } })),
        ),
    ),
  Pack: fc
    .tuple(oneOf(ANY), shapeOf(0, 3), size)
    .chain(([dtype, shape, count]) =>
      fc
        .tuple(
          fc.array(tensor(dtype, shape), { minLength: count, maxLength: count }),
          fc.integer({ min: 0, max: shape.length }),
        )
        .map(([inputs, axis]) => ({ inputs, attributes: { axis } })),
    ),
  Unpack: axisCase(ANY, (axis) => fc.constant({ axis }), 'value'),
  SplitV: axisCase(ANY, (axis, shape) =>
    fc.constantFrom<Attributes>(
      { axis, numOrSizeSplits: [shape[axis] ?? 1] },
      { axis, numOrSizeSplits: shape[axis] ?? 1 },
      { axis, numOrSizeSplits: [1, -1] },
    ),
  ),
  Slice: fc.tuple(oneOf(ANY), shapeOf(1, 4)).chain(([dtype, shape]) =>
    fc
      .tuple(
        tensor(dtype, shape),
        fc.tuple(
          ...shape.map((n) =>
            fc
              .integer({ min: 0, max: n - 1 })
              .chain((from) => fc.tuple(fc.constant(from), fc.integer({ min: 1, max: n - from }))),
          ),
        ),
      )
      .map(([x, ranges]) => ({
        inputs: { x },
        attributes: { begin: ranges.map(([from]) => from), size: ranges.map(([, n]) => n) },
      })),
  ),
  StridedSlice: fc.tuple(oneOf(FLOAT), shapeOf(1, 3)).chain(([dtype, shape]) =>
    fc
      .tuple(
        tensor(dtype, shape),
        fc.tuple(
          ...shape.map((n) =>
            fc
              .integer({ min: 0, max: n - 1 })
              .chain((from) =>
                fc.tuple(
                  fc.constant(from),
                  fc.integer({ min: from + 1, max: n }),
                  fc.integer({ min: 1, max: 2 }),
                ),
              ),
          ),
        ),
      )
      .map(([x, ranges]) => ({
        inputs: { x },
        attributes: {
          begin: ranges.map(([from]) => from),
          end: ranges.map(([, to]) => to),
          strides: ranges.map(([, , step]) => step),
          beginMask: 0,
          endMask: 0,
          ellipsisMask: 0,
          newAxisMask: 0,
          shrinkAxisMask: 0,
        },
      })),
  ),
  Tile: fc
    .tuple(oneOf(ANY), shapeOf(1, 3))
    .chain(([dtype, shape]) =>
      fc
        .tuple(tensor(dtype, shape), fc.tuple(...shape.map(() => size)))
        .map(([x, reps]) => ({ inputs: { x }, attributes: { reps } })),
    ),
  PadV2: fc
    .tuple(oneOf(NUMERIC), shapeOf(1, 4), fc.constantFrom(0, 1, -2))
    .chain(([dtype, shape, constantValue]) =>
      fc
        .tuple(
          tensor(dtype, shape),
          pairsFor(shape, () => 2),
        )
        .map(([x, paddings]) => ({ inputs: { x }, attributes: { paddings, constantValue } })),
    ),
  MirrorPad: fc
    .tuple(shapeOf(1, 4), fc.constantFrom('reflect', 'symmetric'))
    .chain(([shape, mode]) =>
      fc
        .tuple(
          tensor('float32', shape),
          pairsFor(shape, (n) => (mode === 'reflect' ? n - 1 : n)),
        )
        .map(([x, paddings]) => ({ inputs: { x }, attributes: { paddings, mode } })),
    ),
  Reverse: fc.tuple(oneOf(NUMERIC), shapeOf(1, 4)).chain(([dtype, shape]) =>
    fc
      .tuple(
        tensor(dtype, shape),
        fc.subarray(
          shape.map((_, axis) => axis),
          { minLength: 1 },
        ),
      )
      .map(([x, dims]) => ({ inputs: { x }, attributes: { dims } })),
  ),
  GatherV2: fc.tuple(oneOf(ANY), shapeOf(1, 3), shapeOf(1, 2)).chain(([dtype, shape, wanted]) =>
    fc.integer({ min: 0, max: shape.length - 1 }).chain((axis) =>
      fc.tuple(tensor(dtype, shape), indices(wanted, shape[axis] ?? 1)).map(([x, positions]) => ({
        inputs: { x, indices: positions },
        attributes: { axis, batchDims: 0 },
      })),
    ),
  ),
  GatherNd: fc
    .tuple(oneOf(ANY), size, size, size)
    .chain(([dtype, rows, columns, count]) =>
      fc
        .tuple(tensor(dtype, [rows, columns]), indices([count, 1], rows))
        .map(([params, positions]) => ({ inputs: { params, indices: positions }, attributes: {} })),
    ),
  ScatterNd: fc.tuple(oneOf(NUMERIC), size, size, size).chain(([dtype, rows, columns, count]) =>
    fc
      .tuple(indices([count, 1], rows), tensor(dtype, [count, columns]))
      .map(([positions, updates]) => ({
        inputs: { indices: positions, updates },
        attributes: { shape: [rows, columns] },
      })),
  ),
  TensorScatterUpdate: fc.tuple(oneOf(NUMERIC), size, size).chain(([dtype, rows, columns]) =>
    fc
      .tuple(tensor(dtype, [rows, columns]), indices([1, 1], rows), tensor(dtype, [1, columns]))
      .map(([target, positions, updates]) => ({
        inputs: { tensor: target, indices: positions, updates },
        attributes: {},
      })),
  ),
  OneHot: fc.tuple(shapeOf(1, 2), size, oneOf(ANY)).chain(([shape, depth, dtype]) =>
    fc
      .tuple(
        tensor('int32', shape, fc.integer({ min: -1, max: depth })),
        fc.constantFrom([1, 0], [3, -1]),
      )
      .map(([positions, [onValue = 1, offValue = 0]]) => ({
        inputs: { indices: positions },
        attributes:
          dtype === 'bool'
            ? { depth, onValue: 1, offValue: 0, dtype }
            : { depth, onValue, offValue, dtype },
      })),
  ),
  DepthToSpace: fc.tuple(size, size, size).chain(([height, width, depth]) =>
    tensor('float32', [1, height, width, 4 * depth]).map((x) => ({
      inputs: { x },
      attributes: { blockSize: 2, dataFormat: 'NHWC' },
    })),
  ),
  Range: fc
    .tuple(fc.integer({ min: -5, max: 5 }), fc.integer({ min: 1, max: 3 }), fc.nat(12))
    .map(([start, step, span]) => ({
      inputs: {},
      attributes: { start, stop: start + span, step, dtype: 'int32' },
    })),
  LinSpace: fc.integer({ min: 1, max: 9 }).map((num) => ({
    inputs: {},
    attributes: { start: -1, stop: 2, num },
  })),
  Fill: shapeOf(0, 3).map((shape) => ({
    inputs: {},
    attributes: { shape, value: 1.5, dtype: 'float32' },
  })),
};
