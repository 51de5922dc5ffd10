/** @file The audit log in files: whole lines, in order, rotated, and no trouble for who writes it. */

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ValueError } from '../../../computations/types/index.ts';
import { AuditLog } from '../../../executors/guard/audit.ts';
import { SecretBytes } from '../../../protocols/index.ts';
import { type FileAuditLogOptions, fileAuditLog } from '../../../runtime/worker/audit-log.node.ts';
import { dataError } from '../../../runtime/worker/data/data-error.ts';

const NOW = Date.parse('2030-01-02T03:04:05Z');
const AT = '2030-01-02T03:04:05.000Z';
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-audit-'));
  path = join(folder, 'logs', 'audit.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.skipIf(process.platform === 'win32')('a file that was open to others is for its owner', () => {
  mkdirSync(join(folder, 'logs'));
  writeFileSync(path, '', { mode: 0o644 });
  const audit = log();
  audit.failure(new Error('reading 7001 is odd'));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  audit.close();
});

function log(options: FileAuditLogOptions = {}): ReturnType<typeof fileAuditLog> {
  return fileAuditLog(path, { now: () => NOW, ...options });
}

function lines(file = path): unknown[] {
  const text = readFileSync(file, 'utf8');
  expect(text.endsWith('\n')).toBe(true);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('an entry is a line, there when the call returns', () => {
  const audit = log();
  expect(existsSync(path)).toBe(false);
  audit.record({ kind: 'refused', rule: 'smallestCohort', detail: 'a\nb' });
  expect(lines()).toEqual([{ at: AT, kind: 'refused', rule: 'smallestCohort', detail: 'a\nb' }]);
  audit.record({ kind: 'released', count: 5n, key: new SecretBytes(new Uint8Array(32)) });
  expect(lines()[1]).toEqual({ at: AT, kind: 'released', count: '5', key: '[secret of 32 bytes]' });
  audit.close();
  audit.close();
  audit.record({ kind: 'late' });
  expect(lines()).toHaveLength(2);
  const again = log({ fsync: true });
  again.record({ kind: 'again' });
  again.close();
  expect(lines()).toHaveLength(3);
  if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('the guard writes to it, and failures come with what only this machine may know', () => {
  const audit = log();
  const guard = new AuditLog(audit, { now: () => NOW });
  guard.record({ kind: 'refused', rule: 'protocols' });
  const cause = dataError('value.wrong_type', 'outside', 'r.csv:3: found "hunter2"');
  guard.failure(new ValueError('value.wrong_type', 'A reduction failed.', { cause }), 'data');
  expect(lines()).toMatchObject([
    { at: AT, time: NOW, kind: 'refused', rule: 'protocols' },
    { kind: 'failed', rule: 'data', code: 'ValueError value.wrong_type' },
    {
      kind: 'failure',
      name: 'ValueError',
      code: 'value.wrong_type',
      detail: 'r.csv:3: found "hunter2"',
      causes: [expect.stringContaining('outside')],
    },
  ]);
  audit.failure('thrown text');
  expect(lines()[3]).toEqual({ at: AT, kind: 'failure', message: 'thrown text' });
  audit.close();
});

test('files are rotated, and the oldest goes', () => {
  const audit = log({ maxBytes: 200, keep: 2 });
  for (let n = 0; n < 30; n++) audit.record({ n });
  audit.close();
  expect(readdirSync(join(folder, 'logs')).sort()).toEqual([
    'audit.jsonl',
    'audit.jsonl.1',
    'audit.jsonl.2',
  ]);
  const kept = [`${path}.2`, `${path}.1`, path].flatMap((file) => lines(file));
  const numbers = kept.map((entry) => (entry as { readonly n: number }).n);
  expect(numbers).toEqual(numbers.map((_, i) => 30 - numbers.length + i));
  for (const file of [`${path}.2`, `${path}.1`, path]) {
    expect(statSync(file).size).toBeLessThanOrEqual(200);
  }
});

test('whatever entries there are, no file is larger than it may be, and none is lost', () => {
  const entries = fc.array(fc.string({ maxLength: 150 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(entries, fc.integer({ min: 1, max: 400 }), (texts, maxBytes) => {
      rmSync(join(folder, 'logs'), { recursive: true, force: true });
      const audit = log({ maxBytes, keep: 100 });
      for (const text of texts) audit.record({ text });
      audit.close();
      const files = readdirSync(join(folder, 'logs'))
        .map((file) => Number(file.split('.')[2] ?? 0))
        .sort((a, b) => b - a)
        .map((number) => (number === 0 ? path : `${path}.${number}`));
      for (const file of files) {
        // An entry that is larger than a file has one of its own.
        if (lines(file).length > 1) expect(statSync(file).size).toBeLessThanOrEqual(maxBytes);
      }
      expect(files.flatMap((file) => lines(file))).toEqual(texts.map((text) => ({ at: AT, text })));
    }),
    { numRuns: 30 },
  );
});

test('with none to keep the file begins anew', () => {
  const audit = log({ maxBytes: 100, keep: 0 });
  for (let n = 0; n < 10; n++) audit.record({ n });
  audit.close();
  expect(readdirSync(join(folder, 'logs'))).toEqual(['audit.jsonl']);
});

test('half a line of a crash does not spoil the next entry', () => {
  log().record({ n: 1 });
  appendFileSync(path, '{"at":"20');
  log().record({ n: 2 });
  const text = readFileSync(path, 'utf8').split('\n');
  expect(text[1]).toBe('{"at":"20');
  expect(JSON.parse(text[2] ?? '')).toEqual({ at: AT, n: 2 });
});

test('a disk that fails is told once, and never throws', () => {
  const told: unknown[] = [];
  // A file where the folder should be.
  writeFileSync(join(folder, 'logs'), '');
  const audit = log({
    onFailure: (error) => {
      told.push(error);
      throw new Error('nobody listens');
    },
  });
  for (let n = 0; n < 5; n++) audit.record({ n });
  audit.failure(new Error('x'));
  expect(told).toHaveLength(1);
  rmSync(join(folder, 'logs'));
  audit.record({ n: 6 });
  expect(lines()).toEqual([{ at: AT, n: 6 }]);
  expect(told).toHaveLength(1);
  audit.close();
  // The rotated name is taken by a folder that has something in it.
  mkdirSync(join(folder, 'logs', 'audit.jsonl.1', 'full'), { recursive: true });
  const second = log({ maxBytes: 10, keep: 1, onFailure: (error) => told.push(error) });
  second.record({ n: 7 });
  second.record({ n: 8 });
  expect(told).toHaveLength(2);
  second.close();
});

test('entries that cannot be said in JSON are said as far as they can', () => {
  const audit = log();
  const circular: { self?: object } = {};
  circular.self = circular;
  audit.record({
    circular,
    get broken(): never {
      throw new Error('no');
    },
  });
  audit.record({
    nan: Number.NaN,
    map: new Map([['k', 1]]),
    bytes: new Uint8Array(3),
    none: undefined,
  });
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).toMatchObject({ nan: 'NaN', map: { k: 1 }, bytes: '[3 bytes]' });
  audit.close();
});

test('limits that are none are refused', () => {
  expect(() => log({ maxBytes: 0 })).toThrow(RangeError);
  expect(() => log({ keep: -1 })).toThrow(RangeError);
});
