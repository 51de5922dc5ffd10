/** @file Rosters and identities as files: one roster for all, and for each client a file of its own. */

import { open, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  decodeIdentityJson,
  decodeRosterJson,
  encodeIdentityJson,
  encodeRosterJson,
  type GeneratedIdentities,
  generateIdentities,
  type Identity,
  type IdentityRoster,
  ProtocolError,
  utf8,
} from '../../protocols/index.ts';
import { fileNameOf, makeFolder, SECRET_FILE_MODE, writeNew } from './durable-files.node.ts';

/** @throws ProtocolError `malformed-roster`, with the path; the file system's errors. */
export async function readIdentityRoster(path: string): Promise<IdentityRoster> {
  const text = await readFile(path, 'utf8');
  return atPath(path, () => decodeRosterJson(text));
}

/**
 * A client's own identity.
 * @throws ProtocolError `malformed-identity`, with the path and nothing of the content, also where
 *   others than the owner may read the file; the file system's errors.
 */
export async function readIdentity(path: string): Promise<Identity> {
  const file = await open(path);
  let bytes: Buffer;
  try {
    // Of the file that is read, whatever is put in its place meanwhile.
    const { mode } = await file.stat();
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new ProtocolError(
        'malformed-identity',
        `${path}: others than its owner may read it (mode ${(mode & 0o777).toString(8)}). Make new keys if anyone could have, and run chmod 600 on the file.`,
      );
    }
    bytes = await file.readFile();
  } finally {
    await file.close();
  }
  const text = bytes.toString('utf8');
  bytes.fill(0);
  return atPath(path, () => decodeIdentityJson(text));
}

export interface IdentityFiles extends GeneratedIdentities {
  /** Path of the roster. */
  readonly rosterPath: string;
  /** Path of each client's identity, in the order of the names. */
  readonly identityPaths: readonly string[];
}

/**
 * Makes identities, and writes them into a folder: `roster.json`, and for each client a file that only
 * its owner can read. For a simulation or for development: in earnest each client makes its own key.
 * @throws the file system's errors; a file that is there already is never overwritten.
 * @throws ProtocolError `invalid-argument` for a name that is none, or there twice.
 */
export async function writeIdentities(
  folder: string,
  names: readonly string[],
): Promise<IdentityFiles> {
  const generated = generateIdentities(names);
  makeFolder(resolve(folder));
  const rosterPath = join(folder, 'roster.json');
  writeNew(rosterPath, utf8(encodeRosterJson(generated.roster)), 0o644);
  const identityPaths = names.map((name) => identityPath(folder, name));
  for (const [i, identity] of generated.identities.entries()) {
    await writeIdentity(identityPaths[i]!, identity);
  }
  return { ...generated, rosterPath, identityPaths };
}

/** @throws the file system's errors; a file that is there already is never overwritten. */
export async function writeIdentity(path: string, identity: Identity): Promise<void> {
  const encoded = encodeIdentityJson(identity);
  try {
    writeNew(path, encoded.reveal(), SECRET_FILE_MODE);
  } finally {
    encoded.erase();
  }
}

/** Where `writeIdentities` puts the identity of a client: its name, as far as a file can have it. */
export function identityPath(folder: string, client: string): string {
  const name = encodeURIComponent(client);
  return join(folder, `${name.length <= 200 ? name : fileNameOf(client)}.identity.json`);
}

function atPath<T>(path: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ProtocolError(error.code, `${path}: ${error.message.replace(/^\[[^\]]*\] /, '')}`);
  }
}
