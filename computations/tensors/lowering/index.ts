/**
 * @file Lowers a graph for a backend: kernels that it lacks, or does slowly or wrongly, are written
 * with kernels that it has. One rule a kernel, and one for empty tensors; a rule's nodes are lowered
 * in their turn.
 */

import { ExecutionError } from '../../types/errors.ts';
import { GraphBuilder } from '../builder.ts';
import { type KernelGraph, mapInputs, type ValueId } from '../graph.ts';
import { castToBool, selectBool } from './booleans.ts';
import {
  conv2DBackpropFilter,
  conv2DBackpropInput,
  depthwiseBackpropFilter,
  depthwiseBackpropInput,
  paddedBefore,
} from './convolution.ts';
import { withoutElements } from './empty.ts';
import { clipToOne, preluOfWhole, scanFromFirstAxis, softmaxAlongLast } from './functions.ts';
import { fusedConvolution, fusedProduct } from './fused.ts';
import { inFull } from './in-full.ts';
import { gatherInBatches, oneHot, scatterOfList, segmentSum } from './indexing.ts';
import { batchNormalisation } from './normalisation.ts';
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from './pooling.ts';
import {
  integerAbsolute,
  integerDivision,
  integerNegation,
  integerProduct,
  integerSquare,
  integerSquaredDifference,
  product,
} from './products.ts';
import { type Emit, LoweredNode, type LoweringRule, type LoweringTarget } from './rule.ts';
import {
  concatenationOfOne,
  integerDepthToSpace,
  mirrorOfScalar,
  negativeZeroPadding,
  stridedSlice,
} from './shaping.ts';

const RULES: Readonly<Record<string, LoweringRule>> = {
  AvgPool: averagePool,
  AvgPoolGrad: averagePoolGradient,
  MaxPool: maxPool,
  MaxPoolGrad: maxPoolGradient,
  BatchMatMul: product,
  _FusedMatMul: fusedProduct,
  Cast: castToBool,
  ClipByValue: clipToOne,
  Concat: concatenationOfOne,
  Cumprod: scanFromFirstAxis,
  Cumsum: scanFromFirstAxis,
  Select: selectBool,
  Conv2D: paddedBefore,
  DepthwiseConv2dNative: paddedBefore,
  FusedConv2D: fusedConvolution,
  FusedDepthwiseConv2D: fusedConvolution,
  Conv2DBackpropInput: conv2DBackpropInput,
  Conv2DBackpropFilter: conv2DBackpropFilter,
  DepthwiseConv2dNativeBackpropFilter: depthwiseBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: depthwiseBackpropInput,
  FusedBatchNorm: batchNormalisation,
  Multiply: integerProduct,
  FloorDiv: integerDivision,
  Neg: integerNegation,
  Abs: integerAbsolute,
  Square: integerSquare,
  SquaredDifference: integerSquaredDifference,
  DepthToSpace: integerDepthToSpace,
  GatherV2: gatherInBatches,
  MirrorPad: mirrorOfScalar,
  OneHot: oneHot,
  Prelu: preluOfWhole,
  ScatterNd: scatterOfList,
  TensorScatterUpdate: scatterOfList,
  StridedSlice: stridedSlice,
  Softmax: softmaxAlongLast,
  UnsortedSegmentSum: segmentSum,
  PadV2: negativeZeroPadding,
};

/**
 * The lowered graph.
 * @param graph a graph without unknown sizes
 */
export function lowerGraph(graph: KernelGraph, target: LoweringTarget): KernelGraph {
  const builder = new GraphBuilder();
  const emit: Emit = (kernel, inputs, given) => {
    const attributes = inFull(kernel, given);
    const node = new LoweredNode(target, { kernel, inputs, attributes }, builder, emit);
    return (
      withoutElements(node) ?? RULES[kernel]?.(node) ?? builder.node(kernel, inputs, attributes)
    );
  };
  const ids: ValueId[] = graph.parameters.map((parameter) => builder.parameter(parameter));
  for (const constant of graph.constants) ids.push(builder.constant(constant));
  for (const { kernel, inputs, attributes } of graph.nodes) {
    ids.push(
      ...emit(
        kernel,
        mapInputs(inputs, (id) => ids[id] as ValueId),
        attributes,
      ),
    );
  }
  return builder.build(graph.results.map((id) => ids[id] as ValueId));
}

/** Throws if a node's kernel is neither on the backend nor lowered for it. */
export function requireKernels(graph: KernelGraph, target: LoweringTarget): void {
  for (const { kernel } of graph.nodes) {
    if (target.has(kernel) || RULES[kernel] !== undefined) continue;
    throw new ExecutionError(
      'execution.backend_unavailable',
      `The ${target.name} backend has no kernel ${kernel}, and no lowering for it. Choose another backend (loadBackend({ prefer }) or FEDLOOM_BACKEND).`,
    );
  }
}

export type { LoweringTarget };
