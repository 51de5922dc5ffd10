/** @file The import rules of `biome.json` bite: each import that points up is found. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const REFUSED: readonly (readonly [folder: string, source: string])[] = [
  ['computations/types', "export * from '../value.ts';"],
  ['computations/types', "export type * from '../tensors/index.ts';"],
  ['computations/tensors', "export * from '../value.ts';"],
  ['computations/tensors/kernels', "export * from '../../contexts/context.ts';"],
  ['computations/tensors/kernels', "export * from '../../../intrinsics/index.ts';"],
  ['computations', "import type { A } from '../intrinsics/index.ts';\nexport type B = A;"],
  ['computations/wire', "export const a = () => import('../../executors/executor.ts');"],
  ['computations', "export * from '@tensorflow/tfjs';"],
  ['intrinsics', "export * from '../protocols/index.ts';"],
  ['intrinsics', "export * from '@tensorflow/tfjs-core';"],
  ['protocols', "export * from '../computations/types/index.ts';"],
  ['protocols/masking', "import '../../executors/executor.ts';"],
  ['executors/secure', "export * from '../../runtime/index.ts';"],
  ['runtime', "export * from 'fedloom';"],
  ['runtime', "export * from '../test/support.ts';"],
  ['examples', "export * from '../computations/index.ts';"],
  ['computations', "export * from 'node:fs';"],
  ['protocols/crypto', "export * from 'node:crypto';"],
  ['executors', "export * from 'node:net';"],
  ['runtime', "export * from 'node:worker_threads';"],
];

const ALLOWED: typeof REFUSED = [
  ['computations/tensors', "export * from '../types/index.ts';"],
  ['computations/tensors/kernels', "export * from '../graph.ts';"],
  ['computations/tensors', "export * from '@tensorflow/tfjs';"],
  ['computations', "export * from './tensors/index.ts';"],
  ['intrinsics', "export * from '../computations/value.ts';"],
  ['executors/secure', "export * from '../../protocols/index.ts';"],
  ['runtime', "export * from '../executors/executor.ts';"],
  ['examples', "export * from 'fedloom';"],
  ['test/protocols', "export * from 'node:fs';"],
];

let house: string;
/** Files in which an import rule was broken. */
let found: Set<string>;

beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'import-directions-'));
  const root = join(import.meta.dirname, '../..');
  const { vcs: _, ...config } = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
  writeFileSync(join(house, 'biome.json'), JSON.stringify(config));
  for (const [i, [folder, source]] of REFUSED.entries()) write(`${folder}/refused${i}.ts`, source);
  for (const [i, [folder, source]] of ALLOWED.entries()) write(`${folder}/allowed${i}.ts`, source);
  write('protocols/crypto/platform.node.ts', "export * from 'node:crypto';");
  found = brokenImportRules();
});

afterAll(() => rmSync(house, { recursive: true, force: true }));

test.each(REFUSED.map((entry, i) => [...entry, i] as const))('%s: %s', (_, __, i) => {
  expect(found).toContain(`refused${i}.ts`);
});

test.each(ALLOWED.map((entry, i) => [...entry, i] as const))('allowed in %s: %s', (_, __, i) => {
  expect(found).not.toContain(`allowed${i}.ts`);
});

test('a Node file may import modules of Node', () => {
  expect(found).not.toContain('platform.node.ts');
});

function write(file: string, source: string): void {
  const path = join(house, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${source}\n`);
}

function brokenImportRules(): Set<string> {
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
  const { stdout } = spawnSync(
    process.execPath,
    [biome, 'lint', '--reporter=json', '--max-diagnostics=none'],
    { cwd: house, encoding: 'utf8' },
  );
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { category: string; location: { path: string } }[];
  };
  return new Set(
    diagnostics
      .filter(({ category }) => /noRestrictedImports|noNodejsModules/.test(category))
      .map(({ location }) => basename(location.path)),
  );
}
