/** @file Every TypeScript block of the documentation type-checks, runs, and prints what it says. */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { documentedBlocks, root } from '../package/code-blocks.ts';

const blocks = documentedBlocks().map((block, i) => ({ ...block, file: `block${i}.ts` }));
let folder: string;

beforeAll(() => {
  // Inside the checkout, where packages are found.
  mkdirSync(join(root, '.blocks'), { recursive: true });
  folder = mkdtempSync(join(root, '.blocks', 'documentation-'));
  for (const { file, source } of blocks) writeFileSync(join(folder, file), `${source}export {};\n`);
  const config = {
    extends: '../../tsconfig.json',
    // Compiled once for all: a loader for each would take longer than most of them.
    compilerOptions: { noEmit: false, rootDir: root, outDir: 'out' },
    files: blocks.map(({ file }) => file),
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  // The package as it is compiled here, and not as it was built some time ago.
  mkdirSync(join(folder, 'out'));
  const here = JSON.stringify(manifest).replaceAll('./dist/', './');
  writeFileSync(join(folder, 'out/package.json'), here);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the blocks type-check', async () => {
  expect(await run(join(root, 'node_modules/.bin/tsc'), ['-p', folder])).toBe('');
});

test.each(blocks)('$where', async ({ file, output }) => {
  const stdout = await run(process.execPath, [compiled(file)]);
  if (output.length > 0) expect(stdout.trimEnd().split('\n')).toEqual(output);
});

/** Where the compiler puts it: as it lies in the checkout. */
function compiled(file: string): string {
  return join(folder, 'out', relative(root, folder), file.replace(/\.ts$/, '.js'));
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { cwd: root }).catch((error) => {
    throw new Error(`${error.message}\n${error.stdout}`, { cause: error });
  });
  return stdout;
}
