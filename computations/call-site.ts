/**
 * @file Where in the user's code a function of this package was called: the innermost frame of the
 * stack that is not the package's own. It reads the printed stack, so that source maps which the
 * host applies (tsx, vitest, `node --enable-source-maps`) are honoured.
 */

import { locateErrorsWith, type SourceLocation } from './types/error-location.ts';

export type { SourceLocation } from './types/error-location.ts';

/**
 * The place in the user's code that led here, or `null` if it cannot be told: the package is
 * bundled into one file with the user's code, or the host gives no readable stack.
 *
 * @param stack a stack printed elsewhere, whose innermost frame is in this file; for tests.
 */
export function callSite(stack: string = printedStack()): SourceLocation | null {
  const frames = stack.split('\n').flatMap((line) => readFrame(line) ?? []);
  const [own, ...callers] = frames;
  const root = own?.file.match(OWN_FILE)?.[1];
  if (root === undefined) return null;
  const found = callers.find(({ file }) => !isOfPackage(file, root) && !HOST.test(file));
  return found === undefined ? null : { ...found, file: displayPath(found.file) };
}

/** `train.ts:12:7`, the form that editors and terminals open on a click. */
export function printLocation({ file, line, column }: SourceLocation): string {
  return `${file}:${line}:${column}`;
}

const OWN_FILE = /^(.*[/\\])computations[/\\]call-site\.[cm]?[jt]s$/;

// The package's tests and examples are users of it.
const ROOMS = /^(computations|intrinsics|protocols|executors|runtime)[/\\]|^index\.[cm]?[jt]s$/;

// Work within a span is called by the context manager of OpenTelemetry.
const HOST = /^(node:|native$|<anonymous>$)|[/\\]node_modules[/\\]@opentelemetry[/\\]/;

// The package's own frames above a caller are about twenty at most; the rest is room for wrappers.
const MAX_FRAMES = 40;

function printedStack(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = MAX_FRAMES;
  try {
    return new Error().stack ?? '';
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** Of V8, with and without the name of a function, and of Firefox and Safari. */
const FRAMES = [
  /^\s*at [^(]*\((.+):(\d+):(\d+)\)$/,
  /^\s*at (?:async )?(.+[^)]):(\d+):(\d+)$/,
  /^[^@]*@(.+):(\d+):(\d+)$/,
];

function readFrame(line: string): SourceLocation | null {
  for (const form of FRAMES) {
    const [, file, row, column] = line.match(form) ?? [];
    if (file !== undefined)
      return { file: pathOf(file), line: Number(row), column: Number(column) };
  }
  return null;
}

function pathOf(file: string): string {
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(file)) return file;
  const { protocol, pathname } = new URL(file);
  const path = safeDecode(pathname);
  // file:///C:/work is C:/work.
  return protocol === 'file:' && /^\/[A-Za-z]:\//.test(path) ? path.slice(1) : path;
}

function safeDecode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function isOfPackage(file: string, root: string): boolean {
  return file.startsWith(root) && ROOMS.test(file.slice(root.length));
}

function displayPath(file: string): string {
  const cwd = (globalThis as { process?: { cwd?: () => string } }).process?.cwd?.();
  if (cwd === undefined) return file;
  const directory = cwd.replaceAll('\\', '/').replace(/\/?$/, '/');
  const path = file.replaceAll('\\', '/');
  return path.startsWith(directory) ? path.slice(directory.length) : file;
}

locateErrorsWith(() => callSite());
