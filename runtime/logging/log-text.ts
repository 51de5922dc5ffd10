/** @file Log messages as text: lines of JSON for programs, or lines that people read. */

import { escapeInvisible, toJsonLine } from './json-line.ts';
import type { LogLevel, LogRecord, LogSink } from './logger.ts';

export type LogFormat = 'json' | 'text';

export interface LogTextOptions {
  /** Takes lines, each with its line break. */
  readonly write: (line: string) => void;
  /** @default 'text' */
  readonly format?: LogFormat;
  /** Colours the text by the codes of terminals (ECMA-48). @default false */
  readonly colour?: boolean;
}

/**
 * Prints messages, such as
 * `{"time":"2030-01-01T00:00:00.000Z","level":"info","message":"client joined","client":"ada"}` or
 * `00:00:00.000 info  client joined  client=ada`.
 */
export function logText({ write, format = 'text', colour = false }: LogTextOptions): LogSink {
  if (format === 'json') return (record) => write(jsonOf(record));
  return (record) => write(textOf(record, colour));
}

/** A field cannot pass for the time, the level or the message: those come first, and stay. */
function jsonOf({ time, level, message, fields }: LogRecord): string {
  const own = { time: new Date(time).toISOString(), level, message };
  return toJsonLine({ ...own, ...fields, ...own });
}

function textOf({ time, level, message, fields }: LogRecord, colour: boolean): string {
  const paint = (code: number, text: string): string =>
    colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  const shown = Object.entries(fields)
    .map(([name, value]) => `${paint(2, `${escapeInvisible(name)}=`)}${valueText(value)}`)
    .join(' ');
  const clock = paint(2, new Date(time).toISOString().slice(11, 23));
  const label = paint(COLOURS[level], level.padEnd(5));
  return `${clock} ${label} ${escapeInvisible(message)}${shown === '' ? '' : `  ${shown}`}\n`;
}

function valueText(value: unknown): string {
  if (typeof value === 'string') {
    return /^[\w./:@+-]+$/.test(value) ? value : escapeInvisible(JSON.stringify(value));
  }
  return toJsonLine({ value }).slice('{"value":'.length, -'}\n'.length);
}

const COLOURS: { readonly [L in LogLevel]: number } = { debug: 2, info: 36, warn: 33, error: 31 };
