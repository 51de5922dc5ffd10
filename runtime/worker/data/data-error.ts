/**
 * @file Failures of data, told twice. The error goes to whoever asked, which may be a server in another
 * process, so its message names the data by the name that was asked for and says what kind of thing is
 * wrong; what stands in the file, where, and what the file is called is the detail, for this machine's
 * own log.
 *
 * The detail is no field of the error and not its `cause`: both travel with errors to other processes
 * (executors/remote/status.ts). That something failed at all is told; a computation that fails for
 * some data and not for other says that much about it, as any result does.
 */

import { ValueError, type ValueErrorCode } from '../../../computations/types/index.ts';

/**
 * @param message for everyone: nothing of the content, no path, no row number.
 * @param detail for this machine's log: file, line, column, what was found, what was expected.
 */
export function dataError(code: ValueErrorCode, message: string, detail: string): ValueError {
  const error = new ValueError(code, message);
  details.set(error, detail);
  return error;
}

/** What only this machine may know of an error, or of one that caused it. */
export function privateDetailOf(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    const detail = details.get(current);
    if (detail !== undefined) return detail;
    current = current.cause;
  }
  return undefined;
}

const details = new WeakMap<Error, string>();

const MAX_CAUSES = 16;
