/** @file Arbitraries of tensors, shapes and attributes, for the cases of each kernel. */

import fc from 'fast-check';
import type { Attributes } from '../../../computations/tensors/index.ts';
import { type DType, TensorValue } from '../../../computations/types/index.ts';

export interface KernelCase {
  readonly inputs: Readonly<Record<string, TensorValue>> | readonly TensorValue[];
  readonly attributes: Attributes;
}

export type Cases = fc.Arbitrary<KernelCase>;

export const size = fc.integer({ min: 1, max: 4 });
export const shapeOf = (least: number, most: number): fc.Arbitrary<number[]> =>
  fc.array(size, { minLength: least, maxLength: most });

const eighths = fc.integer({ min: -24, max: 24 }).map((n) => n / 8);

// Some are too large for a float32, which a kernel must not go through.
export const integers = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer({ min: -(2 ** 27), max: 2 ** 27 }),
);

/** A tensor of moderate numbers. */
export function tensor(
  dtype: DType,
  shape: readonly number[],
  element: fc.Arbitrary<number> = dtype === 'int32' ? integers : eighths,
): fc.Arbitrary<TensorValue> {
  const length = shape.reduce((a, b) => a * b, 1);
  const entries = (item: fc.Arbitrary<number>) =>
    fc.array(item, { minLength: length, maxLength: length });
  switch (dtype) {
    case 'float32':
      return entries(element).map((data) => new TensorValue(dtype, shape, Float32Array.from(data)));
    case 'int32':
      return entries(element.map(Math.trunc)).map(
        (data) => new TensorValue(dtype, shape, Int32Array.from(data)),
      );
    default:
      return entries(fc.integer({ min: 0, max: 1 })).map(
        (data) => new TensorValue('bool', shape, Uint8Array.from(data)),
      );
  }
}

export const indices = (shape: readonly number[], bound: number): fc.Arbitrary<TensorValue> =>
  tensor('int32', shape, fc.integer({ min: 0, max: bound - 1 }));

export const oneOf = (dtypes: readonly DType[]): fc.Arbitrary<DType> => fc.constantFrom(...dtypes);
export const FLOAT: readonly DType[] = ['float32'];
export const NUMERIC: readonly DType[] = ['float32', 'int32'];
export const ANY: readonly DType[] = ['float32', 'int32', 'bool'];

export function unary(
  dtypes: readonly DType[],
  attributes: fc.Arbitrary<Attributes> = fc.constant({}),
  element?: fc.Arbitrary<number>,
  name = 'x',
): Cases {
  return fc
    .tuple(oneOf(dtypes), shapeOf(0, 3), attributes)
    .chain(([dtype, shape, chosen]) =>
      tensor(dtype, shape, element).map((x) => ({ inputs: { [name]: x }, attributes: chosen })),
    );
}

export const positive = fc.integer({ min: 1, max: 40 }).map((n) => n / 8);
export const small = fc.integer({ min: -2, max: 2 });
export const unit = fc.integer({ min: -7, max: 7 }).map((n) => n / 8);
export const aboveOne = fc.integer({ min: 9, max: 40 }).map((n) => n / 8);

/** Two shapes that broadcast: one of them is thinned out. */
const broadcastPair = shapeOf(0, 3).chain((shape) =>
  fc
    .tuple(
      fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
      fc.integer({ min: 0, max: shape.length }),
      fc.boolean(),
    )
    .map(([ones, dropped, swap]) => {
      const other = shape.map((n, i) => (ones[i] ? 1 : n)).slice(dropped);
      return swap ? [other, shape] : [shape, other];
    }),
);

export function binary(dtypes: readonly DType[], b?: fc.Arbitrary<number>): Cases {
  return fc
    .tuple(oneOf(dtypes), broadcastPair)
    .chain(([dtype, [left = [], right = []]]) =>
      fc
        .tuple(tensor(dtype, left), tensor(dtype, right, b))
        .map(([x, y]) => ({ inputs: { a: x, b: y }, attributes: {} })),
    );
}

