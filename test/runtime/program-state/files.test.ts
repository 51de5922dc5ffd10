/** @file States as files: damage is found, older states stand in, and nothing half-written counts. */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProgramStateError, type ProgramStateManager } from 'fedloom';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fileProgramStateManager } from '../../../runtime/node.ts';

let directory: string;
let warnings: string[];
let manager: ProgramStateManager;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fedloom-states-'));
  warnings = [];
  manager = fileProgramStateManager(directory, { onWarning: (text) => warnings.push(text) });
  for (const version of [1, 2, 3]) await manager.save({ version, text: 'state' }, version);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const fileOf = (version: number): string => join(directory, `state-0000000${version}.flstate`);

test('a flip of any bit is found', async () => {
  const path = fileOf(3);
  const intact = readFileSync(path);
  for (let at = 0; at < intact.length; at++) {
    const damaged = Buffer.from(intact);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    writeFileSync(path, damaged);
    await expect(manager.load(3)).rejects.toMatchObject({ code: 'state.corrupted' });
  }
  writeFileSync(path, intact);
  expect(await manager.load(3)).toEqual({ version: 3, text: 'state' });
});

test('a file cut off anywhere is found', async () => {
  const { length } = readFileSync(fileOf(3));
  for (let size = length - 1; size >= 0; size--) {
    truncateSync(fileOf(3), size);
    await expect(manager.load(3)).rejects.toBeInstanceOf(ProgramStateError);
  }
});

test('an older state stands in for one that cannot be read, with a warning that names both', async () => {
  truncateSync(fileOf(3), 20);
  expect(await manager.latest()).toMatchObject({ version: 2 });
  expect(warnings).toEqual([
    `[state.corrupted] ${fileOf(3)} cannot be read: it has 20 bytes, too few for a state. Version 2 is used instead.`,
  ]);
});

test('the warning goes to the process by default', async () => {
  truncateSync(fileOf(3), 60);
  const emitted = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await fileProgramStateManager(directory).latest();
  expect(emitted).toHaveBeenCalledWith(
    expect.stringContaining('checksum is wrong'),
    'ProgramStateWarning',
  );
  emitted.mockRestore();
});

test('a version that cannot be read may be saved again', async () => {
  truncateSync(fileOf(3), 20);
  await manager.save('again', 3);
  expect(await manager.latest()).toEqual({ version: 3, state: 'again' });
  expect(warnings).toEqual([]);
});

test('if nothing can be read, the run does not begin anew in silence', async () => {
  for (const version of [1, 2, 3]) writeFileSync(fileOf(version), '');
  await expect(manager.latest()).rejects.toMatchObject({ code: 'state.corrupted' });
  await expect(manager.latest()).rejects.toThrow('1');
});

test('a file under the name of another version is no such version', async () => {
  renameSync(fileOf(1), fileOf(9));
  expect(await manager.latest()).toMatchObject({ version: 3 });
  expect(warnings[0]).toContain('no state of version 9');
});

test('what a killed run left half-written does not count, and goes after an hour', async () => {
  const young = `${fileOf(4)}.11111111-2222.tmp`;
  const old = `${fileOf(4)}.33333333-4444.tmp`;
  for (const path of [young, old]) writeFileSync(path, 'FLSTATE1');
  utimesSync(old, new Date(), new Date(Date.now() - 61 * 60 * 1000));
  expect(await manager.versions()).toEqual([1, 2, 3]);
  await manager.save('next', 4);
  expect([existsSync(young), existsSync(old)]).toEqual([true, false]);
});

test('a save that fails leaves nothing behind', async () => {
  // A directory where the file should go: the rename fails.
  const blocked = join(directory, 'blocked');
  const other = fileProgramStateManager(blocked);
  await other.save(1, 1);
  rmSync(join(blocked, 'state-00000001.flstate'));
  const path = join(blocked, 'state-00000002.flstate');
  writeFileSync(join(blocked, 'keep'), '');
  mkdirSync(path);
  await expect(other.save(2, 2)).rejects.toThrow();
  expect(readdirSync(blocked).sort()).toEqual(['keep', 'state-00000002.flstate']);
  // The next save is not held up by the one that failed.
  await other.save(3, 3);
  expect(await other.load(3)).toBe(3);
});
