/** @file Computations that random runs once found to be compiled wrongly. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAssignable } from '../../../computations/types/index.ts';
import { compileForExecution } from '../../../intrinsics/compile.ts';
import { randomComputation } from '../disclosure/random-computations.ts';

test('a constant in an all-equal map, computed elsewhere by a map that is not', () => {
  fc.assert(
    fc.property(fc.gen(), (draw) => {
      const { block } = randomComputation(draw);
      expect(isAssignable(block.type, compileForExecution(block).type)).toBe(true);
    }),
    { seed: 748242458, path: '509', numRuns: 1, endOnFailure: true },
  );
});
