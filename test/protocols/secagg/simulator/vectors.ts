/** @file Vectors of every class that the masks have code for, and inputs for them. */

import { type IntegerVector, type MaskedVector, sumVector } from '../../../../protocols/index.ts';
import type { Chooser } from './chooser.ts';

/** One to three vectors, short: what is simulated is the protocol, not the arithmetic. */
export function drawVectors(chooser: Chooser, clients: number): MaskedVector[] {
  const count = chooser.weighted([
    [6, 1],
    [2, 2],
    [1, 3],
  ]);
  return Array.from({ length: count }, (_, i) => {
    const length = chooser.weighted([
      [20, chooser.between(1, 4)],
      [1, 40],
      [1, 0],
    ]);
    return chooser.pick(CLASSES)(`v${i}`, length, clients);
  });
}

/** Inputs within their bounds, the bounds themselves among them. */
export function drawInputs(chooser: Chooser, vectors: readonly MaskedVector[]): IntegerVector[] {
  return vectors.map((vector) =>
    Array.from({ length: vector.length }, (_, k) => {
      const most = largestInput(vector, k);
      if (chooser.chance(0.1)) return chooser.pick([0n, most]);
      const words = (BigInt(chooser.below(2 ** 32)) << 32n) | BigInt(chooser.below(2 ** 32));
      return words % (most + 1n);
    }),
  );
}

function largestInput(vector: MaskedVector, index: number): bigint {
  if (vector.kind === 'modular-sum') return vector.modulus - 1n;
  const { maximum } = vector;
  return typeof maximum === 'bigint' ? maximum : maximum[index]!;
}

type VectorClass = (id: string, length: number, clients: number) => MaskedVector;

const CLASSES: readonly VectorClass[] = [
  (id, length, clients) => sumVector(id, length, 100n, clients),
  (id, length, clients) => sumVector(id, length, (1n << 41n) + 5n, clients),
  (id, length, clients) => ({
    kind: 'sum',
    id,
    length,
    maximum: 1000n,
    modulus: (1000n * BigInt(clients)) | 1n,
  }),
  (id, length, clients) => ({
    kind: 'sum',
    id,
    length,
    maximum: Array.from({ length }, (_, k) => BigInt(7 * k + 1)),
    modulus: BigInt((7 * length + 1) * clients + 2) | 1n,
  }),
  modular(1n << 32n),
  modular((1n << 32n) - 5n),
  modular(1n << 64n),
  modular((1n << 61n) - 1n),
  modular(3n),
];

function modular(modulus: bigint): VectorClass {
  return (id, length) => ({ kind: 'modular-sum', id, length, modulus });
}
