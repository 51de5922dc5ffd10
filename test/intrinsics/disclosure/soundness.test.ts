/** @file The quick run of the soundness property; `test/slow/` has the long one. */

import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { requireNonInterference, type Tally } from './non-interference.ts';
import { Observatory } from './observed-run.ts';

const observatory = new Observatory();
afterAll(() => observatory.close());

test('what the report does not list does not change what the server sees', async () => {
  const tally: Tally = { shown: 0, hidden: 0 };
  await fc.assert(
    fc.asyncProperty(fc.gen(), (draw) => requireNonInterference(observatory, draw, tally)),
    // A counterexample prints its computation; shrinking would run it thousands of times.
    { numRuns: 60, endOnFailure: true },
  );
  expect(Math.min(tally.shown, tally.hidden)).toBeGreaterThan(5);
});
