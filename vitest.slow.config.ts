/** @file The long suite: `npm run test:slow`. Installs the package, runs the examples, large rounds. */

import { defineConfig } from 'vitest/config';
import { sourceAliases } from './vitest.config.ts';

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: ['test/slow/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
