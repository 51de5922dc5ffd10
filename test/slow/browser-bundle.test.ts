/** @file The package bundles for a browser: the web side of every alias, and nothing of Node. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readmeProgram, root } from '../package/code-blocks.ts';

let folder: string;

beforeAll(() => {
  mkdirSync(join(root, '.blocks'), { recursive: true });
  folder = mkdtempSync(join(root, '.blocks', 'browser-'));
  writeFileSync(join(folder, 'program.js'), readmeProgram().source);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the README's program", async () => {
  const warnings: string[] = [];
  const result = await build({
    root: folder,
    logLevel: 'silent',
    configFile: false,
    build: {
      write: false,
      minify: false,
      lib: { entry: join(folder, 'program.js'), formats: ['es'] },
      rollupOptions: { onwarn: ({ message }) => void warnings.push(message) },
    },
  });
  const [bundle] = Array.isArray(result) ? result : [result];
  const chunks = bundle !== undefined && 'output' in bundle ? bundle.output : [];
  const modules = chunks.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []));
  const ours = modules.filter((id) => id.startsWith(join(root, 'dist')));
  expect(ours.map((id) => id.slice(root.length + 1))).toEqual(
    expect.arrayContaining([
      'dist/index.js',
      'dist/protocols/crypto/platform.web.js',
      'dist/computations/tensors/backends/platform.web.js',
      'dist/computations/contexts/async-context.web.js',
    ]),
  );
  expect(ours.filter((id) => id.endsWith('.node.js'))).toEqual([]);
  expect(warnings.filter((message) => message.includes('node:'))).toEqual([]);
});
