/** @file Every transformation keeps the meaning of 2,000 random computations. */

import fc from 'fast-check';
import { ExecutionContext, localExecutorFactory } from 'fedloom';
import { afterAll, test } from 'vitest';
import { computationCase } from '../../../arbitraries/computations.ts';
import { expectSameMeaning } from '../../../computations/transformations/meaning.helpers.ts';

const context = new ExecutionContext(localExecutorFactory(), { compileLevel: 'reduce' });
afterAll(() => context.close());

test('2,000 random computations give the same results before and after', {
  timeout: 1_800_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(computationCase, (each) => expectSameMeaning(each, context)),
    { numRuns: 2000, interruptAfterTimeLimit: 1_750_000, markInterruptAsFailure: true },
  );
});