export function reduction(
  dtypes: readonly DType[],
  axisName = 'axis',
  element?: fc.Arbitrary<number>,
): Cases {
  return fc.tuple(oneOf(dtypes), shapeOf(1, 4), fc.boolean()).chain(([dtype, shape, keepDims]) =>
    fc
      .tuple(
        tensor(dtype, shape, element),
        fc.subarray(
          shape.map((_, axis) => axis),
          { minLength: 1 },
        ),
      )
      .map(([x, axes]) => ({ inputs: { x }, attributes: { [axisName]: axes, keepDims } })),
  );
}

export const axisCase = (
  dtypes: readonly DType[],
  make: (axis: number, shape: readonly number[]) => fc.Arbitrary<Attributes>,
  name = 'x',
  element?: fc.Arbitrary<number>,
): Cases =>
  fc
    .tuple(oneOf(dtypes), shapeOf(1, 3))
    .chain(([dtype, shape]) =>
      fc
        .integer({ min: 0, max: shape.length - 1 })
        .chain((axis) =>
          fc
            .tuple(tensor(dtype, shape, element), make(axis, shape))
            .map(([x, attributes]) => ({ inputs: { [name]: x }, attributes })),
        ),
    );

export const scanning = (axis: number): fc.Arbitrary<Attributes> =>
  fc
    .record({ exclusive: fc.boolean(), reverse: fc.boolean() })
    .map((flags) => ({ axis, ...flags }));

export const product: Cases = fc
  .tuple(shapeOf(0, 2), size, size, size, fc.boolean(), fc.boolean())
  .chain(([batch, m, k, n, transposeA, transposeB]) =>
    fc
      .tuple(
        tensor('float32', [...batch, ...(transposeA ? [k, m] : [m, k])]),
        tensor('float32', [...batch, ...(transposeB ? [n, k] : [k, n])]),
      )
      .map(([a, b]) => ({ inputs: { a, b }, attributes: { transposeA, transposeB } })),
  );

export const fusedProduct: Cases = fc
  .tuple(size, size, size, fc.constantFrom('linear', 'relu', 'relu6', 'elu', 'sigmoid'))
  .chain(([m, k, n, activation]) =>
    fc
      .tuple(tensor('float32', [m, k]), tensor('float32', [k, n]), tensor('float32', [n]))
      .map(([a, b, bias]) => ({
        inputs: { a, b, bias },
        attributes: { transposeA: false, transposeB: false, activation },
      })),
  );

interface Window {
  readonly x: readonly [number, number, number, number];
  readonly filter: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly pad: 'same' | 'valid' | 1;
}

const window: fc.Arbitrary<Window> = fc
  .record({
    batch: fc.integer({ min: 1, max: 2 }),
    extent: fc.tuple(fc.integer({ min: 5, max: 8 }), fc.integer({ min: 5, max: 8 })),
    channels: fc.integer({ min: 1, max: 3 }),
    filter: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    step: fc.integer({ min: 1, max: 2 }),
    dilated: fc.boolean(),
    pad: fc.constantFrom('same' as const, 'valid' as const, 1 as const),
  })
  .map(({ batch, extent, channels, filter, step, dilated, pad }) => ({
    x: [batch, extent[0], extent[1], channels],
    // A window of one pixel could lie outside of the image.
    filter: pad === 1 ? [Math.max(2, filter[0]), Math.max(2, filter[1])] : filter,
    strides: dilated ? [1, 1] : [step, step],
    dilations: dilated ? [step, step] : [1, 1],
    pad,
  }));

const outExtent = (
  extent: number,
  filter: number,
  stride: number,
  dilation: number,
  pad: Window['pad'],
) => {
  if (pad === 'same') return Math.ceil(extent / stride);
  const reach = extent - (filter - 1) * dilation - 1 + (pad === 'valid' ? 0 : 2 * pad);
  return Math.floor(reach / stride) + 1;
};

