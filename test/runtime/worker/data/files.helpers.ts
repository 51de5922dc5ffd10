/** @file Files in a folder of a test's own, and what computations read from them. */

import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { parseType, type Type, toPlain } from '../../../../computations/types/index.ts';
import { parseDataOption } from '../../../../runtime/worker/data/data-option.ts';
import {
  type FileDataOptions,
  fileDataSource,
} from '../../../../runtime/worker/data/file-source.node.ts';
import { privateDetailOf } from '../../../../runtime/worker/data/index.ts';

/** The folder of the running test; removed after it. */
export function temporaryFolder(): () => string {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fedloom-data-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}

/** Writes a file and reads it as a type, as plain data. */
export async function readAs(
  folder: string,
  file: string,
  content: string | Uint8Array,
  type: Type | string,
  options: FileDataOptions = {},
): Promise<unknown> {
  writeFileSync(join(folder, file), content);
  return readFiles(folder, file, type, options);
}

/** Reads what stands behind `--data mine=`. */
export async function readFiles(
  folder: string,
  option: string,
  type: Type | string,
  options: FileDataOptions = {},
): Promise<unknown> {
  const spec = parseDataOption(`mine=${option}`);
  const source = fileDataSource([spec], { baseFolder: folder, ...options });
  const asked = typeof type === 'string' ? parseType(type) : type;
  const value = await source.resolve('mine', asked);
  if (value === null) throw new Error('it is not there');
  return toPlain(value, asked);
}

/** What everyone is told, and what this machine is told besides. */
export async function failure(
  reading: Promise<unknown>,
): Promise<{ readonly code: unknown; readonly message: string; readonly detail: string }> {
  try {
    await reading;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = 'code' in error ? error.code : undefined;
    return { code, message: error.message, detail: privateDetailOf(error) ?? '' };
  }
  throw new Error('it did not fail');
}

/** Files below a folder that this process has open (Linux). */
export function openFilesIn(folder: string): readonly string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return path.startsWith(folder) ? [path] : [];
    } catch {
      return [];
    }
  });
}
