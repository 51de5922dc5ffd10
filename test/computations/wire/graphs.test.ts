import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Compiled, compiled } from '../../../computations/building-blocks.ts';
import { tensorComputation } from '../../../computations/tensor-computation.ts';
import type { AttributeValue, KernelGraph } from '../../../computations/tensors/graph.ts';
import { normalizeSize, type Size } from '../../../computations/tensors/sizes.ts';
import {
  DTYPES,
  FedloomError,
  type FunctionType,
  float32,
  parseType,
  struct,
} from '../../../computations/types/index.ts';
import { KernelGraphSchema } from '../../../computations/wire/gen/fedloom/v1/kernel_graph_pb.ts';
import {
  contentHash,
  decodeBlock,
  decodeGraph,
  encodeBlock,
  encodeGraph,
} from '../../../computations/wire/index.ts';
import { fromGraphMessage, toGraphMessage } from '../../../computations/wire/kernel-graphs.ts';
import { staticTensorType, tensorValueOf } from '../../arbitraries/types.ts';

const step = tensorComputation(
  [struct({ w: float32(4, 3), b: float32(3) }), float32(null, 4), float32(null, 3)],
  function step({ w, b }, x, y) {
    const lossOf = (weights: tf.Tensor, bias: tf.Tensor): tf.Scalar =>
      tf.losses.meanSquaredError(y, tf.add(tf.matMul(x, weights), bias)).asScalar();
    const { value, grads } = tf.valueAndGrads(lossOf as (...args: tf.Tensor[]) => tf.Scalar)([
      w,
      b,
    ]);
    return {
      loss: value,
      w: tf.sub(w, grads[0] as tf.Tensor),
      b: tf.sub(b, grads[1] as tf.Tensor),
    };
  },
).buildingBlock as Compiled;

const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof FedloomError) return error.code;
    throw error;
  }
  return 'none';
};

describe('a traced computation', () => {
  it('comes back from its bytes', () => {
    const back = decodeBlock(encodeBlock(step));
    expect(back).toEqual(step);
    expect(contentHash(back)).toBe(contentHash(step));
    expect(decodeGraph(encodeGraph(step.graph))).toEqual(step.graph);
  });

  it('is refused with a type that its graph does not have', () => {
    const pretend = (type: string): string => {
      const node = compiled('step', step.graph, parseType(type) as FunctionType);
      return codeOf(() => decodeBlock(encodeBlock(node)));
    };
    const parameters = '<<float32[4,3],float32[3]>,float32[?,4],float32[?,3]>';
    expect(pretend(`(${parameters} -> <float32,float32[4,3],float32[3]>)`)).toBe('none');
    expect(pretend(`(${parameters} -> <float32,float32[4,?],float32[3]>)`)).toBe('none');
    for (const type of [
      `(${parameters} -> <float32,float32[4,3]>)`,
      `(${parameters} -> <int32,float32[4,3],float32[3]>)`,
      `(${parameters} -> <float32,float32[4,4],float32[3]>)`,
      `(<<float32[4,3],float32[3]>,float32[?,5],float32[?,3]> -> <float32,float32[4,3],float32[3]>)`,
      `(<<float32[4,3]>,float32[?,4],float32[?,3]> -> <float32,float32[4,3],float32[3]>)`,
      `( -> <float32,float32[4,3],float32[3]>)`,
      `(${parameters} -> float32*)`,
      `(${parameters} -> float32@SERVER)`,
    ]) {
      expect(pretend(type)).toBe('graph.type_mismatch');
    }
  });

  it('has one hash, whatever the order in which its attributes were written', () => {
    const reordered: KernelGraph = {
      ...step.graph,
      nodes: step.graph.nodes.map((node) => ({
        ...node,
        attributes: Object.fromEntries(Object.entries(node.attributes).reverse()),
      })),
    };
    expect(contentHash({ ...step, graph: reordered })).toBe(contentHash(step));
  });
});

describe('a damaged graph', () => {
  const bytes = encodeGraph(step.graph);
  const flips = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 3,
  });
  const damage = fc.tuple(flips, fc.option(fc.nat(bytes.length), { freq: 4 })).map(([at, end]) => {
    const copy = Uint8Array.from(bytes);
    for (const [i, mask] of at) copy[i] = (copy[i] as number) ^ mask;
    return copy.subarray(0, end ?? copy.length);
  });

  it('is read or refused by name', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(damage, (damaged) => {
        const code = codeOf(() => decodeGraph(damaged));
        seen.set(code, (seen.get(code) ?? 0) + 1);
      }),
      { numRuns: 1500 },
    );
    // The damage reaches past the decoder: the type checker refuses some of it.
    expect([...seen.keys()]).toEqual(expect.arrayContaining(['graph.decode', 'graph.malformed']));
    expect(seen.has('graph.type_mismatch') || seen.has('graph.unknown_kernel')).toBe(true);
  });

  it('is refused beyond its budget', () => {
    expect(codeOf(() => decodeGraph(bytes, { graphLimits: { maxNodes: 2 } }))).toBe(
      'graph.too_large',
    );
    const limits = { graphLimits: { maxNodes: 2 } };
    expect(codeOf(() => decodeBlock(encodeBlock(step), limits))).toBe('graph.too_large');
  });
});

