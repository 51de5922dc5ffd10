/** @file The log of a program: text on a terminal, JSON for whatever else reads it. */

import { type LogFormat, logText } from './log-text.ts';
import { createLogger, isLogLevel, LOG_LEVELS, type Logger, type LogLevel } from './logger.ts';

export interface StderrLoggerOptions {
  /** @default what FEDLOOM_LOG says, else 'info' */
  readonly level?: LogLevel;
  /** @default 'text' on a terminal, else 'json' */
  readonly format?: LogFormat;
  readonly env?: { readonly [name: string]: string | undefined };
  /** Where lines go. @default standard error */
  readonly stream?: {
    readonly isTTY?: boolean;
    write(text: string): unknown;
  };
}

/**
 * A logger to standard error, since standard output belongs to results. In colour on a terminal, or with
 * FORCE_COLOR; never with NO_COLOR (no-color.org).
 * @throws RangeError for a level in FEDLOOM_LOG that is none.
 */
export function stderrLogger({
  level,
  format,
  env = process.env,
  stream = process.stderr,
}: StderrLoggerOptions = {}): Logger {
  const isTerminal = stream.isTTY === true;
  const { NO_COLOR = '', FORCE_COLOR = '' } = env;
  const isForced = FORCE_COLOR !== '' && FORCE_COLOR !== '0';
  return createLogger({
    level: level ?? levelFrom(env),
    sink: logText({
      write: (line) => stream.write(line),
      format: format ?? (isTerminal ? 'text' : 'json'),
      colour: NO_COLOR === '' && (isForced || isTerminal),
    }),
  });
}

function levelFrom({
  FEDLOOM_LOG: text = '',
}: {
  readonly [name: string]: string | undefined;
}): LogLevel {
  if (text === '') return 'info';
  if (isLogLevel(text)) return text;
  throw new RangeError(
    `FEDLOOM_LOG is one of ${LOG_LEVELS.join(', ')}; got ${JSON.stringify(text)}.`,
  );
}
