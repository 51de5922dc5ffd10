/** @file Rosters and identities in files, and the stack that takes them. */

import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedSecureSum,
  generateIdentities,
  int32,
  localExecutorFactory,
  rosterIdentities,
  secAgg,
  withContext,
} from 'fedloom';
import {
  identityPath,
  readIdentity,
  readIdentityRoster,
  writeIdentities,
  writeIdentity,
} from 'fedloom/node';
import { toHex } from 'fedloom/protocols';
import { afterEach, beforeEach, expect, test } from 'vitest';

const NAMES = ['north', 'a/b', '../up', 'ü'.repeat(100)];
const posix = process.platform !== 'win32';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-identities-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('what is written is read again, each by its own', async () => {
  const keys = join(folder, 'new', 'keys');
  const { roster, identities, rosterPath, identityPaths } = await writeIdentities(keys, NAMES);
  expect(await readIdentityRoster(rosterPath)).toEqual(roster);
  for (const [i, path] of identityPaths.entries()) {
    const read = await readIdentity(path);
    expect(read.client).toBe(NAMES[i]);
    expect(read.secretKey.reveal()).toEqual(identities[i]!.secretKey.reveal());
    expect(path).toBe(identityPath(keys, NAMES[i]!));
    if (posix) expect(statSync(path).mode & 0o777).toBe(0o600);
  }
  // No name leads out of the folder.
  expect(readdirSync(keys)).toHaveLength(5);
  expect(readdirSync(folder)).toEqual(['new']);
});

test('nothing is written over', async () => {
  const { identityPaths, identities } = await writeIdentities(folder, ['a', 'b']);
  const before = readFileSync(identityPaths[0]!, 'utf8');
  await expect(writeIdentities(folder, ['a', 'b'])).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(writeIdentity(identityPaths[0]!, identities[1]!)).rejects.toMatchObject({
    code: 'EEXIST',
  });
  expect(readFileSync(identityPaths[0]!, 'utf8')).toBe(before);
});

test.skipIf(!posix)('an identity that others can read is not taken', async () => {
  const { identityPaths } = await writeIdentities(folder, ['a']);
  for (const mode of [0o644, 0o640, 0o604]) {
    chmodSync(identityPaths[0]!, mode);
    await expect(readIdentity(identityPaths[0]!)).rejects.toMatchObject({
      code: 'malformed-identity',
      message: expect.stringContaining('chmod 600'),
    });
  }
});

test('errors name the file, and quote no key', async () => {
  const { identityPaths, identities, rosterPath } = await writeIdentities(folder, ['a']);
  const secret = toHex(identities[0]!.secretKey.reveal());
  const path = identityPaths[0]!;
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, -10));
  const error = await readIdentity(path).catch((failure: Error) => failure as Error);
  expect(error).toMatchObject({ code: 'malformed-identity' });
  expect((error as Error).message).toContain(path);
  expect(`${(error as Error).stack}`).not.toContain(secret.slice(0, 10));
  writeFileSync(rosterPath, '{');
  await expect(readIdentityRoster(rosterPath)).rejects.toThrow(rosterPath);
  await expect(readIdentityRoster(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a stack sums with the identities of a roster, and not with wrong ones', async () => {
  const { roster, identities } = generateIdentities(['north', 'east', 'south', 'west']);
  const sum = federatedComputation([atClients(int32())], (x) => federatedSecureSum(x, 100));
  const run = async (own: readonly (typeof identities)[number][]): Promise<unknown> => {
    const provider = rosterIdentities({ roster, identities: own });
    await using context = new ExecutionContext(
      localExecutorFactory({ secureAggregation: secAgg({ identities: provider }) }),
    );
    return await withContext(context, () => sum([1, 2, 3]));
  };
  expect(await run(identities)).toBe(6);
  await expect(run(identities.slice(0, 1))).rejects.toMatchObject({ name: 'ProtocolAbortError' });
  expect(() =>
    rosterIdentities({ roster, identities: generateIdentities(['north']).identities }),
  ).toThrow('another public key');
  const provider = rosterIdentities({ roster, identities });
  expect(provider.signer('clients/9')).toBeUndefined();
  expect(provider.signer('north')).toBeUndefined();
});
