/**
 * @file The audit log of a client as a file: an entry a line, in JSON, written before the call returns.
 * Files are rotated by size: `audit.jsonl` is the current one, `audit.jsonl.1` the one before.
 *
 * Failures are kept in full, with what they quote of the data, so the file is for its owner alone.
 */

import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { AuditSink } from '../../executors/guard/audit.ts';
import { isCode, makeFolder, SECRET_FILE_MODE } from '../identities/durable-files.node.ts';
import { toJsonLine } from '../logging/json-line.ts';
import { privateDetailOf } from './data/data-error.ts';

export interface FileAuditLogOptions {
  /** Of a file, before the next one is begun. @default 16 MiB */
  readonly maxBytes?: number;
  /** Files beside the current one; the oldest is removed. @default 8 */
  readonly keep?: number;
  /** Waits for the disk at every entry, so that none is lost in a power cut. @default false */
  readonly fsync?: boolean;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** Told once when entries cannot be written, and once more after they could again in between. */
  readonly onFailure?: (error: unknown) => void;
}

/** Never throws, whatever the disk does: a computation goes on without its log. */
export interface FileAuditLog extends AuditSink {
  record(entry: object): void;
  failure(error: unknown): void;
  /** Lets the file go; what comes later is not recorded. May be called twice. */
  close(): void;
}

/** A log in a file, which is made with its folder when the first entry comes, and appended to. */
export function fileAuditLog(path: string, options: FileAuditLogOptions = {}): FileAuditLog {
  const { now = Date.now, onFailure = () => {} } = options;
  const file = new RotatingFile(resolve(path), options);
  let isFailing = false;
  const append = (entry: object): void => {
    try {
      file.append(toJsonLine({ at: new Date(now()).toISOString(), ...entry }));
      isFailing = false;
    } catch (error) {
      if (!isFailing) tell(onFailure, error);
      isFailing = true;
    }
  };
  return {
    record: append,
    failure: (error) => append({ kind: 'failure', ...describe(error) }),
    close: () => file.close(),
  };
}

/** Appends whole lines. */
class RotatingFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  readonly #fsync: boolean;
  #file: number | null = null;
  #size = 0;
  #isClosed = false;

  constructor(
    path: string,
    { maxBytes = 16 * 2 ** 20, keep = 8, fsync = false }: FileAuditLogOptions,
  ) {
    for (const [name, value, least] of [
      ['maxBytes', maxBytes, 1],
      ['keep', keep, 0],
    ] as const) {
      if (!Number.isSafeInteger(value) || value < least) {
        throw new RangeError(`${name} must be an integer of at least ${least}; got ${value}.`);
      }
    }
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#keep = keep;
    this.#fsync = fsync;
  }

  append(line: string): void {
    if (this.#isClosed) return;
    const bytes = Buffer.from(line);
    try {
      let file = this.#open();
      if (this.#size > 0 && this.#size + bytes.length > this.#maxBytes) {
        this.#rotate();
        file = this.#open();
      }
      for (let written = 0; written < bytes.length; ) {
        written += writeSync(file, bytes, written);
      }
      this.#size += bytes.length;
      if (this.#fsync) fsyncSync(file);
    } catch (error) {
      // Half a line may be there; to open the file again finds it.
      this.#release();
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#release();
  }

  #open(): number {
    if (this.#file !== null) return this.#file;
    makeFolder(dirname(this.#path));
    const file = openSync(this.#path, 'a+', SECRET_FILE_MODE);
    this.#file = file;
    const { size, mode } = fstatSync(file);
    this.#size = size;
    // One that was there before may be open to others.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) fchmodSync(file, SECRET_FILE_MODE);
    const last = Buffer.alloc(1);
    // What was written last may have been cut off, by a crash or a full disk.
    if (this.#size > 0 && readSync(file, last, 0, 1, this.#size - 1) === 1 && last[0] !== NEWLINE) {
      this.#size += writeSync(file, '\n');
    }
    return file;
  }

  #rotate(): void {
    this.#release();
    if (this.#keep === 0) {
      rmSync(this.#path, { force: true });
      return;
    }
    for (let number = this.#keep - 1; number >= 0; number--) {
      const from = number === 0 ? this.#path : `${this.#path}.${number}`;
      try {
        renameSync(from, `${this.#path}.${number + 1}`);
      } catch (error) {
        if (!isCode(error, 'ENOENT')) throw error;
      }
    }
  }

  #release(): void {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    try {
      closeSync(file);
    } catch {
      // A file that cannot be closed is lost already.
    }
  }
}

/** An error with what caused it, and with what only this machine may know of it. */
function describe(error: unknown): object {
  if (!(error instanceof Error)) return { message: shortened(String(error)) };
  const causes: string[] = [];
  for (let cause = error.cause; cause !== undefined && causes.length < MAX_CAUSES; ) {
    causes.push(shortened(String(cause)));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  const detail = privateDetailOf(error);
  return {
    name: error.name,
    ...('code' in error && { code: String(error.code) }),
    message: shortened(error.message),
    ...(detail !== undefined && { detail: shortened(detail) }),
    ...(causes.length > 0 && { causes }),
    ...(error.stack !== undefined && { stack: shortened(error.stack) }),
  };
}

function shortened(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}…`;
}

function tell(onFailure: (error: unknown) => void, error: unknown): void {
  try {
    onFailure(error);
  } catch {
    // Who cannot be told of a failure is not to cause another.
  }
}

const NEWLINE = 0x0a;
const LONGEST_TEXT = 4096;
const MAX_CAUSES = 8;
