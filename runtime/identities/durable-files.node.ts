/** @file Files that are on the disk when the call returns: what is claimed or kept survives a crash. */

import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';

import { dirname, join } from 'node:path';

/** For the owner alone. */
export const SECRET_FILE_MODE = 0o600;
export const SECRET_FOLDER_MODE = 0o700;

/** Makes a folder and those above it, for the owner alone, and makes their entries last. */
export function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: SECRET_FOLDER_MODE });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) {
    syncFolder(dirname(made));
  }
}

/**
 * Makes an empty file, of which there can be only one: of several processes, one makes it.
 * @returns false if it was there.
 */
export function createMark(folder: string, name: string): boolean {
  let file: number;
  try {
    file = openSync(join(folder, name), 'wx', SECRET_FILE_MODE);
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  syncFolder(folder);
  return true;
}

/** Writes a new file; fails where there is one. */
export function writeNew(path: string, bytes: Uint8Array, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  syncFolder(dirname(path));
}

/** Writes a file or replaces it: under its name there is always the old content or the new one. */
export function replaceFile(path: string, bytes: Uint8Array, mode: number): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    writeNew(temporary, bytes, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/** A name that any file system takes, of any text. */
export function fileNameOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The folder is what says that a file is there. Windows has no such call, and does without. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
