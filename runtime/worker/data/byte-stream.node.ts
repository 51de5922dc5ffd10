/** @file The bytes, the text and the lines of a file, as much of it as a limit allows. */

import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { AllDataLimits } from './data-limits.ts';
import { fileProblem } from './table.ts';

/**
 * The bytes of a file, decompressed if it begins as gzip does. The file is closed when the consumer
 * stops.
 * @throws CellProblem `file` if it is longer than `maxFileBytes`, no plain file, or damaged; the file
 *   system's errors.
 */
export async function* fileBytes(
  path: string,
  { maxFileBytes }: Pick<AllDataLimits, 'maxFileBytes'>,
): AsyncGenerator<Buffer> {
  await plainFileSize(path);
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  let stream: Readable = file;
  if (await isGzip(path)) {
    // Errors of either end come out of the last; what is told to the callback is nothing else.
    stream = pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => {});
  }
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxFileBytes) {
        throw fileProblem(`there are more than ${maxFileBytes} bytes (maxFileBytes)`);
      }
      yield chunk;
    }
  } catch (error) {
    throw isDamage(error) ? fileProblem(`the gzip data is damaged: ${error.message}`) : error;
  } finally {
    await closed(stream);
    await closed(file);
  }
}

/** The text of a file without a byte order mark, in pieces. @throws CellProblem if it is no UTF-8. */
export async function* fileText(path: string, limits: AllDataLimits): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let position = 0;
  const decode = (chunk?: Buffer): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw fileProblem(`it is no UTF-8 text (at about byte ${position})`);
    }
  };
  for await (const chunk of fileBytes(path, limits)) {
    const text = decode(chunk);
    position += chunk.length;
    if (text !== '') yield text;
  }
  const rest = decode();
  if (rest !== '') yield rest;
}

/**
 * The lines of a file that are not blank, with their numbers from 1; they end in LF or CRLF.
 * @throws CellProblem if one is longer than `maxRowBytes`.
 */
export async function* fileLines(
  path: string,
  limits: AllDataLimits,
): AsyncGenerator<readonly [number: number, line: string]> {
  let number = 1;
  let begun: string[] = [];
  let length = 0;
  const keep = (piece: string): void => {
    length += piece.length;
    // A character is one byte at least.
    if (length > limits.maxRowBytes) {
      throw fileProblem(`line ${number} is longer than ${limits.maxRowBytes} bytes (maxRowBytes)`);
    }
    begun.push(piece);
  };
  const take = (): string => {
    const line = begun.join('');
    begun = [];
    length = 0;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  };
  for await (const text of fileText(path, limits)) {
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      keep(text.slice(start, end));
      const line = take();
      if (line.trim() !== '') yield [number, line];
      number++;
      start = end + 1;
    }
    keep(text.slice(start));
  }
  const last = take();
  if (last.trim() !== '') yield [number, last];
}

/** The whole text of a file. @throws CellProblem if it has more than `maxBytesInMemory` characters. */
export async function wholeText(path: string, limits: AllDataLimits): Promise<string> {
  const maxFileBytes = Math.min(limits.maxFileBytes, limits.maxBytesInMemory, LONGEST_STRING);
  const pieces: string[] = [];
  for await (const piece of fileText(path, { ...limits, maxFileBytes })) pieces.push(piece);
  return pieces.join('');
}

/** @throws CellProblem for a folder, a device or a pipe, which might never end. */
export async function plainFileSize(path: string): Promise<number> {
  const stats = await stat(path);
  if (!stats.isFile()) throw fileProblem('it is no plain file');
  return stats.size;
}

/** Ends a stream, and waits until what it held is let go. */
export async function closed(stream: Readable): Promise<void> {
  stream.destroy();
  if (!stream.closed) await new Promise<void>((resolve) => stream.once('close', () => resolve()));
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

function isDamage(error: unknown): error is Error {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return typeof error.code === 'string' && /^Z_/.test(error.code);
}

const CHUNK_BYTES = 64 * 1024;
/** Of what V8 holds in one string, somewhat less. */
const LONGEST_STRING = 2 ** 29 - 64;
