/**
 * @file Choices that replay from a seed: xoshiro128** (Blackman and Vigna 2018), seeded by a hash. For
 * what a simulation decides, never for keys.
 */

import { sha256, utf8 } from '../../../../protocols/index.ts';

export interface Chooser {
  /** Uniform in [0, 1). */
  real(): number;
  /** A uniform integer of [0, bound); 0 for a bound of 0. */
  below(bound: number): number;
  /** A uniform integer of [low, high]. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  /** One of them; there must be one. */
  pick<T>(items: readonly T[]): T;
  /** One of them, each as often as its weight says. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T;
  /** `count` of them, in their order. */
  sample<T>(items: readonly T[], count: number): T[];
  /** Each of them with this probability, in their order. */
  some<T>(items: readonly T[], probability: number): T[];
  bytes(length: number): Uint8Array;
  /** Choices that do not depend on how many are made here. */
  fork(name: string): Chooser;
}

export function createChooser(seed: string): Chooser {
  const hash = sha256(utf8(`chooser ${seed}`));
  const words = new DataView(hash.buffer, hash.byteOffset);
  let [a, b, c, d] = [0, 4, 8, 12].map((at) => words.getUint32(at)) as [
    number,
    number,
    number,
    number,
  ];
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
  const chooser: Chooser = {
    real: () => next() / 2 ** 32,
    below: (bound) => Math.floor((next() / 2 ** 32) * bound),
    between: (low, high) => low + chooser.below(high - low + 1),
    chance: (probability) => next() / 2 ** 32 < probability,
    pick: (items) => items[chooser.below(items.length)]!,
    weighted(items) {
      let left = chooser.real() * items.reduce((total, [weight]) => total + weight, 0);
      for (const [weight, item] of items) {
        left -= weight;
        if (left < 0) return item;
      }
      return items[items.length - 1]![1];
    },
    sample(items, count) {
      const kept: (typeof items)[number][] = [];
      for (const [i, item] of items.entries()) {
        const wanted = count - kept.length;
        if (chooser.below(items.length - i) < wanted) kept.push(item);
      }
      return kept;
    },
    some: (items, probability) => items.filter(() => chooser.chance(probability)),
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
    fork: (name) => createChooser(`${seed}/${name}`),
  };
  return chooser;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
