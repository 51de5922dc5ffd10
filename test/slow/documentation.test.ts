/** @file Every TypeScript block of the documentation type-checks, runs, and prints what it says. */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { documentedBlocks, root } from '../package/code-blocks.ts';

const blocks = documentedBlocks().map((block, i) => ({ ...block, file: `block${i}.ts` }));
let folder: string;

beforeAll(() => {
  // Inside the checkout, where packages are found.
  mkdirSync(join(root, '.blocks'), { recursive: true });
  folder = mkdtempSync(join(root, '.blocks', 'documentation-'));
  for (const { file, source } of blocks) writeFileSync(join(folder, file), `${source}export {};\n`);
  const config = { extends: '../../tsconfig.json', files: blocks.map(({ file }) => file) };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the blocks type-check', async () => {
  expect(await run('tsc', ['-p', folder])).toBe('');
});

test.each(blocks)('$where', async ({ file, output }) => {
  const stdout = await run('tsx', [join(folder, file)]);
  if (output.length > 0) expect(stdout.trimEnd().split('\n')).toEqual(output);
});

async function run(command: 'tsc' | 'tsx', args: readonly string[]): Promise<string> {
  const program = join(root, 'node_modules/.bin', command);
  const { stdout } = await promisify(execFile)(program, args, { cwd: root }).catch((error) => {
    throw new Error(`${error.message}\n${error.stdout}`, { cause: error });
  });
  return stdout;
}
