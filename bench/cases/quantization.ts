/**
 * @file Floats on their way into a secure sum and back, on one thread: milliseconds for 1,000,000
 * float32, by themselves and at a client of an executor stack.
 */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMean,
  float32,
  localExecutorFactory,
  masking,
  type SecureAggregation,
  withContext,
} from '../../index.ts';
import {
  dequantizeSums,
  type QuantizationInput,
  quantization,
  quantizeInput,
} from '../../protocols/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';

const VALUES = 1_000_000;
const REPETITIONS = 15;
const AT_MOST = { atMost: 15 };

const benchmark: Benchmark = {
  name: 'quantization',
  target: '1,000,000 float32 quantised in at most 15 ms, with 4 random bytes each',
  async run(): Promise<BenchmarkFigure[]> {
    const values = Float32Array.from({ length: VALUES }, (_, i) => 3 * Math.sin(i));
    const tensors = Array.from({ length: 100 }, (_, i) =>
      values.subarray((i * VALUES) / 100, ((i + 1) * VALUES) / 100),
    );
    const beyond = values.map((value) => 3 * value);
    const settings = quantization();
    const quantize = (name: string, input: QuantizationInput): BenchmarkFigure =>
      figure(`quantise, ${name}`, () => quantizeInput(settings, input, { rng }));
    const narrow = new Uint32Array(VALUES).fill(100 * 2 ** 21);
    const wide = new BigUint64Array(VALUES).fill(10_000n * 2n ** 21n);
    return [
      { ...quantize('one tensor', { vectors: [values] }), limit: AT_MOST },
      { ...quantize('100 tensors, weighed', { vectors: tensors, weight: 32 }), limit: AT_MOST },
      { ...quantize('a third clipped', { vectors: [beyond] }), limit: AT_MOST },
      figure('dequantise, 32 bits', () => dequantizeSums(settings, 'mean', narrow, 100)),
      figure('dequantise, 64 bits', () => dequantizeSums(settings, 'mean', wide, 10_000)),
      await meanFigure('mean of 3 clients by masks', masking().with({ quantization: {} }), values),
      await meanFigure(
        'mean of 3 clients in the clear',
        masking().with({ allowPlain: ['federated_mean'] }),
        values,
      ),
    ];
  },
};

export default benchmark;

async function meanFigure(
  name: string,
  secureAggregation: SecureAggregation,
  values: Float32Array,
): Promise<BenchmarkFigure> {
  await using context = new ExecutionContext(localExecutorFactory({ secureAggregation }));
  const mean = federatedComputation([atClients(float32(VALUES))], (x) => federatedMean(x));
  const clients = [values, values, values];
  const times: number[] = [];
  for (let i = 0; i < REPETITIONS; i += 1) {
    const start = performance.now();
    await withContext(context, () => mean(clients));
    times.push(performance.now() - start);
  }
  return { case: name, value: middle(times), unit: 'ms' };
}

function rng(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

function figure(name: string, step: () => void): BenchmarkFigure {
  const times = Array.from({ length: REPETITIONS }, () => {
    const start = performance.now();
    step();
    return performance.now() - start;
  });
  return { case: name, value: middle(times), unit: 'ms' };
}

function middle(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN;
}
