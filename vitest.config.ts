/**
 * @file The quick suite: `npm test`. Tests run against the sources: every alias of package.json
 * that points into `dist/` is answered by the TypeScript file it is built from.
 */

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import manifest from './package.json' with { type: 'json' };

/** These take what they import from each other, which saves a quarter of the time. */
const SHARING = 'test/{computations,executors,intrinsics,protocols}/**/*.test.ts';

/** Those among them that replace modules or globals, or look at what is loaded. */
const BY_THEMSELVES = [
  'test/computations/tensors/{auto-backend,native-device,random}.test.ts',
  'test/executors/{remote/status,placed/lost-clients-stacks}.test.ts',
  'test/executors/threads/*.test.ts',
  'test/protocols/residues/kernel-choice.test.ts',
  'test/protocols/secagg/{client-secrets,uniformity}.test.ts',
];

export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'sharing', include: [SHARING], exclude: BY_THEMSELVES, isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'isolated',
          include: [
            'test/!(computations|executors|intrinsics|protocols|slow)/**/*.test.ts',
            ...BY_THEMSELVES,
          ],
          typecheck: {
            enabled: true,
            checker: 'tsc',
            include: ['test/**/*.test-d.ts'],
            tsconfig: './tsconfig.json',
          },
        },
      },
    ],
    coverage: {
      include: ['computations', 'intrinsics', 'protocols', 'executors', 'runtime'].map(
        (room) => `${room}/**/*.ts`,
      ),
      exclude: ['**/*_pb.ts'],
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