describe('graph messages', () => {
  const size: fc.Arbitrary<Size> = fc.oneof(
    fc.nat(),
    fc
      .tuple(fc.integer(), fc.array(fc.integer(), { maxLength: 3 }))
      .map(([constant, factors]) => normalizeSize(constant, factors)),
  );
  const attribute: fc.Arbitrary<AttributeValue> = fc.letrec<{ value: AttributeValue }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.boolean(),
      fc.string(),
      fc.double(),
      fc.constantFrom(-0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
      size,
      fc.array(tie('value'), { maxLength: 3 }),
    ),
  })).value;
  const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,6}$/);
  const inputs = fc.oneof(
    fc.array(fc.nat(), { maxLength: 4 }),
    fc.dictionary(name, fc.nat(), { maxKeys: 3, noNullPrototype: true }),
  );
  const spec = fc.record({
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(size, { maxLength: 3 }),
  });
  const graph: fc.Arbitrary<KernelGraph> = fc.record({
    version: fc.nat(),
    kernelSet: fc.nat(),
    unknowns: fc.nat(),
    parameters: fc.array(
      fc.record({
        kind: fc.constant('tensor' as const),
        dtype: fc.constantFrom(...DTYPES),
        shape: fc.array(fc.option(fc.nat()), { maxLength: 3 }),
        unknowns: fc.array(fc.nat(), { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
    constants: fc.array(
      staticTensorType
        .chain((type) => tensorValueOf(type))
        .map(({ dtype, shape, data }) => ({ dtype, shape, data })),
      { maxLength: 2 },
    ),
    nodes: fc.array(
      fc.record({
        kernel: fc.string(),
        inputs,
        attributes: fc.dictionary(name, attribute, { maxKeys: 3, noNullPrototype: true }),
        outputs: fc.array(spec, { maxLength: 2 }),
      }),
      { maxLength: 3 },
    ),
    results: fc.array(fc.nat(), { maxLength: 3 }),
  });

  it('keep every part of a graph, well-typed or not', () => {
    fc.assert(
      fc.property(graph, (each) => {
        expect(fromGraphMessage(toGraphMessage(each, 'f'))).toEqual(each);
        const bytes = encodeGraph(each, 'f');
        expect(encodeGraph(fromGraphMessage(toGraphMessage(each, 'f')), 'f')).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  type Init = NonNullable<MessageInitShape<typeof KernelGraphSchema>['nodes']>[number];
  it.each<[string, Init]>([
    ['no inputs', { kernel: 'Add' }],
    [
      'an input twice',
      {
        kernel: 'Add',
        inputs: {
          case: 'named',
          value: {
            inputs: [
              { name: 'a', id: 0 },
              { name: 'a', id: 1 },
            ],
          },
        },
      },
    ],
    [
      'an attribute twice',
      {
        kernel: 'Sum',
        inputs: { case: 'list', value: {} },
        attributes: [
          { name: 'axis', value: { value: { case: 'number', value: 0 } } },
          { name: 'axis', value: { value: { case: 'number', value: 1 } } },
        ],
      },
    ],
    [
      'an attribute without value',
      { kernel: 'Sum', inputs: { case: 'list', value: {} }, attributes: [{ name: 'axis' }] },
    ],
    [
      'an attribute that is empty',
      {
        kernel: 'Sum',
        inputs: { case: 'list', value: {} },
        attributes: [{ name: 'axis', value: {} }],
      },
    ],
    [
      'an output without dtype',
      {
        kernel: 'Sum',
        inputs: { case: 'list', value: {} },
        outputs: [{ shape: [{ constant: 1n }] }],
      },
    ],
    [
      'a size beyond all numbers',
      {
        kernel: 'Sum',
        inputs: { case: 'list', value: {} },
        outputs: [{ dtype: 1, shape: [{ constant: 2n ** 60n }] }],
      },
    ],
  ])('are refused with %s', (_what, node) => {
    const bytes = toBinary(KernelGraphSchema, create(KernelGraphSchema, { nodes: [node] }));
    expect(codeOf(() => decodeGraph(bytes))).toBe('graph.decode');
  });
});
