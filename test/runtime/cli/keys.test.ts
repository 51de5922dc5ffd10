/** @file `fedloom keys`: what it makes, says, and refuses. */

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { alignColumns } from '../../../runtime/cli/align-columns.ts';
import { UsageError } from '../../../runtime/cli/command.ts';
import { keysCommand } from '../../../runtime/cli/commands/keys-command.node.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-keys-command-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function keys(
  ...args: string[]
): Promise<{ readonly status: number; readonly text: string }> {
  let text = '';
  const print = (more: string): void => {
    text += more;
  };
  const status = await keysCommand.run([...args, '--out', join(folder, 'keys')], {
    out: print,
    error: print,
    env: {},
    isTerminal: false,
  });
  return { status, text };
}

test('a table tells what was made, in columns', async () => {
  const { status, text } = await keys('ada', 'a-longer-name', '--days', '7');
  expect(status).toBe(0);
  const [header = '', ...rows] = text.split('\n').slice(0, 5);
  expect(header).toMatch(/^who +keys +valid +folder$/);
  for (const row of rows) expect(row.indexOf(folder)).toBe(header.indexOf('folder'));
  const week = new Date(Date.now() + 7 * 24 * 60 * 60 * 1000).toISOString().slice(0, 10);
  expect(text).toMatch(new RegExp(`ada +made +until ${week} +.*keys/ada`));
  expect(text).toContain('The roster has 2 clients.');
  expect(text).not.toContain('roster.json');
});

test('clients join later', async () => {
  await keys('--clients', '3');
  expect(readdirSync(join(folder, 'keys')).sort()).toEqual([
    'ca',
    'client-1',
    'client-2',
    'client-3',
    'server',
  ]);
  const { text } = await keys('ada');
  expect(text).toMatch(/server +kept/);
  expect(text).toMatch(/ada +made/);
  expect(text).toContain('The roster has 4 clients.');
  expect(text).toContain('need its roster.json');
  expect((await keys('ada', '--renew')).text).toMatch(/ada +renewed/);
  await expect(keys('ada', '--overwrite')).rejects.toThrow(/'client-1' is missing/);
  expect((await keys('ada', '--clients', '3', '--overwrite')).text).toMatch(/server +made/);
});

test('programs read JSON', async () => {
  const { text } = await keys(
    'ada',
    '--json',
    '--host',
    'example.org',
    '--client-host',
    '10.0.0.1',
  );
  const printed = JSON.parse(text);
  expect(printed.clients).toEqual(['ada']);
  expect(printed.holders[2]).toMatchObject({
    role: 'client',
    name: 'ada',
    status: 'made',
    folder: join(folder, 'keys', 'ada'),
  });
  expect(Date.parse(printed.holders[2].validUntil)).toBeGreaterThan(Date.now());
});

test('a name does not write to the terminal', async () => {
  const { text } = await keys('\u001b[2Jada');
  expect(text).not.toContain('\u001b');
});

test('a wrong command line is told from keys that cannot be made', async () => {
  for (const args of [
    [],
    ['--clients', '0'],
    ['--clients', 'three'],
    ['--clients', '1e3'],
    ['ada', '--days', '9999'],
    ['ada', '--renew', '--overwrite'],
  ]) {
    await expect(keys(...args)).rejects.toThrow(UsageError);
  }
  await expect(keys('ada', '--unknown')).rejects.toMatchObject({
    code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION',
  });
  expect(existsSync(join(folder, 'keys'))).toBe(false);
  const refused = keys('ada', '--host', 'no host');
  await expect(refused).rejects.toThrow(/A host is a name/);
  await expect(refused).rejects.not.toThrow(UsageError);
  writeFileSync(join(folder, 'keys'), 'a file');
  await expect(keys('ada')).rejects.toThrow();
});

test('columns are aligned, also of letters that are made of several characters', () => {
  expect(
    alignColumns(
      [
        ['a', 'b', '1'],
        ['e\u0301e', '', '22'],
      ],
      { right: [2] },
    ),
  ).toEqual(['a   b   1', 'e\u0301e     22']);
});
