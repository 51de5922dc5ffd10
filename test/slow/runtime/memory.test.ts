/** @file Memory stays flat over 200 rounds with cohorts of varying size, whatever the stack is. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('./memory.program.ts', import.meta.url));

test.each([
  ['flat', {}],
  ['a tree with a cache', { maxFanout: 8, caching: { maxEntries: 50 } }],
])('%s: what is held after 200 rounds is within 5%% of what was held early', async (_, options) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--expose-gc',
    '--import',
    'tsx',
    PROGRAM,
    JSON.stringify(options),
  ]);
  const { early, late }: { early: number; late: number } = JSON.parse(stdout);
  expect(Math.abs(late - early) / early).toBeLessThan(0.05);
});
