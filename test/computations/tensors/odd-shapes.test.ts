import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Attributes,
  type Backend,
  GraphBuilder,
  type KernelGraph,
  loadBackend,
} from '../../../computations/tensors/index.ts';
import type { TensorValue } from '../../../computations/types/index.ts';
import {
  BACKENDS,
  bool,
  deviceOnly,
  expectClose,
  float,
  int,
  noise,
  numbers,
  runGraph,
} from './backends.helpers.ts';

/** Backends without the host's shortcut for small graphs, and one with it. */
const backends = await Promise.all([
  ...BACKENDS.map((name) => deviceOnly(name)),
  loadBackend({ prefer: 'wasm' }),
]);
const [cpu] = backends as [Backend];

type Inputs = Readonly<Record<string, TensorValue>> | readonly TensorValue[];

/** A node, and the numbers of each of its results. */
type Example = readonly [
  what: string,
  kernel: string,
  inputs: Inputs,
  attributes: Attributes,
  results: readonly (readonly number[])[],
];

const EMPTY = float([0], []);
const INFINITE = Number.POSITIVE_INFINITY;
const STRIDES = { newAxisMask: 0, ellipsisMask: 0 };
const POOL = { filterSize: [2, 2], strides: [2, 2], pad: 0 };
const image = float([1, 3, 3, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
const square = (...n: readonly number[]) => float([2, 2], n);

const EXAMPLES: readonly Example[] = [
  ['the sum of nothing', 'Sum', { x: float([2, 0], []) }, { axis: 1 }, [[0, 0]]],
  ['the sum of no integers', 'Sum', { x: int([0], []) }, {}, [[0]]],
  ['the product of nothing', 'Prod', { x: float([0, 2], []) }, { axis: 0 }, [[1, 1]]],
  [
    'the mean of nothing',
    'Mean',
    { x: float([0, 2], []) },
    { axis: 0 },
    [[Number.NaN, Number.NaN]],
  ],
  ['all of none', 'All', { x: bool([0, 2], []) }, { axis: 0 }, [[1, 1]]],
  ['any of none', 'Any', { x: bool([0, 2], []) }, { axis: 0 }, [[0, 0]]],
  ['the least of no rows', 'Min', { x: float([2, 0, 3], []) }, { axis: 2 }, [[]]],
  ['the place of the least of no rows', 'ArgMin', { x: float([0, 3], []) }, { axis: 1 }, [[]]],
  ['Prelu of nothing', 'Prelu', { x: EMPTY, alpha: EMPTY }, {}, [[]]],
  ['the largest of no rows', 'TopK', { x: float([0, 3], []) }, { k: 2, sorted: true }, [[], []]],
  ['the largest none', 'TopK', { x: float([2], [1, 2]) }, { k: 0, sorted: true }, [[], []]],
  ['the largest of an empty row', 'TopK', { x: EMPTY }, { k: 0, sorted: true }, [[], []]],
  ['Softmax of nothing', 'Softmax', { logits: float([2, 0], []) }, { dim: 1 }, [[]]],
  [
    'a product over nothing',
    'BatchMatMul',
    { a: float([2, 0], []), b: float([0, 2], []) },
    { transposeA: false, transposeB: false },
    [[0, 0, 0, 0]],
  ],
  [
    'a fused product over nothing',
    '_FusedMatMul',
    { a: float([2, 0], []), b: float([0, 2], []), bias: float([2], [-1, 3]) },
    { transposeA: false, transposeB: false, activation: 'relu' },
    [[0, 3, 0, 3]],
  ],
  [
    'no updates',
    'ScatterNd',
    { indices: int([0, 1], []), updates: EMPTY },
    { shape: [3] },
    [[0, 0, 0]],
  ],
  [
    'updates of nothing',
    'ScatterNd',
    { indices: int([2, 1], [0, 1]), updates: float([2, 0], []) },
    { shape: [3, 0] },
    [[]],
  ],
  [
    'no updates of a tensor',
    'TensorScatterUpdate',
    { tensor: float([2], [1, 2]), indices: int([0, 1], []), updates: EMPTY },
    {},
    [[1, 2]],
  ],
  [
    'updates of an empty tensor',
    'TensorScatterUpdate',
    { tensor: float([3, 0], []), indices: int([2, 1], [0, 1]), updates: float([2, 0], []) },
    {},
    [[]],
  ],
  [
    'one update, in no list',
    'ScatterNd',
    { indices: int([2], [1, 0]), updates: float([2], [5, 6]) },
    { shape: [2, 2, 2] },
    [[0, 0, 0, 0, 5, 6, 0, 0]],
  ],
  [
    'no rows to add up',
    'UnsortedSegmentSum',
    { x: float([0, 2], []), segmentIds: int([0], []) },
    { numSegments: 2 },
    [[0, 0, 0, 0]],
  ],
  [
    'a gather in each of two batches',
    'GatherV2',
    { x: float([2, 1, 3], [1, 2, 3, 4, 5, 6]), indices: int([2, 1, 2], [2, 0, 1, 1]) },
    { axis: 2, batchDims: 2 },
    [[3, 1, 5, 5]],
  ],
  [
    'a gather in batches, along the last of the other axes',
    'GatherV2',
    { x: int([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]), indices: int([2, 1], [1, 0]) },
    { axis: -1, batchDims: 1 },
    [[2, 4, 5, 7]],
  ],
  [
    'a gather in columns that does not mention batches',
    'GatherV2',
    { x: square(1, 2, 3, 4), indices: int([1], [1]) },
    { axis: 1 },
    [[2, 4]],
  ],
  [
    'the largest in windows rounded up',
    'MaxPool',
    { x: image },
    { ...POOL, dimRoundingMode: 'ceil' },
    [[5, 6, 8, 9]],
  ],
  [
    'the largest in windows rounded to the nearest number',
    'MaxPool',
    { x: image },
    { ...POOL, dimRoundingMode: 'round' },
    [[5, 6, 8, 9]],
  ],
  [
    'the largest in windows whose one size counts twice',
    'MaxPool',
    { x: image },
    { filterSize: [2], strides: [1], pad: 'valid' },
    [[5, 6, 8, 9]],
  ],
  [
    'averages of windows rounded up, padded by side',
    'AvgPool',
    { x: image },
    {
      ...POOL,
      pad: [
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      dimRoundingMode: 'ceil',
    },
    [[3, 4.5, 7.5, 9]],
  ],
  [
    'a convolution rounded up',
    'Conv2D',
    { x: image, filter: float([2, 2, 1, 1], [1, 1, 1, 1]) },
    { strides: 2, pad: 0, dimRoundingMode: 'ceil', dataFormat: 'NHWC', dilations: 1 },
    [[12, 9, 15, 9]],
  ],
  [
    'a convolution whose dilations make its window oblong',
    'DepthwiseConv2dNative',
    { x: image, filter: float([2, 2, 1, 1], [1, 1, 1, 1]) },
    { strides: 1, pad: 0, dataFormat: 'NHWC', dilations: [2, 1] },
    [[18, 22]],
  ],
  [
    'the gradient of a convolution with a window outside of the image',
    'DepthwiseConv2dNativeBackpropInput',
    { dy: float([1, 1, 1, 1], [1]), filter: float([1, 1, 1, 1], [1]) },
    {
      strides: [3, 1],
      pad: [
        [0, 0],
        [2, 0],
        [0, 0],
        [0, 0],
      ],
      dataFormat: 'NHWC',
      dilations: [1, 1],
      inputShape: [1, 1, 1, 1],
    },
    [[0]],
  ],
  [
    'a convolution with one bias for all channels',
    'FusedConv2D',
    {
      x: float([1, 1, 1, 1], [3]),
      filter: float([1, 1, 1, 2], [1, -1]),
      bias: float([1], [1]),
    },
    { strides: [1, 1], pad: 'valid', dataFormat: 'NHWC', dilations: [1, 1], activation: 'relu' },
    [[4, 0]],
  ],
  [
    'an activation whose slope goes without saying',
    'FusedConv2D',
    { x: float([1, 1, 1, 1], [5]), filter: float([1, 1, 1, 2], [1, -1]) },
    { strides: [1, 1], pad: 'valid', activation: 'leakyrelu' },
    [[5, -1]],
  ],
  [
    'normalisation whose epsilon goes without saying',
    'FusedBatchNorm',
    { x: float([1, 1, 1, 1], [INFINITE]), mean: float([1], [0]), variance: float([1], [0]) },
    {},
    [[INFINITE]],
  ],
  [
    'a fused product of batches that broadcast in different axes',
    '_FusedMatMul',
    { a: float([2, 1, 1, 1], [1, 2]), b: float([1, 3, 1, 1], [1, 2, 3]) },
    { transposeA: false, transposeB: false, activation: 'linear' },
    [[1, 2, 3, 2, 4, 6]],
  ],
  [
    'a slope for each row',
    'Prelu',
    { x: square(-1, -2, -3, 4), alpha: float([2, 1], [2, 3]) },
    {},
    [[-2, -4, -9, 4]],
  ],
  [
    'slopes that reach further than the tensor',
    'Prelu',
    { x: float([1], [-1]), alpha: float([2], [2, 3]) },
    {},
    [[-2, -3]],
  ],
  [
    'Softmax along an axis from the end',
    'Softmax',
    { logits: square(1, 1, 2, 2) },
    { dim: -1 },
    [[0.5, 0.5, 0.5, 0.5]],
  ],
  [
    'a mirror of a scalar',
    'MirrorPad',
    { x: float([], [7]) },
    { paddings: [], mode: 'reflect' },
    [[7]],
  ],
  [
    'a strided slice that leaves no axis',
    'StridedSlice',
    { x: float([4], [1, 2, 3, 4]) },
    {
      begin: [-3],
      end: [9],
      strides: [3],
      shrinkAxisMask: 9,
      beginMask: 1,
      endMask: 0,
      ...STRIDES,
    },
    [[2]],
  ],
  [
    'a strided slice to the very first element',
    'StridedSlice',
    { x: float([2, 3], [1, 2, 3, 4, 5, 6]) },
    { begin: [1, -1], end: [2, -9], strides: [1, -2], shrinkAxisMask: 1, ...STRIDES },
    [[6, 4]],
  ],
  [
    'numbers clipped to an interval that float32 has no room for',
    'ClipByValue',
    { x: float([3], [0, 1, 2]) },
    { clipValueMin: 1, clipValueMax: 1 + 1e-12 },
    [[1, 1, 1]],
  ],
  [
    'integers padded with a zero of either sign',
    'PadV2',
    { x: int([1], [5]) },
    { paddings: [[1, 0]], constantValue: -0 },
    [[0, 5]],
  ],
  [
    'depth to space of integers',
    'DepthToSpace',
    { x: int([1, 1, 1, 4], [1, 2, 3, 4]) },
    { blockSize: 2, dataFormat: 'NHWC' },
    [[1, 2, 3, 4]],
  ],
];

/** Kernels of nodes that no backend does right, or safely; they must not pass the type check. */
const REFUSED: readonly (readonly [string, string, Inputs, Attributes])[] = [
  ['the largest of nothing', 'Max', { x: float([2, 0], []) }, { reductionIndices: 1 }],
  ['the least of nothing', 'Min', { x: EMPTY }, {}],
  ['an axis named twice', 'Sum', { x: square(1, 2, 3, 4) }, { axis: [0, 1, -1] }],
  [
    'an update of an empty tensor',
    'ScatterNd',
    { indices: int([1, 1], [0]), updates: float([1], [1]) },
    { shape: [0] },
  ],
  ['bounds in the wrong order', 'ClipByValue', { x: EMPTY }, { clipValueMin: 1, clipValueMax: 0 }],
  [
    'integers padded with a fraction',
    'PadV2',
    { x: int([1], [5]) },
    { paddings: [[1, 0]], constantValue: 0.5 },
  ],
  [
    'an image of five axes',
    'ResizeBilinear',
    { images: float([1, 2, 2, 1, 0], []) },
    { size: [3, 3], alignCorners: false, halfPixelCenters: false },
  ],
  ['a size of three axes', 'ResizeBilinear', { images: image }, { size: [3, 3, 3] }],
  [
    'corners and half pixels',
    'ResizeBilinear',
    { images: image },
    { size: [2, 2], alignCorners: true, halfPixelCenters: true },
  ],
  [
    'depth to space of five axes',
    'DepthToSpace',
    { x: float([1, 1, 1, 4, 2], noise(8)) },
    { blockSize: 2, dataFormat: 'NHWC' },
  ],
  [
    'normalisation by parameters of two shapes',
    'FusedBatchNorm',
    { x: float([1, 1, 1, 1], [1]), mean: float([1], [1]), variance: float([1, 1, 1, 1], [1]) },
    {},
  ],
];

function graphOf(kernel: string, inputs: Inputs, attributes: Attributes): KernelGraph {
  const builder = new GraphBuilder();
  const ids = Array.isArray(inputs)
    ? inputs.map((value: TensorValue) => builder.parameter(value))
    : Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [name, builder.parameter(value)]),
      );
  return builder.build(builder.node(kernel, ids, attributes));
}

/** Leaves freed memory behind that is full of a number, so that unwritten results show. */
async function soil(backend: Backend): Promise<void> {
  for (const length of [1, 2, 4, 8, 16, 64, 4096]) {
    const x = float([length], new Float32Array(length).fill(617.25));
    await runGraph(backend, graphOf('Neg', { x }, {}), [x]);
  }
}

describe('kernels at the edge of what they take', () => {
  it.each(EXAMPLES)('gives %s on every backend', async (_, kernel, inputs, attributes, results) => {
    const graph = graphOf(kernel, inputs, attributes);
    for (const backend of backends) {
      await soil(backend);
      const given = await runGraph(backend, graph, Object.values(inputs));
      expect(given.map(numbers)).toEqual(results);
    }
  });

  it.each(REFUSED)('refuses %s', (_, kernel, inputs, attributes) => {
    const refusal = expect.objectContaining({ code: 'graph.type_mismatch' });
    expect(() => graphOf(kernel, inputs, attributes)).toThrow(refusal);
  });

  it('checks indices in batches, one by one', async () => {
    const inputs = { x: float([2, 3], noise(6)), indices: int([2, 1], [3, 0]) };
    const graph = graphOf('GatherV2', inputs, { axis: 1, batchDims: 1 });
    for (const backend of backends) {
      await expect(runGraph(backend, graph, Object.values(inputs))).rejects.toThrow(
        expect.objectContaining({ code: 'execution.kernel_failed' }),
      );
    }
  });

  it('agrees on a segment that there is not', async () => {
    const inputs = { x: float([2], [1, 2]), segmentIds: int([2], [0, 2]) };
    const graph = graphOf('UnsortedSegmentSum', inputs, { numSegments: 2 });
    for (const backend of backends) {
      await expect(runGraph(backend, graph, Object.values(inputs))).rejects.toThrow(/segment/);
    }
  });

  it('agrees on pools with all paddings, strides and roundings', async () => {
    const pair = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }));
    const cases = fc.record({
      kernel: fc.constantFrom('MaxPool', 'AvgPool'),
      size: fc.tuple(fc.integer({ min: 3, max: 7 }), fc.integer({ min: 3, max: 7 })),
      filterSize: pair,
      strides: pair,
      pad: fc.constantFrom<Attributes['pad']>(0, 1, [
        [0, 0],
        [0, 1],
        [1, 0],
        [0, 0],
      ]),
      dimRoundingMode: fc.constantFrom('ceil', 'round', 'floor'),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ kernel, size: [height, width], ...rest }) => {
        const x = float([1, height, width, 2], noise(height * width * 2));
        const attributes = rest as Attributes;
        const graph = tryGraph(kernel, { x }, attributes);
        fc.pre(graph !== null);
        const expected = await runGraph(cpu, graph as KernelGraph, [x]);
        for (const backend of backends.slice(1)) {
          await soil(backend);
          expectClose(await runGraph(backend, graph as KernelGraph, [x]), expected);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** `null` for windows that lie outside of the image, which are refused. */
function tryGraph(kernel: string, inputs: Inputs, attributes: Attributes): KernelGraph | null {
  try {
    return graphOf(kernel, inputs, attributes);
  } catch {
    return null;
  }
}
