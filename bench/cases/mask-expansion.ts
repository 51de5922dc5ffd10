/**
 * @file The arithmetic of secure aggregation on one thread: nanoseconds a value and mask for expansion
 * and addition together, and milliseconds for the other work on a vector of 2^20 values.
 */

import {
  addInPlace,
  addPacked,
  applyMasks,
  type IntegerVector,
  isCanonical,
  maskKeystream,
  packResidues,
  type Residues,
  residuesFrom,
  SecretBytes,
  unpackResidues,
  zeroResidues,
} from '../../protocols/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const VALUES = 2 ** 20;
const MASKS = 16;
const REPETITIONS = 9;
const AT_MOST_FOR_MASKS = { atMost: 0.75 };
const AT_MOST_FOR_PACKING = { atMost: 3 };
const AT_MOST_FOR_INPUT = { atMost: 2 };

const TWO_29 = 1n << 29n;
const TWO_32 = 1n << 32n;
const TWO_64 = 1n << 64n;

const benchmark: Benchmark = {
  name: 'mask-expansion',
  target:
    'at most 0.75 ns per 32-bit value per mask (modulus 2^32 and smaller powers of two); ' +
    '2^20 values packed, unpacked or added from packed in 3 ms, taken from int32 in 2 ms',
  async run(): Promise<BenchmarkFigure[]> {
    const packed = packResidues(masked(TWO_29));
    const sum = masked(TWO_29);
    const integers = Int32Array.from({ length: VALUES }, (_, i) => i);
    return [
      { ...maskFigure('modulus 2^32', TWO_32), limit: AT_MOST_FOR_MASKS },
      { ...maskFigure('modulus 2^20', 1n << 20n), limit: AT_MOST_FOR_MASKS },
      maskFigure('modulus 2^64', TWO_64),
      maskFigure('modulus 2^40', 1n << 40n),
      maskFigure('modulus 1000003 (rejection)', 1_000_003n),
      maskFigure('modulus 2^40 + 15 (rejection)', (1n << 40n) + 15n),
      {
        ...figure('pack, 29 bits', () => packResidues(sum)),
        limit: AT_MOST_FOR_PACKING,
      },
      {
        ...figure('unpack, 29 bits', () => unpackResidues(packed, TWO_29, VALUES)),
        limit: AT_MOST_FOR_PACKING,
      },
      {
        ...figure('add packed, 29 bits', () => addPacked(sum, packed)),
        limit: AT_MOST_FOR_PACKING,
      },
      ...packingFigures('45 bits', 1n << 45n),
      ...packingFigures('20 bits, not a power of two', 1_000_003n),
      { ...inputFigure('Int32Array', integers, TWO_29), limit: AT_MOST_FOR_INPUT },
      inputFigure('Uint8Array', Uint8Array.from(integers), TWO_29),
      inputFigure('Float64Array', Float64Array.from(integers), TWO_29),
      inputFigure('array of numbers', Array.from(integers), TWO_29),
      inputFigure('BigInt64Array', BigInt64Array.from(integers, BigInt), 1n << 45n),
      figure('add, 29 bits', () => addInPlace(sum, sum)),
      figure('check, 29 bits', () => isCanonical(sum)),
    ];
  },
};

export default benchmark;

function maskFigure(name: string, modulus: bigint): BenchmarkFigure {
  const target = zeroResidues(modulus, VALUES);
  let round = 0;
  const milliseconds = median(() => {
    round += 1;
    applyMasks(target, masksOf(round));
  });
  return { case: name, unit: 'ns/value/mask', value: (milliseconds * 1e6) / (VALUES * MASKS) };
}

function packingFigures(name: string, modulus: bigint): BenchmarkFigure[] {
  const residues = masked(modulus);
  const packed = packResidues(residues);
  return [
    figure(`pack, ${name}`, () => packResidues(residues)),
    figure(`unpack, ${name}`, () => unpackResidues(packed, modulus, VALUES)),
    figure(`add packed, ${name}`, () => addPacked(residues, packed)),
  ];
}

function inputFigure(name: string, values: IntegerVector, modulus: bigint): BenchmarkFigure {
  return figure(`input from ${name}`, () => residuesFrom(values, modulus, modulus - 1n));
}

function figure(name: string, work: () => unknown): BenchmarkFigure {
  return { case: name, unit: 'ms/2^20 values', value: median(work) };
}

/** Milliseconds of one call, the median of several after two that compile it. */
function median(work: () => unknown): number {
  work();
  work();
  const times = Array.from({ length: REPETITIONS }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return times[Math.floor(REPETITIONS / 2)]!;
}

function masked(modulus: bigint): Residues {
  const residues = zeroResidues(modulus, VALUES);
  applyMasks(residues, masksOf(0));
  return residues;
}

function masksOf(round: number): Parameters<typeof applyMasks>[1] {
  return Array.from({ length: MASKS }, (_, peer) => ({
    keystream: maskKeystream(new SecretBytes(new Uint8Array(32).fill(peer + 1)), {
      session: new Uint8Array(32),
      round,
      vector: 'benchmark',
      adder: `client ${peer}`,
      subtractor: 'client',
      transcript: new Uint8Array(32),
      context: new Uint8Array(32),
    }),
    sign: peer % 2 === 0 ? 1 : -1,
  }));
}
