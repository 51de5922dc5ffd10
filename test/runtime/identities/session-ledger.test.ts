/** @file A ledger in files: claimed once, by whichever process, and still so after a kill. */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSessionLedger } from 'fedloom/node';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-ledger-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a step is claimed once, and by no other ledger of that folder', () => {
  const path = join(folder, 'deep', 'ledger');
  const ledger = fileSessionLedger(path);
  expect(['a', 'b', 'a', '', ''].map((step) => ledger.claim(step))).toEqual([
    ...[true, true, false],
    ...[true, false],
  ]);
  const again = fileSessionLedger(path);
  expect(['a', 'b', 'c'].map((step) => again.claim(step))).toEqual([false, false, true]);
  expect(ledger.claim('c')).toBe(false);
  expect(fileSessionLedger(join(folder, 'other')).claim('a')).toBe(true);
});

test('names of steps are no paths, and are not to be read from the folder', () => {
  const ledger = fileSessionLedger(join(folder, 'ledger'));
  for (const step of ['../../escape', '/etc/x', 'a\0b', 'x'.repeat(10_000), '.', '..']) {
    expect(ledger.claim(step)).toBe(true);
    expect(ledger.claim(step)).toBe(false);
  }
  expect(readdirSync(folder)).toEqual(['ledger']);
  expect(JSON.stringify(readdirSync(folder, { recursive: true }))).not.toContain('escape');
});

test('where a step cannot be noted, it is not claimed', () => {
  const path = join(folder, 'ledger');
  const ledger = fileSessionLedger(path);
  rmSync(path, { recursive: true });
  expect(() => ledger.claim('a')).not.toThrow();
  rmSync(path, { recursive: true });
  // The folder of the step is known, and gone.
  expect(() => ledger.claim('a')).toThrow('ENOENT');
  mkdirSync(path);
});

test('killed at any moment, a process leaves no step that two do', async () => {
  const path = join(folder, 'ledger');
  const said: number[] = [];
  let killed = 0;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    said.push(...(await claimUntilKilled(path, 20 + 15 * attempt)));
    killed += 1;
  }
  expect(killed).toBe(3);
  // Each process began anew, and none said what another had.
  expect(new Set(said).size).toBe(said.length);
  const ledger = fileSessionLedger(path);
  expect(said.filter((step) => ledger.claim(`step ${step}`))).toEqual([]);
});

test('of processes that claim the same steps at once, each step has one', async () => {
  const path = join(folder, 'ledger');
  const outputs = await Promise.all([1, 2, 3].map(() => claimAll(path, 60)));
  const said = outputs.flat();
  expect([...said].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
});

/** What a process said before it was killed, as soon as it had said so many lines. */
function claimUntilKilled(path: string, lines: number): Promise<number[]> {
  return claiming([path, '0', '1000000'], (said, kill) => {
    if (said.length >= lines) kill();
  });
}

function claimAll(path: string, steps: number): Promise<number[]> {
  return claiming([path, '0', String(steps)], () => {});
}

function claiming(
  args: readonly string[],
  onLine: (said: readonly number[], kill: () => void) => void,
): Promise<number[]> {
  const program = join(import.meta.dirname, 'claiming.program.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    const numbers = (): number[] => text.split('\n').slice(0, -1).map(Number);
    child.stdout.on('data', (data) => {
      text += data;
      onLine(numbers(), () => child.kill('SIGKILL'));
    });
    child.on('error', reject);
    child.on('close', () => resolve(numbers()));
  });
}
