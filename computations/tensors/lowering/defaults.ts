/**
 * @file Attributes that a graph may leave out, and that tfjs itself always states. Without them some
 * kernels fail, and others compute with a missing number.
 */

import type { Attributes } from '../graph.ts';

/** The attributes with those that are left out. */
export function withDefaults(kernel: string, attributes: Attributes): Attributes {
  const defaults = DEFAULTS[kernel];
  return defaults === undefined ? attributes : { ...defaults, ...attributes };
}

const CONVOLUTION: Attributes = { dataFormat: 'NHWC', dilations: [1, 1] };
const ACTIVATION: Attributes = { leakyreluAlpha: 0.2 };

const DEFAULTS: Readonly<Record<string, Attributes>> = {
  _FusedMatMul: { transposeA: false, transposeB: false, ...ACTIVATION },
  Conv2D: CONVOLUTION,
  Conv2DBackpropFilter: CONVOLUTION,
  Conv2DBackpropInput: CONVOLUTION,
  DepthwiseConv2dNative: CONVOLUTION,
  DepthwiseConv2dNativeBackpropFilter: CONVOLUTION,
  DepthwiseConv2dNativeBackpropInput: CONVOLUTION,
  FusedBatchNorm: { varianceEpsilon: 0.001 },
  FusedConv2D: { ...CONVOLUTION, ...ACTIVATION },
  FusedDepthwiseConv2D: { ...CONVOLUTION, ...ACTIVATION },
  GatherV2: { batchDims: 0 },
  OneHot: { dtype: 'int32' },
  Range: { dtype: 'float32' },
  StridedSlice: { ellipsisMask: 0, newAxisMask: 0 },
};
