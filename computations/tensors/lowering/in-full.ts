/**
 * @file Attributes stated in full, as tfjs itself always does. Where they are not, some kernels fail,
 * and others compute with a missing number.
 */

import type { Attributes } from '../graph.ts';
import { kernelDefinition } from '../kernels/index.ts';

/** The attributes with those that are left out, and with no list of one where two are meant. */
export function inFull(kernel: string, attributes: Attributes): Attributes {
  const all = { ...DEFAULTS[kernel], ...attributes };
  // Kernels with windows over an image are those with padding.
  if (kernelDefinition(kernel).attributes.pad === undefined) return all;
  for (const name of ['filterSize', 'strides', 'dilations']) {
    const value = all[name];
    if (Array.isArray(value) && value.length === 1) all[name] = [value[0], value[0]];
  }
  return all;
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