/** Convolutions and their gradients, by which of the three tensors are given. */
export function convolution(depthwise: boolean, part: 'forward' | 'filter' | 'input'): Cases {
  return fc.tuple(window, fc.integer({ min: 1, max: 2 })).chain(([geometry, outer]): Cases => {
    const { x, filter, strides, pad } = geometry;
    // tfjs has no gradient of a dilated convolution.
    const dilations = part === 'forward' ? geometry.dilations : ([1, 1] as const);
    const plain = part !== 'forward' && !depthwise;
    const filterShape = [...filter, x[3], outer];
    const dyShape = [
      x[0],
      outExtent(x[1], filter[0], strides[0], dilations[0], pad),
      outExtent(x[2], filter[1], strides[1], dilations[1], pad),
      depthwise ? x[3] * outer : outer,
    ];
    const shared: Attributes = { strides, pad, ...(plain ? {} : { dilations }) };
    const image = tensor('float32', x);
    const kernel = tensor('float32', filterShape);
    const dy = tensor('float32', dyShape);
    if (part === 'forward') {
      return fc.tuple(image, kernel).map(([a, b]) => ({
        inputs: { x: a, filter: b },
        attributes: { ...shared, dataFormat: 'NHWC' },
      }));
    }
    const format: Attributes = depthwise ? {} : { dataFormat: 'NHWC' };
    return part === 'filter'
      ? fc.tuple(image, dy).map(([a, b]) => ({
          inputs: { x: a, dy: b },
          attributes: { ...shared, ...format, filterShape },
        }))
      : fc.tuple(dy, kernel).map(([a, b]) => ({
          inputs: { dy: a, filter: b },
          attributes: { ...shared, ...format, inputShape: x },
        }));
  });
}

/** Distinct numbers, so that a maximum is never a tie; half of them are negative. */
export const distinct = (shape: readonly number[]): fc.Arbitrary<TensorValue> => {
  const length = shape.reduce((a, b) => a * b, 1);
  return fc
    .shuffledSubarray([...Array(length).keys()], { minLength: length, maxLength: length })
    .map(
      (data) =>
        new TensorValue(
          'float32',
          shape,
          Float32Array.from(data, (n) => (n - length / 2) / 4),
        ),
    );
};

export const pooling: Cases = window.chain(({ x, filter, strides, pad }) =>
  distinct(x).map((image) => ({
    inputs: { x: image },
    attributes: { filterSize: filter, strides, pad },
  })),
);

export const averageGradient: Cases = window.chain(({ x, filter, strides, pad }) =>
  fc
    .tuple(
      tensor('float32', x),
      tensor('float32', [
        x[0],
        outExtent(x[1], filter[0], strides[0], 1, pad),
        outExtent(x[2], filter[1], strides[1], 1, pad),
        x[3],
      ]),
    )
    .map(([input, dy]) => ({
      inputs: { dy, input },
      attributes: { filterSize: filter, strides, pad },
    })),
);

export const normalisation: Cases = shapeOf(0, 3).chain((outer) =>
  size.chain((channels) => {
    const x = [...outer, channels];
    const each = (element: fc.Arbitrary<number>) => tensor('float32', [channels], element);
    return fc
      .tuple(tensor('float32', x), each(eighths), each(positive), each(eighths), each(eighths))
      .map(([input, mean, variance, scale, offset]) => ({
        inputs: { x: input, mean, variance, scale, offset },
        attributes: { varianceEpsilon: 0.001 },
      }));
  }),
);

export const pairsFor = (shape: readonly number[], most: (n: number) => number) =>
  fc.tuple(
    ...shape.map((n) =>
      fc.tuple(fc.integer({ min: 0, max: most(n) }), fc.integer({ min: 0, max: most(n) })),
    ),
  );

export const table = (names: string, cases: Cases): Record<string, Cases> =>
  Object.fromEntries(names.split(' ').map((name) => [name, cases]));
