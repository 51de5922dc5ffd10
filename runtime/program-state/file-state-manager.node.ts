/**
 * @file Program states as files, one a version. A state is written beside its place, forced to the
 * disk and then renamed, so that under its own name a file is always whole; a checksum tells what
 * the disk did to it later.
 *
 * A file is `FLSTATE1`, the version (8 bytes, little-endian), the state, and the SHA-256 of all that.
 */

import { createHash, randomUUID } from 'node:crypto';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { join } from 'node:path';
import { decodeState, encodeState } from './encode-state.ts';
import {
  DEFAULT_KEEP,
  ProgramStateError,
  type ProgramStateManager,
  requireKeep,
  requireVersion,
  type SavedState,
} from './program-state.ts';

export interface FileProgramStateManagerOptions {
  /** How many of the newest versions are kept. @default 5 */
  readonly keep?: number;
  /** Told when a state cannot be read and an older one is used. @default `process.emitWarning` */
  readonly onWarning?: (message: string) => void;
}

/**
 * Keeps program states in a directory, which is made if it does not exist. One process at a time
 * may save into it; any number may read.
 */
export function fileProgramStateManager(
  directory: string,
  options: FileProgramStateManagerOptions = {},
): ProgramStateManager {
  const { keep = DEFAULT_KEEP, onWarning = warn } = options;
  requireKeep(keep);
  return new FileProgramStateManager(directory, keep, onWarning);
}

class FileProgramStateManager implements ProgramStateManager {
  readonly #directory: string;
  readonly #keep: number;
  readonly #onWarning: (message: string) => void;
  /** Saves run one after the other, so that each sees what the one before left. */
  #saving: Promise<unknown> = Promise.resolve();

  constructor(directory: string, keep: number, onWarning: (message: string) => void) {
    this.#directory = directory;
    this.#keep = keep;
    this.#onWarning = onWarning;
  }

  async save(state: unknown, version: number): Promise<void> {
    requireVersion(version);
    // Now, not when its turn comes: the state may change until then.
    const pieces = encodeState(state);
    const saved = this.#saving.then(() => this.#save(pieces, version));
    this.#saving = saved.catch(() => {});
    await saved;
  }

  async load(version: number): Promise<unknown> {
    requireVersion(version);
    const path = this.#path(version);
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (cause) {
      if (!isMissing(cause)) throw cause;
      const versions = await this.versions();
      throw new ProgramStateError(
        'state.not_found',
        `There is no version ${version} in ${this.#directory}; it has ${versions.join(', ') || 'none'}.`,
        { cause },
      );
    }
    return contentOf(bytes, version, path);
  }

  async latest(): Promise<SavedState | null> {
    const versions = [...(await this.versions())].reverse();
    const unreadable: ProgramStateError[] = [];
    for (const version of versions) {
      try {
        const state = await this.load(version);
        for (const error of unreadable) {
          this.#onWarning(`${error.message} Version ${version} is used instead.`);
        }
        return { version, state };
      } catch (error) {
        if (!(error instanceof ProgramStateError)) throw error;
        // Another process may have removed it since the directory was read.
        if (error.code === 'state.corrupted') unreadable.push(error);
      }
    }
    const [newest] = unreadable;
    if (newest === undefined) return null;
    throw new ProgramStateError(
      'state.corrupted',
      `None of the versions in ${this.#directory} (${versions.join(', ')}) can be read. Restore one from a backup, or remove the directory to begin anew.`,
      { cause: newest },
    );
  }

