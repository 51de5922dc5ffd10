/** @file Every transformation keeps the meaning of random computations. */

import fc from 'fast-check';
import { ExecutionContext, localExecutorFactory } from 'fedloom';
import { afterAll, expect, test } from 'vitest';
import { computationCase } from '../../arbitraries/computations.ts';
import { expectSameMeaning } from './meaning.helpers.ts';

const context = new ExecutionContext(localExecutorFactory(), { compileLevel: 'reduce' });
afterAll(() => context.close());

test('random computations give the same results before and after', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(computationCase, (each) => expectSameMeaning(each, context)),
    // The limit ends the search for a smaller counterexample, too.
    { numRuns: 60, interruptAfterTimeLimit: 40_000 },
  );
});

test('the generator makes what the compiler is for', () => {
  const texts = fc.sample(computationCase, { numRuns: 300, seed: 1 }).map(({ block }) => {
    const seen = new Set<string>();
    JSON.stringify(block, (key, value: unknown) => {
      if (key === 'graph' || key === 'type') return undefined;
      if (typeof value === 'object' && value !== null && 'kind' in value) {
        seen.add(String('uri' in value ? value.uri : value.kind));
      }
      return value;
    });
    return seen;
  });
  const share = (name: string): number => texts.filter((seen) => seen.has(name)).length / 300;
  for (const name of [
    'federated_map',
    'federated_map_all_equal',
    'federated_apply',
    'federated_zip_at_clients',
    'federated_zip_at_server',
    'federated_broadcast',
    'federated_sum',
    'federated_weighted_mean',
    'sequence_map',
    'sequence_reduce',
    'block',
    'lambda',
    'compiled',
  ]) {
    expect(share(name), name).toBeGreaterThan(0.05);
  }
});
