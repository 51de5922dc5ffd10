/**
 * @file Keeps what a client of a summation has to remember between two steps in files, so that another
 * process can go on. The files are as secret as the client's keys: they are for their owner alone, and
 * removed when the session is over. What a disk keeps of removed files is beyond reach.
 */

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SecretBytes } from '../../protocols/index.ts';
import type { SessionStore } from '../summation/client/session-store.ts';
import {
  fileNameOf,
  isCode,
  makeFolder,
  replaceFile,
  SECRET_FILE_MODE,
  syncFolder,
} from './durable-files.node.ts';

export interface FileSessionStoreOptions {
  /** Files of sessions that nobody ended are removed after that long, in seconds. @default a day */
  readonly keep?: number;
}

/**
 * Sessions in a folder, which is made if it is not there and belongs to one client.
 * @throws the file system's errors, from here and from the store.
 */
export function fileSessionStore(
  path: string,
  { keep = 24 * 60 * 60 }: FileSessionStoreOptions = {},
): SessionStore {
  const folder = resolve(path);
  makeFolder(folder);
  const pathOf = (session: string): string => join(folder, `${fileNameOf(session)}${SUFFIX}`);
  return {
    save(session, state) {
      removeAbandoned(folder, keep * 1000);
      replaceFile(pathOf(session), state.reveal(), SECRET_FILE_MODE);
    },
    load(session) {
      try {
        return new SecretBytes(new Uint8Array(readFileSync(pathOf(session))));
      } catch (error) {
        if (isCode(error, 'ENOENT')) return undefined;
        throw error;
      }
    },
    remove(session) {
      rmSync(pathOf(session), { force: true });
      syncFolder(folder);
    },
  };
}

/** Also what a process left behind that was killed while it wrote. */
function removeAbandoned(folder: string, keepMs: number): void {
  for (const file of readdirSync(folder)) {
    if (!file.endsWith(SUFFIX) && !file.endsWith('.tmp')) continue;
    const path = join(folder, file);
    // Another process may have removed it since the folder was read.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats !== undefined && Date.now() - stats.mtimeMs > keepMs) rmSync(path, { force: true });
  }
}

const SUFFIX = '.session';
