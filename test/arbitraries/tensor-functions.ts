/** @file Tensor computations for every pair of types that random computations use. */

import * as tf from '@tensorflow/tfjs';
import type { BuildingBlock } from '../../computations/building-blocks.ts';
import { tensorComputation } from '../../computations/index.ts';
import type { TracedResult } from '../../computations/tensors/index.ts';
import {
  compactNotation,
  type StructType,
  type TensorType,
  type Type,
} from '../../computations/types/index.ts';

type Nested = tf.Tensor | { readonly [name: string]: Nested } | readonly Nested[];

/** `(T -> T)`: every element times two, minus one. */
export function stretch(type: Type): BuildingBlock {
  return known(`stretch ${compactNotation(type)}`, () =>
    traced('stretch', [type], type, ([x]) =>
      mapLeaves(x as Nested, (leaf) => tf.sub(tf.mul(leaf, like(2, leaf)), like(1, leaf))),
    ),
  );
}

/** `(<T,T> -> T)`: sums, element by element. */
export function add(type: Type): BuildingBlock {
  return known(`add ${compactNotation(type)}`, () =>
    traced('add', [type, type], type, ([a, b]) => {
      const others = leavesOf(b as Nested);
      let next = 0;
      return mapLeaves(a as Nested, (leaf) => tf.add(leaf, others[next++] as tf.Tensor));
    }),
  );
}

/** `(T -> U)`: every element of the result is a small number that depends on the argument. */
export function convert(from: Type, to: Type): BuildingBlock {
  return known(`convert ${compactNotation(from)} ${compactNotation(to)}`, () =>
    traced('convert', [from], to, ([x]) => {
      const totals = leavesOf(x as Nested).map((leaf) => tf.cast(tf.sum(leaf), 'float32'));
      const total = totals.reduce<tf.Tensor>((sum, each) => tf.add(sum, each), tf.scalar(1));
      return build(to, tf.clipByValue(total, -50, 50));
    }),
  );
}

/** `( -> T)` */
export function constant(type: Type): BuildingBlock {
  return known(`constant ${compactNotation(type)}`, () =>
    traced('constant', [], type, () => build(type, tf.scalar(3))),
  );
}

/** `(T -> float32)`, greater than zero: a weight. */
export function positive(from: Type, weight: TensorType): BuildingBlock {
  return known(`positive ${compactNotation(from)}`, () =>
    traced('positive', [from], weight, ([x]) => {
      const [leaf = tf.scalar(1)] = leavesOf(x as Nested);
      return tf.add(tf.abs(tf.cast(tf.sum(leaf), 'float32')), 1);
    }),
  );
}

const cache = new Map<string, BuildingBlock>();

function known(key: string, make: () => BuildingBlock): BuildingBlock {
  const found = cache.get(key) ?? make();
  cache.set(key, found);
  return found;
}

function traced(
  name: string,
  parameters: readonly Type[],
  result: Type,
  body: (args: readonly unknown[]) => Nested,
): BuildingBlock {
  const computation = tensorComputation(
    parameters,
    (...args: readonly unknown[]) => body(args) as TracedResult,
    { name, result },
  );
  return computation.buildingBlock;
}

function leavesOf(value: Nested): readonly tf.Tensor[] {
  return value instanceof tf.Tensor
    ? [value]
    : Object.values(value as { readonly [name: string]: Nested }).flatMap(leavesOf);
}

function mapLeaves(value: Nested, change: (leaf: tf.Tensor) => tf.Tensor): Nested {
  if (value instanceof tf.Tensor) return change(value);
  if (Array.isArray(value)) return value.map((each) => mapLeaves(each as Nested, change));
  return Object.fromEntries(
    Object.entries(value as { readonly [name: string]: Nested }).map(([name, each]) => [
      name,
      mapLeaves(each, change),
    ]),
  );
}

function like(value: number, leaf: tf.Tensor): tf.Tensor {
  return tf.scalar(value, leaf.dtype as 'float32');
}

/** A value of a type made of a scalar. */
function build(type: Type, from: tf.Tensor): Nested {
  if (type.kind === 'struct') {
    const { elements } = type as StructType;
    return elements.every(({ name }) => name === null)
      ? elements.map((element) => build(element.type, from))
      : Object.fromEntries(elements.map(({ name, type: inner }) => [name, build(inner, from)]));
  }
  const { dtype, shape } = type as TensorType;
  const wide = tf.mul(from, tf.ones((shape ?? []).map((size) => size ?? 2)));
  return tf.cast(wide, dtype as 'float32');
}
