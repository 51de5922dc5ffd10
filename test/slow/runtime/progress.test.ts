/** @file `fedloom up --progress` as processes: rounds go from the coordinator to the terminal of its parent. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');

/** @param interruptOn what it says on standard error before it is asked to stop. */
function up(interruptOn: string) {
  const child = spawn(
    process.execPath,
    [
      ...['--import', 'tsx', join(ROOT, 'runtime/cli/main.node.ts')],
      ...['up', '--clients', '3', '--progress'],
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
    if (isAsked || !said.error.includes(interruptOn)) return;
    isAsked = child.kill('SIGINT');
  });
  return new Promise<{ code: number | null } & typeof said>((resolve) => {
    child.once('close', (code) => resolve({ code, ...said }));
  });
}

test('a line for each stage and one for the round; an interrupt ends the next, and all', async () => {
  const { code, out, error } = await up('round 2  mean  finding');
  const lines = error.trim().split('\n');
  const first = lines.filter((line) => line.startsWith('round 1'));
  expect(first.map((line) => /^round 1 {2}mean {2}([a-z-]+)/.exec(line)?.[1])).toEqual([
    ...['finding', 'federated', 'federated', 'federated', 'quantize'],
    ...['advertise', 'share-keys', 'mask-vectors', 'confirm-survivors', 'unmask', 'done'],
  ]);
  for (const line of first.slice(0, -1)) {
    expect(line).toMatch(/: 3 of 3; sent [\d.]+ k?B, received [\d.]+ k?B, [\d.]+ m?s$/);
  }
  expect(out).toMatch(/clients in the sum {4}3 of 3/);
  // Nobody is at fault, and nothing else is said.
  expect(code).toBe(130);
  expect(out).not.toContain('by the aggregator');
  expect(lines.filter((line) => !/^round [12] {2}mean/.test(line))).toEqual([]);
}, 60_000);
