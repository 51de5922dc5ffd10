/**
 * @file The tests of whatever runs on a backend, on the native one: `npm run test:native`. It needs
 * @tensorflow/tfjs-node, from `npm install` or from scripts/build-native.sh.
 */

import { defineConfig } from 'vitest/config';
import { sourceAliases } from './vitest.config.ts';

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: [
      'test/compliance/executor.test.ts',
      'test/computations/tensors/**/*.test.ts',
      'test/executors/*.test.ts',
      'test/executors/{leaf,placed,caching,watching,threads}/**/*.test.ts',
      'test/intrinsics/execution.test.ts',
      'test/runtime/*.test.ts',
      // The rest of the runtime carries bytes, whatever computes them.
      'test/runtime/{templates,threads}/**/*.test.ts',
      'test/slow/computations/tensors/**/*.test.ts',
      'test/slow/examples.test.ts',
    ],
    env: { FEDLOOM_BACKEND: 'native' },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