  async versions(): Promise<readonly number[]> {
    return (await this.#files()).flatMap((file) => versionOf(file) ?? []).sort((a, b) => a - b);
  }

  async remove(version: number): Promise<void> {
    requireVersion(version);
    await rm(this.#path(version), { force: true });
  }

  async #save(pieces: readonly Uint8Array[], version: number): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    await this.#requireFree(version);
    const path = this.#path(version);
    const temporary = `${path}.${randomUUID()}${TEMPORARY}`;
    try {
      await writeDurably(temporary, [header(version), ...pieces]);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
    await syncDirectory(this.#directory);
    await this.#prune(version);
  }

  /** A version that cannot be read may be written again: a run that fell back to an older one does. */
  async #requireFree(version: number): Promise<void> {
    try {
      await this.load(version);
    } catch (error) {
      if (error instanceof ProgramStateError) return;
      throw error;
    }
    throw new ProgramStateError(
      'state.exists',
      `Version ${version} is in ${this.#directory} already. Go on from latest(), remove it, or use another directory for another run.`,
    );
  }

  /** Removes the oldest versions but never the one just saved, and what killed runs left behind. */
  async #prune(saved: number): Promise<void> {
    const others = (await this.versions()).filter((version) => version !== saved);
    const surplus = others.slice(0, Math.max(0, others.length + 1 - this.#keep));
    const abandoned = await this.#abandoned();
    await Promise.all([
      ...surplus.map((version) => this.remove(version)),
      ...abandoned.map((path) => rm(path, { force: true })),
    ]);
  }

  async #abandoned(): Promise<readonly string[]> {
    const temporary = (await this.#files()).filter((file) => file.endsWith(TEMPORARY));
    const paths = temporary.map((file) => join(this.#directory, file));
    const ages = await Promise.all(
      // One that is gone by now was renamed or removed by who wrote it.
      paths.map((path) =>
        stat(path).then(
          ({ mtimeMs }) => Date.now() - mtimeMs,
          () => 0,
        ),
      ),
    );
    return paths.filter((_, i) => (ages[i] ?? 0) > ABANDONED_AFTER_MS);
  }

  async #files(): Promise<readonly string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  #path(version: number): string {
    return join(this.#directory, `state-${String(version).padStart(8, '0')}${SUFFIX}`);
  }
}

const SUFFIX = '.flstate';
const TEMPORARY = '.tmp';
const MAGIC = new TextEncoder().encode('FLSTATE1');
const HEADER_BYTES = MAGIC.length + 8;
const CHECKSUM_BYTES = 32;
// No state takes that long to write; a younger one may be another process at work.
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

function versionOf(file: string): number | undefined {
  const [, digits] = file.match(/^state-(\d{8,})\.flstate$/) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function header(version: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setBigUint64(MAGIC.length, BigInt(version), true);
  return bytes;
}

/** Writes the pieces and their checksum, and returns when the disk has them. */
async function writeDurably(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx');
  try {
    for (const piece of gathered(pieces)) {
      hash.update(piece);
      await writeAll(file, piece);
    }
    await writeAll(file, hash.digest());
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at);
    at += bytesWritten;
  }
}

/** The same bytes in fewer pieces: small ones together, large ones as they are. */
function* gathered(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  let small: Uint8Array[] = [];
  let size = 0;
  for (const piece of pieces) {
    small.push(piece);
    size += piece.length;
    if (size < GATHERED_BYTES) continue;
    yield small.length === 1 ? piece : Buffer.concat(small);
    small = [];
    size = 0;
  }
  yield Buffer.concat(small);
}

const GATHERED_BYTES = 2 ** 16;

/** Makes a rename last: the directory is what says so. Windows has no such call, and does without. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function contentOf(bytes: Uint8Array, version: number, path: string): unknown {
  const corrupted = (reason: string, cause?: unknown): ProgramStateError =>
    new ProgramStateError('state.corrupted', `${path} cannot be read: ${reason}.`, { cause });
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < HEADER_BYTES) throw corrupted(`it has ${bytes.length} bytes, too few for a state`);
  const sum = createHash('sha256').update(bytes.subarray(0, end)).digest();
  if (!sum.equals(bytes.subarray(end))) {
    throw corrupted('its checksum is wrong, so it is cut off or damaged');
  }
  if (!header(version).every((byte, i) => byte === bytes[i])) {
    throw corrupted(`it is no state of version ${version}, or of another release of the format`);
  }
  try {
    return decodeState(bytes.subarray(HEADER_BYTES, end));
  } catch (cause) {
    throw corrupted(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function warn(message: string): void {
  process.emitWarning(message, 'ProgramStateWarning');
}
