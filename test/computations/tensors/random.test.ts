import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logarithm, normalQuantile } from '../../../computations/tensors/host/quantile.ts';
import { threefry2x32 } from '../../../computations/tensors/host/threefry.ts';
import { loadBackend, random, traceTensors } from '../../../computations/tensors/index.ts';
import { tf } from '../../../computations/tensors/tfjs.ts';
import { int32 } from '../../../computations/types/index.ts';
import { BACKENDS, deviceOnly, int, runGraph } from './backends.helpers.ts';

beforeAll(async () => {
  await loadBackend({ prefer: 'cpu' });
  await tf.setBackend('cpu');
  tf.engine().startScope();
});
afterAll(() => tf.engine().endScope());

const read = (tensor: tf.Tensor): number[] => Array.from(tensor.dataSync());

describe('Threefry-2x32', () => {
  // kat_vectors of Random123, threefry2x32 with 20 rounds; JAX tests the same ones.
  it.each([
    [
      [0, 0],
      [0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [-1, -1],
      [-1, -1],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ])('key %j, counter %j gives the words of the known answers', (key, counter, words) => {
    const [k0 = 0, k1 = 0] = key;
    const [c0 = 0, c1 = 0] = counter;
    expect(threefry2x32(k0, k1, c0, c1).map((word) => word >>> 0)).toEqual(words);
  });
});

describe('the normal quantile', () => {
  it.each([
    [0.5, 0],
    [0.75, 0.6744897501960817],
    [0.975, 1.959963984540054],
    [1e-6, -4.753424308822899],
    [1e-10, -6.361340902404056],
    [1 - 1e-6, 4.753424308817087],
  ])('of %f is %f', (p, z) => {
    expect(normalQuantile(p)).toBeCloseTo(z, 9);
  });

  it('uses a logarithm that agrees with the one of the engine', () => {
    for (const x of [1e-300, 1e-9, 0.3, 0.99999, 1, 1.5, 2, 12345.678]) {
      expect(logarithm(x)).toBeCloseTo(Math.log(x), 12);
    }
  });
});

describe('random', () => {
  it('is pinned: the numbers of a key never change', () => {
    const key = random.key(42);
    expect(read(random.bits(key, [3]))).toMatchInlineSnapshot(`
      [
        1832780943,
        270669613,
        430176367,
      ]
    `);
    expect(read(random.uniform(key, [3]))).toMatchInlineSnapshot(`
      [
        0.4267275333404541,
        0.06302011013031006,
        0.1001582145690918,
      ]
    `);
    expect(read(random.normal(key, [3]))).toMatchInlineSnapshot(`
      [
        -0.1847117394208908,
        -1.5299044847488403,
        -1.2806503772735596,
      ]
    `);
    expect(read(random.randomInt(key, [6], -3, 3))).toMatchInlineSnapshot(`
      [
        1,
        0,
        -1,
        2,
        2,
        -3,
      ]
    `);
    expect(read(random.permutation(key, 6))).toMatchInlineSnapshot(`
      [
        5,
        3,
        4,
        1,
        2,
        0,
      ]
    `);
    expect(random.split(key).map(read)).toMatchInlineSnapshot(`
      [
        [
          64467757,
          -1378843660,
        ],
        [
          1154097635,
          473298049,
        ],
      ]
    `);
    expect(read(random.fold(key, 7))).toMatchInlineSnapshot(`
      [
        631749419,
        -208348204,
      ]
    `);
  });

  it('takes seeds above 2^32', () => {
    expect(read(random.key(2 ** 32 + 5))).toEqual([1, 5]);
    expect(() => random.key(-1)).toThrow(/from 0 to 2\^53/);
  });

  it('has the moments that it should', () => {
    const key = random.key(1);
    const moments = (tensor: tf.Tensor) => {
      const { mean, variance } = tf.moments(tensor);
      return [mean, variance].map((moment) => moment.dataSync()[0] as number);
    };
    const [mean, variance] = moments(random.normal(key, [20_000], 3, 2));
    expect(mean).toBeCloseTo(3, 1);
    expect(Math.abs((variance as number) - 4)).toBeLessThan(0.15);
    const [middle, spread] = moments(random.uniform(key, [20_000]));
    expect(middle).toBeCloseTo(0.5, 1);
    expect(spread).toBeCloseTo(1 / 12, 2);
    const [share] = moments(random.bernoulli(key, 0.25, [20_000]).toFloat());
    expect(share).toBeCloseTo(0.25, 1);
  });

  it('draws integers within bounds, each of them about as often', () => {
    const counts = new Map<number, number>();
    for (const n of read(random.randomInt(random.key(5), [6000], -1, 2))) {
      counts.set(n, (counts.get(n) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([-1, 0, 1]);
    for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(200);
  });

  it('permutes', () => {
    expect(read(random.permutation(random.key(9), 50)).sort((a, b) => a - b)).toEqual([
      ...Array(50).keys(),
    ]);
  });

  it('gives the same bits inside and outside a trace, on every backend', async () => {
    const body = (key: tf.Tensor) => {
      const [first, second] = random.split(random.fold(key, 3)) as [tf.Tensor, tf.Tensor];
      return {
        normal: random.normal(first, [5], 1, 3),
        uniform: random.uniform(second, [5], -1, 1),
        coins: random.bernoulli(first, 0.5, [5]),
        integers: random.randomInt(second, [5], 0, 10),
        order: random.permutation(first, 5),
      };
    };
    const key = random.key(11);
    const outside = Object.values(body(key)).map(read);
    const { graph } = traceTensors(int32(2), body);
    for (const backend of [
      ...(await Promise.all(BACKENDS.map((prefer) => loadBackend({ prefer })))),
      ...(await Promise.all(BACKENDS.map(deviceOnly))),
    ]) {
      const inside = await runGraph(backend, graph, [int([2], read(key))]);
      expect(inside.map(({ data }) => Array.from(data as Float32Array))).toEqual(outside);
    }
  });
});
