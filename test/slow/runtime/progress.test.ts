/** @file `fedloom up --progress` as processes: rounds go from the coordinator to the terminal of its parent. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-progress-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** @param interruptOn is said on standard error before the process is asked to stop. */
function up(interruptOn: string | null) {
  // Without Paillier, whose key takes seconds.
  const policy = join(folder, 'policy.json');
  writeFileSync(policy, '{"format":"fedloom policy","version":1}');
  const child = spawn(
    process.execPath,
    [
      ...['--import', 'tsx', join(ROOT, 'runtime/cli/main.node.ts'), 'up', '--clients', '3'],
      ...['--progress', '--policy', policy],
    ],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const said = { out: '', error: '' };
  let isAsked = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.error += text;
    if (interruptOn === null || isAsked || !said.error.includes(interruptOn)) return;
    isAsked = child.kill('SIGINT');
  });
  return new Promise<{ code: number | null } & typeof said>((resolve) => {
    child.once('close', (code) => resolve({ code, ...said }));
  });
}

test('a line for each stage, and one for the round', async () => {
  const { code, out, error } = await up(null);
  expect(code).toBe(0);
  expect(out).toMatch(/clients in the sum {4}3 of 3/);
  const lines = error.trim().split('\n');
  const told = lines.map((line) => /^round 1 {2}mean {2}([a-z-]+)/.exec(line)?.[1] ?? line);
  expect(told).toEqual([
    ...['finding', 'federated', 'federated', 'federated', 'quantize'],
    ...['advertise', 'share-keys', 'mask-vectors', 'confirm-survivors', 'unmask', 'done'],
  ]);
  for (const line of lines.slice(0, -1)) {
    expect(line).toMatch(/: 3 of 3; sent [\d.]+ k?B, received [\d.]+ k?B, [\d.]+ m?s$/);
  }
}, 60_000);

test('an interrupt in the middle of a round ends all, with 130 and no complaint', async () => {
  const { code, error } = await up('finding the data');
  expect(code).toBe(130);
  expect(error).not.toMatch(/ended with|Error/);
}, 60_000);
