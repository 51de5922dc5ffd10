/**
 * @file A ledger of the steps of a client that outlives its process. A step is an empty file that is
 * made and must not be there: the file system decides who was first, among processes too, and there is
 * no content that a crash could leave half written. A crash in between claims a step that was not done,
 * which ends that client's part of a round; it never lets a step be done twice.
 */

import { join, resolve } from 'node:path';
import type { SessionLedger } from '../../protocols/index.ts';
import { createMark, fileNameOf, makeFolder, syncFolder } from './durable-files.node.ts';

/**
 * Steps are claimed in a folder, which is made if it is not there and only ever grows: some six empty
 * files a round. Its names are hashes. It must be on a disk that honours exclusive creation, which all
 * local ones do, and belongs to one client; any number of its processes may use it.
 * @throws the file system's errors, from here and from `claim`: a step that cannot be noted is not done.
 */
export function fileSessionLedger(path: string): SessionLedger {
  const folder = resolve(path);
  makeFolder(folder);
  const known = new Set<string>();
  return {
    claim(step) {
      const name = fileNameOf(step);
      const part = join(folder, name.slice(0, 2));
      // Thousands of files in one folder are slow to look through in some file systems.
      if (!known.has(part)) {
        makeFolder(part);
        // Another process may have made it a moment ago, and not made it last yet.
        syncFolder(folder);
        known.add(part);
      }
      return createMark(part, name.slice(2));
    },
  };
}
