/** @file `fedloom up`: a coordinator and clients as processes, from the first key to the last exit. */

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-up-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function up(...args: readonly string[]) {
  const command = ['--import', 'tsx', join(ROOT, 'runtime/cli/main.node.ts'), 'up', ...args];
  return promisify(execFile)(process.execPath, command, { cwd: ROOT, timeout: 100_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  );
}

test('sums the readings of five clients, each of which logs what it gave', async () => {
  const { code, stdout, stderr } = await up('--clients', '5', '--folder', folder);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^A coordinator listens on 127\.0\.0\.1:\d+; 5 clients dial in\.\n/);
  expect(stdout).toMatch(/\nmean of the readings {2}24\.\d\d\nclients in the sum {4}5 of 5\n$/);
  for (const file of readdirSync(join(folder, 'audit'))) {
    const entries = readFileSync(join(folder, 'audit', file), 'utf8')
      .trim()
      .split('\n');
    expect(entries.map((line) => JSON.parse(line).kind)).toEqual(['released']);
  }
}, 120_000);

test('a policy that allows nothing ends the program, and everybody with it', async () => {
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, '{"format":"fedloom policy","version":1,"smallestCohort":50}');
  const { code, stderr } = await up('--clients', '3', '--folder', folder, '--policy', policy);
  expect(code).toBe(1);
  expect(stderr).toMatch(/protocol\.too_few_clients/);
  // Who did what is still there, since the folder was given.
  expect(existsSync(join(folder, 'keys/roster.json')) || existsSync(join(folder, 'keys'))).toBe(
    true,
  );
}, 120_000);

test('a client that cannot start ends all, and says why', async () => {
  const { code, stderr } = await up(
    '--clients',
    '3',
    '--folder',
    folder,
    '--data',
    'x=./not-here.csv',
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/client-\d ended with 1:.*not-here\.csv/s);
}, 120_000);
