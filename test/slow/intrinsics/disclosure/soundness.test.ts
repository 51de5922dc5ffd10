/** @file The long run of the soundness property of the disclosure report. */

import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import {
  requireNonInterference,
  type Tally,
} from '../../../intrinsics/disclosure/non-interference.ts';
import { Observatory } from '../../../intrinsics/disclosure/observed-run.ts';

const observatory = new Observatory();
afterAll(() => observatory.close());

test('what the report does not list does not change what the server sees, 1,000 times', async () => {
  const tally: Tally = { shown: 0, hidden: 0 };
  await fc.assert(
    fc.asyncProperty(fc.gen(), (draw) => requireNonInterference(observatory, draw, tally)),
    // A counterexample prints its computation; shrinking would run it thousands of times.
    { numRuns: 1000, endOnFailure: true },
  );
  expect(Math.min(tally.shown, tally.hidden)).toBeGreaterThan(100);
});
