/** @file Masks taken off on worker threads: the same sums, and nothing left running. */

import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedSecureModularSum,
  federatedSecureSum,
  int32,
  int64,
  localExecutorFactory,
  secAgg,
  type UnmaskingThreads,
  unmaskingThreads,
  ValueError,
  withContext,
} from 'fedloom';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const sums = federatedComputation([atClients(int32(50)), atClients(int64(3))], (a, b) => [
  federatedSecureSum(a, 1000),
  federatedSecureSum(b, 2n ** 50n),
  federatedSecureModularSum(b, 1_000_003),
]);
const vectors = Array.from({ length: 6 }, (_, i) => Array.from({ length: 50 }, (_, k) => i * k));
const wide = Array.from({ length: 6 }, (_, i) => [2n ** 50n, BigInt(i), 7n]);

describe('unmasking threads', () => {
  let threads: UnmaskingThreads;
  beforeAll(() => {
    threads = unmaskingThreads({ threads: 2 });
  });
  afterAll(() => threads.close());

  test('give the sums of the calling thread, in every ring', async () => {
    await using here = new ExecutionContext(localExecutorFactory({ secureAggregation: secAgg() }));
    await using there = new ExecutionContext(
      localExecutorFactory({ secureAggregation: secAgg({ unmasking: threads }) }),
    );
    const expected = await withContext(here, () => sums(vectors, wide));
    const steps: string[] = [];
    there.on('progress', (event) => {
      if (event.stage === 'run' && event.step.kind === 'protocol') steps.push(event.step.stage);
    });
    expect(await withContext(there, () => sums(vectors, wide))).toEqual(expected);
    expect(steps).toContain('expand-masks');
  });

  test('serve sums at the same time', async () => {
    await using context = new ExecutionContext(
      localExecutorFactory({ secureAggregation: secAgg({ unmasking: threads }) }),
    );
    const results = await Promise.all(
      [1, 2, 3].map((k) =>
        withContext(context, () =>
          sums(
            vectors.map((v) => v.map((x) => x * k)),
            wide,
          ),
        ),
      ),
    );
    for (const [i, [first]] of results.entries()) {
      expect(first.toArray()).toEqual(Array.from({ length: 50 }, (_, k) => 15 * k * (i + 1)));
    }
  });
});

test('closed threads refuse, and say so', async () => {
  const threads = unmaskingThreads({ threads: 1 });
  await threads.close();
  await using context = new ExecutionContext(
    localExecutorFactory({ secureAggregation: secAgg({ unmasking: threads }) }),
  );
  await expect(withContext(context, () => sums(vectors, wide))).rejects.toMatchObject({
    code: 'context.closed',
  });
});

test.each([0, -1, 1.5, Number.NaN, 5000])('%d threads are refused', (threads) => {
  expect(() => unmaskingThreads({ threads })).toThrow(ValueError);
});
