/**
 * @file Random numbers from explicit keys. Only integer operations and IEEE addition,
 * multiplication, division and square root are used, so every engine gives the same bits.
 * The second counter word tells the uses of a key apart: numbers, new keys, retries.
 */

import type { ConcreteSpec } from '../graph.ts';
import { allocateOutput, type HostKernel, type HostTensor } from './arrays.ts';
import { normalQuantile } from './quantile.ts';
import { threefry2x32 } from './threefry.ts';

const DRAW = 0;
const SPLIT = 1;
const FOLD = 2;
const RETRY = 3;

/** Fills a tensor by a function of one 32-bit word an element. */
function draw(value: (bits: number) => number): HostKernel {
  return ([key], _, [output]) => {
    const [k0, k1] = words(key as HostTensor);
    const out = allocateOutput(output as ConcreteSpec) as Int32Array | Float32Array;
    for (let i = 0; i < out.length; i += 2) {
      const [first, second] = threefry2x32(k0, k1, i / 2, DRAW);
      out[i] = value(first);
      if (i + 1 < out.length) out[i + 1] = value(second);
    }
    return [out];
  };
}

const integers: HostKernel = ([key], attributes, [output]) => {
  const [k0, k1] = words(key as HostTensor);
  const out = allocateOutput(output as ConcreteSpec) as Int32Array;
  const minimum = attributes.minimum as number;
  const range = (attributes.maximum as number) - minimum;
  for (let i = 0; i < out.length; i++) out[i] = minimum + below(range, k0, k1, i);
  return [out];
};

const permutation: HostKernel = ([key], _, [output]) => {
  const [k0, k1] = words(key as HostTensor);
  const out = (allocateOutput(output as ConcreteSpec) as Int32Array).map((_, i) => i);
  // Fisher and Yates, from the back.
  for (let i = out.length - 1; i > 0; i--) {
    const j = below(i + 1, k0, k1, i);
    const moved = out[i] as number;
    out[i] = out[j] as number;
    out[j] = moved;
  }
  return [out];
};

const split: HostKernel = ([key], attributes, [output]) => {
  const [k0, k1] = words(key as HostTensor);
  const out = allocateOutput(output as ConcreteSpec) as Int32Array;
  for (let i = 0; i < (attributes.count as number); i++) {
    out.set(threefry2x32(k0, k1, i, SPLIT), 2 * i);
  }
  return [out];
};

const fold: HostKernel = ([key, data]) => {
  const [k0, k1] = words(key as HostTensor);
  return [Int32Array.from(threefry2x32(k0, k1, (data as HostTensor).data[0] as number, FOLD))];
};

export const RANDOM_KERNELS: Readonly<Record<string, HostKernel>> = {
  'fl.RandomBits': draw((bits) => bits),
  'fl.RandomUniform': draw((bits) => (bits >>> 9) * 2 ** -23),
  'fl.RandomNormal': draw((bits) => normalQuantile(((bits >>> 0) + 0.5) * 2 ** -32)),
  'fl.RandomInteger': integers,
  'fl.RandomPermutation': permutation,
  'fl.RandomSplit': split,
  'fl.RandomFold': fold,
};

/** An integer in [0, range), without bias: words in the incomplete last span are drawn again. */
function below(range: number, k0: number, k1: number, index: number): number {
  const limit = 2 ** 32 - (2 ** 32 % range);
  for (let attempt = 0; ; attempt++) {
    for (const word of threefry2x32(k0, k1, index, RETRY + attempt)) {
      if (word >>> 0 < limit) return (word >>> 0) % range;
    }
  }
}

function words({ data }: HostTensor): readonly [number, number] {
  return [data[0] as number, data[1] as number];
}
