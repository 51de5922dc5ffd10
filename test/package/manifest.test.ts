/** @file What package.json, tsconfig.json and the lock file say about the same things agrees. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { root } from './code-blocks.ts';

const sourceOf = (built: string): string =>
  built.replace('./dist/', './').replace(/(\.d\.ts|\.js)$/, '.ts');

const entries = Object.entries(manifest.exports).flatMap(([path, target]) =>
  typeof target === 'string' ? [] : [{ name: `fedloom${path.slice(1)}`, ...target }],
);
const platforms = Object.entries(manifest.imports).map(([name, target]) => ({ name, ...target }));

test('the compiler resolves every entry point and alias to its source', () => {
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  expect(compilerOptions.paths).toEqual(
    Object.fromEntries([
      ...entries.map((entry) => [entry.name, [sourceOf(entry.default)]]),
      ...platforms.map(({ name, node }) => [name, [sourceOf(node)]]),
    ]),
  );
});

test.each(entries)('$name has a source, and types beside its code', (entry) => {
  expect(existsSync(join(root, sourceOf(entry.default)))).toBe(true);
  expect(sourceOf(entry.types)).toBe(sourceOf(entry.default));
});

test.each(platforms)('$name offers the same on Node and on the web', async (platform) => {
  const names = async (target: string): Promise<string[]> =>
    Object.keys(await import(/* @vite-ignore */ join(root, sourceOf(target)))).sort();
  expect(await names(platform.default)).toEqual(await names(platform.node));
});

test('modules with effects are listed as such', () => {
  expect(manifest.sideEffects).toContain(manifest.exports['.'].default);
});

test('the lock file names no registry and pins contents', () => {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  expect(text).not.toContain('"resolved"');
  const { packages } = JSON.parse(text) as {
    packages: Record<string, { integrity?: string; os?: string[] }>;
  };
  const unpinned = Object.entries(packages)
    .filter(([path, entry]) => path !== '' && entry.integrity === undefined)
    .filter(([, entry]) => entry.os === undefined);
  expect(unpinned).toEqual([]);
});
