/** @file `fedloom up`: coordinator, aggregator and clients as processes, from the first key to the last exit. */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-up-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const COMMAND = ['--import', 'tsx', join(ROOT, 'runtime/cli/main.node.ts'), 'up'];

async function up(...args: readonly string[]) {
  return promisify(execFile)(process.execPath, [...COMMAND, ...args], {
    cwd: ROOT,
    timeout: 100_000,
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  );
}

test('sums the readings of five clients, each of which logs what it gave', async () => {
  const { code, stdout, stderr } = await up('--clients', '5', '--folder', folder);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^A coordinator listens on 127\.0\.0\.1:\d+; an aggregator and 5 clients dial in\.\n/,
  );
  expect(stdout).toMatch(
    /\nmean of the readings {2}24\.\d\d\nclients in the sum {4}5 of 5\nby the aggregator {5}24\.\d\d\n$/,
  );
  const files = readdirSync(join(folder, 'audit')).filter((file) => file.startsWith('client-'));
  expect(files).toHaveLength(5);
  for (const file of files) {
    const entries = readFileSync(join(folder, 'audit', file), 'utf8')
      .trim()
      .split('\n');
    expect(entries.map((line) => JSON.parse(line).kind)).toEqual(['released', 'released']);
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

test.skipIf(process.platform === 'win32')(
  'killed, it leaves nobody behind',
  async () => {
    const program = join(folder, 'wait.mjs');
    writeFileSync(
      program,
      `import { writeFileSync } from 'node:fs';
    export default async ({ coordinator, signal, args }) => {
      await coordinator.select({ atLeast: 3, within: 60_000, signal });
      writeFileSync(args.at(-1), 'all');
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };`,
    );
    const ready = join(folder, 'ready');
    const child = spawn(
      process.execPath,
      [...COMMAND, program, ready, '--clients', '3', '--folder', folder],
      { cwd: ROOT, stdio: 'ignore' },
    );
    await vi.waitFor(() => expect(existsSync(ready)).toBe(true), {
      timeout: 90_000,
      interval: 100,
    });
    const children = childrenOf(child.pid as number);
    try {
      expect(children).toHaveLength(5);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const left = () => children.filter(isAlive);
      await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 30_000, interval: 100 });
    } finally {
      for (const pid of children.filter(isAlive)) process.kill(pid, 'SIGKILL');
    }
  },
  150_000,
);

/** Those of this program: the compiler of a loader is a child, too. */
function childrenOf(parent: number): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim();
  return rows.split('\n').flatMap((row) => {
    const [pid, ppid] = row.trim().split(/\s+/).map(Number);
    const isOurs = ppid === parent && row.includes('main.node.ts');
    return isOurs && pid !== undefined ? [pid] : [];
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
