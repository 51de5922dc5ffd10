/** @file What a command of the program `fedloom` is, and what it is told by its surroundings. */

/**
 * What a command ends with. 0: all went well. 1: what it was given is at fault, a module or a
 * computation. 2: the command line is wrong. 3: the other side refuses this process for good, by its
 * certificate or its name. 4: the other side cannot be reached, or is gone. 130: it was interrupted before
 * it could finish.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 130;

/** What a process of this program ended with; one that was killed did not finish. */
export function exitCodeFrom(code: number | null, killedBy: string | null): ExitCode {
  if (killedBy !== null || code === null) return 130;
  return code === 0 || code === 2 || code === 3 || code === 4 || code === 130 ? code : 1;
}

/** A terminal, as large as it is now. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
}

/** Where a command prints to, and what it is told by its surroundings. */
export interface Surroundings {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  readonly env: { readonly [name: string]: string | undefined };
  /** True if `out` is a terminal. */
  readonly isTerminal: boolean;
  /** Set if standard error is a terminal whose cursor can be moved. */
  readonly screen?: Screen;
  /** Tells the process that started this one, where it listens. */
  readonly tellParent?: (message: object) => void;
  /**
   * Aborted when the process is asked to stop. A command that serves then finishes what it does,
   * within its limit, and ends. @default never
   */
  readonly signal?: AbortSignal;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints: usage, options, examples. */
  readonly usage: string;
  /** @param args what follows the name of the command, without `--help`. */
  run(args: readonly string[], surroundings: Surroundings): Promise<ExitCode>;
}

/** The command line cannot be understood; the message says why. */
export class UsageError extends Error {}
