/** @file Structured logs. */

export { toJsonLine } from './json-line.ts';
export { type LogFormat, type LogTextOptions, logText } from './log-text.ts';
export {
  createLogger,
  isLogLevel,
  LOG_LEVELS,
  type LogFields,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  type LogRecord,
  type LogSink,
  silentLogger,
} from './logger.ts';
