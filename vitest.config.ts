/**
 * @file The quick suite: `npm test`. Tests run against the sources: every alias of package.json
 * that points into `dist/` is answered by the TypeScript file it is built from.
 */

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import manifest from './package.json' with { type: 'json' };

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/slow/**', 'node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    coverage: {
      include: ['computations', 'intrinsics', 'protocols', 'executors', 'runtime'].map(
        (room) => `${room}/**/*.ts`,
      ),
      exclude: ['**/*_pb.ts'],
    },
    typecheck: {
      enabled: true,
      checker: 'tsc',
      include: ['test/**/*.test-d.ts'],
      tsconfig: './tsconfig.json',
    },
  },
});

/** Aliases for `fedloom`, its sub-paths and its `#` imports. */
export function sourceAliases(): { find: RegExp; replacement: string }[] {
  const entries: [string, string][] = [];
  for (const [path, target] of Object.entries(manifest.exports)) {
    if (typeof target !== 'string') entries.push([`fedloom${path.slice(1)}`, target.default]);
  }
  for (const [name, target] of Object.entries(manifest.imports)) entries.push([name, target.node]);
  return entries.map(([name, target]) => ({
    find: new RegExp(`^${name}$`),
    replacement: fileURLToPath(new URL(sourceOf(target), import.meta.url)),
  }));
}

function sourceOf(built: string): string {
  return built.replace('./dist/', './').replace(/\.js$/, '.ts');
}
