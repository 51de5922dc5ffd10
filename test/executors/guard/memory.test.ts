/**
 * @file A server that asks for public results with graphs that a fast backend makes wrongly: kernels that
 * leave a part of their output as it was in memory, where private values have been, or that read beside
 * their inputs. Whatever such a graph gives, it is made of what the server sent.
 */

import { float32 } from 'fedloom';
import { describe, expect, test } from 'vitest';
import { call, compiled, data, literal } from '../../../computations/building-blocks.ts';
import { type Attributes, GraphBuilder } from '../../../computations/tensors/index.ts';
import { func, structOf, type TensorType, TensorValue } from '../../../computations/types/index.ts';
import { unnamed } from '../blocks.ts';
import { compiledOf, describeVictim, guard, make, put } from './victim.ts';

const SECRET = 617.25;
const SIZE = 30_000;

describeVictim();

/** Lets the client work on private data of the size of what comes next, and forget it. */
async function workOnSecrets(): Promise<void> {
  make(
    {},
    {
      dataSource: {
        resolve: () => new TensorValue('float32', [SIZE], new Float32Array(SIZE).fill(SECRET)),
      },
    },
  );
  const type = float32(SIZE);
  const double = compiledOf(type, type, (builder, [x = 0]) => [
    builder.apply('Neg', { x: builder.apply('Neg', { x }) }),
  ]);
  for (let i = 0; i < 8; i += 1) {
    using _ = await put(call(double, data('secrets', type)));
  }
}

function ones(...shape: number[]): TensorValue {
  const size = shape.reduce((product, each) => product * each, 1);
  return new TensorValue('float32', shape, new Float32Array(size).fill(-1));
}

/** What one kernel gives for public inputs. */
async function publicResult(
  kernel: string,
  inputs: { readonly [name: string]: TensorValue },
  attributes: Attributes,
): Promise<Float32Array | null> {
  const builder = new GraphBuilder();
  const given = Object.entries(inputs);
  const types = given.map(([, { shape }]) => float32(...(shape as number[])));
  const ids = types.map((type) => builder.parameter(type as TensorType));
  const named = Object.fromEntries(given.map(([name], i) => [name, ids[i] as number]));
  const id = builder.apply(kernel, named, attributes);
  const type = float32(...(builder.spec(id).shape as number[]));
  const parameter = structOf(types.map(unnamed));
  const fn = compiled('odd', builder.build([id]), func(parameter, type));
  const argument = { kind: 'struct', elements: given.map(([, value]) => value) } as const;
  try {
    using value = await put(call(fn, literal(argument, parameter)));
    const made = await value.compute();
    return made.kind === 'tensor' ? (made.data as Float32Array) : null;
  } catch {
    return null;
  }
}

describe('what was in memory before', () => {
  test.each<[string, { readonly [name: string]: TensorValue }, Attributes]>([
    ['BatchMatMul', { a: ones(173, 0), b: ones(0, 173) }, {}],
    ['MaxPool', { x: ones(2, 1, 5001, 3) }, { filterSize: [3], strides: 2, pad: 2 }],
  ])('does not come out by %s', async (kernel, inputs, attributes) => {
    await workOnSecrets();
    const leaked = (await publicResult(kernel, inputs, attributes))?.filter(
      (value) => Math.abs(value) === SECRET,
    );
    expect(leaked?.length ?? 0).toBe(0);
    expect(guard.held.values).toBe(0);
  });
});
