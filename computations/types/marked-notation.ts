/**
 * @file Compact notation with a part of it underlined. A long notation is cut to a window around
 * the part, so that the mark stays below what it marks in a terminal of usual width.
 */

import { compactNotation } from './compact.ts';
import { printPath, type Span, spanOf, type TypePath } from './type-path.ts';
import type { Type } from './types.ts';

/**
 * Two lines: `  given:    <int32,float32>` and the carets below the part, with a note behind them.
 * @param label stands before the notation, e.g. `given:    `.
 */
export function markedLines(label: string, type: Type, span: Span, note = ''): readonly string[] {
  const { text, start, length } = cut(compactNotation(type), span);
  const head = `  ${label}`;
  const carets = `${' '.repeat(head.length + start)}${'^'.repeat(Math.max(1, length))}`;
  return [`${head}${text}`, note === '' ? carets : `${carets} ${note}`];
}

/** The same for the part that a path leads to; the note begins with the path. */
export function markedPart(
  label: string,
  type: Type,
  path: TypePath,
  note = '',
): readonly string[] {
  const where = printPath(path);
  const text = [where, note].filter((part) => part !== '').join(': ');
  return markedLines(label, type, spanOf(type, path), text);
}

interface Window {
  readonly text: string;
  readonly start: number;
  readonly length: number;
}

function cut(text: string, { start, end }: Span): Window {
  if (text.length <= MAX_WIDTH) return { text, start, length: end - start };
  const length = Math.min(end - start, MAX_WIDTH - 2 * MIN_CONTEXT);
  // As much on the left as fits, but no more than half of what is left over.
  const spare = MAX_WIDTH - length;
  const right = Math.min(text.length - start - length, Math.floor(spare / 2));
  const from = Math.max(0, start - (spare - right));
  const to = Math.min(text.length, from + MAX_WIDTH);
  const before = from > 0 ? '…' : '';
  const after = to < text.length ? '…' : '';
  return {
    text: `${before}${text.slice(from, to)}${after}`,
    start: start - from + before.length,
    length,
  };
}

const MAX_WIDTH = 96;
const MIN_CONTEXT = 12;
