/** @file Mask expansion and addition: nanoseconds a 32-bit value and mask, on one thread. */

import { applyMasks, maskKeystream, SecretBytes, zeroResidues } from '../../protocols/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const VALUES = 2 ** 20;
const MASKS = 8;
const REPETITIONS = 5;
const AT_MOST = { atMost: 2 };

const benchmark: Benchmark = {
  name: 'mask-expansion',
  target: 'at most 2 ns per 32-bit value per mask (modulus 2^32 and smaller powers of two)',
  async run(): Promise<BenchmarkFigure[]> {
    return [
      { ...measure('modulus 2^32', 1n << 32n, VALUES), limit: AT_MOST },
      { ...measure('modulus 2^20', 1n << 20n, VALUES), limit: AT_MOST },
      measure('modulus 1000003 (rejection)', 1_000_003n, VALUES / 4),
      measure('modulus 2^64', 1n << 64n, VALUES / 2),
    ];
  },
};

export default benchmark;

function measure(name: string, modulus: bigint, length: number): BenchmarkFigure {
  const target = zeroResidues(modulus, length);
  const pass = (round: number): void => {
    const masks = Array.from({ length: MASKS }, (_, peer) => ({
      keystream: maskKeystream(new SecretBytes(new Uint8Array(32).fill(peer + 1)), {
        session: new Uint8Array(32),
        round,
        vector: 'benchmark',
        adder: `client ${peer}`,
        subtractor: 'client',
        transcript: new Uint8Array(32),
        context: new Uint8Array(32),
      }),
      sign: peer % 2 === 0 ? (1 as const) : (-1 as const),
    }));
    applyMasks(target, masks);
  };
  pass(0);
  const times = Array.from({ length: REPETITIONS }, (_, repetition) => {
    const start = performance.now();
    pass(repetition + 1);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  const median = times[Math.floor(REPETITIONS / 2)]!;
  return { case: name, unit: 'ns/value/mask', value: (median * 1e6) / (length * MASKS) };
}
