/**
 * @file What programs of this package say while they run: messages with fields, at levels, to whoever
 * prints them. Messages are fixed texts; what differs from one to the next is in the fields.
 */

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogFields = { readonly [field: string]: unknown };

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** An error goes into the fields, by convention as `error`. */
  error(message: string, fields?: LogFields): void;
  /** A logger that adds fields to all that it is told. */
  with(fields: LogFields): Logger;
}

/** One message, as it is printed. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Prints a message. What it throws is swallowed: a log is no reason to stop. */
export type LogSink = (record: LogRecord) => void;

export interface LoggerOptions {
  readonly sink: LogSink;
  /** The lowest level that is printed. @default 'info' */
  readonly level?: LogLevel;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** In every message. @default none */
  readonly fields?: LogFields;
}

export function createLogger({
  sink,
  level = 'info',
  now = Date.now,
  fields: own = {},
}: LoggerOptions): Logger {
  const lowest = LOG_LEVELS.indexOf(level);
  const log =
    (at: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS.indexOf(at) < lowest) return;
      try {
        sink({ time: now(), level: at, message, fields: { ...own, ...fields } });
      } catch {
        // Nothing else could be told of it.
      }
    };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    with: (more) => createLogger({ sink, level, now, fields: { ...own, ...more } }),
  };
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
};

export function isLogLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text);
}
