/** @file Sessions in files: kept, replaced and removed, and not kept for ever. */

import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memorySessionStore, type SessionStore } from 'fedloom';
import { fileSessionStore } from 'fedloom/node';
import { SecretBytes } from 'fedloom/protocols';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-sessions-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const secret = (...bytes: number[]): SecretBytes => new SecretBytes(Uint8Array.from(bytes));
const loaded = async (store: SessionStore, name: string): Promise<number[] | undefined> => {
  const bytes = await store.load(name);
  return bytes === undefined ? undefined : [...bytes.reveal()];
};

test.each([
  ['files', () => fileSessionStore(join(folder, 'a', 'b'))],
  ['memory', () => memorySessionStore()],
])('a session in %s is kept, replaced, and removed', async (_, make) => {
  const store = make();
  expect(await loaded(store, 'x')).toBeUndefined();
  const given = secret(1, 2, 3);
  await store.save('x', given);
  given.erase();
  await store.save('../y', secret(9));
  expect(await loaded(store, 'x')).toEqual([1, 2, 3]);
  await store.save('x', secret(4));
  expect(await loaded(store, 'x')).toEqual([4]);
  (await store.load('x'))!.erase();
  expect(await loaded(store, 'x')).toEqual([4]);
  await store.remove('x');
  await store.remove('x');
  expect(await loaded(store, 'x')).toBeUndefined();
  expect(await loaded(store, '../y')).toEqual([9]);
});

test('what nobody ended, and what a killed process left behind, is removed in time', async () => {
  const store = fileSessionStore(folder, { keep: 60 });
  await store.save('old', secret(1));
  writeFileSync(join(folder, 'half.session.1.tmp'), 'x');
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  const long = Date.now() / 1000 - 100;
  for (const file of readdirSync(folder)) utimesSync(join(folder, file), long, long);
  await store.save('new', secret(2));
  expect(await loaded(store, 'old')).toBeUndefined();
  expect(await loaded(store, 'new')).toEqual([2]);
  expect(readdirSync(folder)).toContain('notes.txt');
  expect(readdirSync(folder)).toHaveLength(2);
});
