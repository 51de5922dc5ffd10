/** @file A policy from a file: the rules in it, and files that are none. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { guardPolicy } from '../../../executors/guard/policy/check-policy.ts';
import { readPolicyFile } from '../../../runtime/worker/policy-file.node.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-policy-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(content: string): ReturnType<typeof readPolicyFile> {
  const path = join(folder, 'policy.json');
  writeFileSync(path, content);
  return readPolicyFile(path);
}

const HEADER = '"format": "fedloom policy", "version": 1';

test('rules are read, and those that are missing are the default', async () => {
  expect(await read(`{ ${HEADER} }`)).toEqual(guardPolicy());
  const content = `\uFEFF{ "$schema": "./policy.schema.json", ${HEADER}, "smallestCohort": 10, "roundsPerDay": 24 }\n`;
  expect(await read(content)).toEqual(guardPolicy({ smallestCohort: 10, roundsPerDay: 24 }));
});

test.each([
  ['', /no JSON/],
  ['[]', /policy/],
  ['null', /policy/],
  ['{}', /"format": "fedloom policy"/],
  ['{ "format": "fedloom policy", "version": 2 }', /"version": 1.*and 2/],
  ['{ "format": "another policy", "version": 1 }', /got "another policy"/],
  [`{ ${HEADER}, "smalestCohort": 10 }`, /smalestCohort/],
  [`{ ${HEADER}, "smallestCohort": 0 }`, /smallestCohort/],
  [`{ ${HEADER}, "__proto__": { "smallestCohort": 1 } }`, /__proto__/],
  [`{ ${HEADER}, "a": "${'x'.repeat(2 ** 20)}" }`, /at most 1048576/],
])('%.40s is refused', async (content, reason) => {
  await expect(read(content)).rejects.toThrow(reason);
  await expect(read(content)).rejects.toThrow(folder);
  await expect(read(content)).rejects.toMatchObject({ code: expect.stringMatching(/^value\./) });
});

test('a file that is not there is told as such', async () => {
  await expect(readPolicyFile(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'ENOENT' });
});
