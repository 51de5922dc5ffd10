/** @file The command line as a function: finds the command, and says what went wrong. */

import { TransportError } from '../../../computations/types/index.ts';
import { escapeInvisible } from '../../logging/json-line.ts';
import { privateDetailOf } from '../../worker/data/index.ts';
import { type Command, type ExitCode, type Surroundings, UsageError } from '../command.ts';
import { clientCommand } from './client-command.node.ts';
import { coordinatorCommand } from './coordinator-command.node.ts';
import { inspectCommand } from './inspect-command.node.ts';
import { keysCommand } from './keys-command.node.ts';
import { roleCommand } from './role-command.node.ts';
import { upCommand } from './up-command.node.ts';
import { workerCommand } from './worker-command.node.ts';

const COMMANDS: readonly Command[] = [
  inspectCommand,
  upCommand,
  coordinatorCommand,
  clientCommand,
  roleCommand,
  workerCommand,
  keysCommand,
];

/**
 * Runs a command.
 * @param args what follows the name of the program.
 */
export async function runCommand(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { out, error } = surroundings;
  const [name, ...rest] = args;
  const command = COMMANDS.find((known) => known.name === name);
  if (command === undefined) {
    if (name === undefined || isHelp(name)) {
      (name === undefined ? error : out)(overview());
      return name === undefined ? 2 : 0;
    }
    error(`There is no command '${name}'.\n\n${overview()}`);
    return 2;
  }
  if (rest.some(isHelp)) {
    out(command.usage);
    return 0;
  }
  try {
    return await command.run(rest, surroundings);
  } catch (reason) {
    if (isUsage(reason)) {
      error(`${message(reason)}\n\n${command.usage}`);
      return 2;
    }
    error(printable(message(reason)));
    return exitCodeOf(reason);
  }
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: fedloom <command> [options]\n\n${lines.join('\n')}\n\nfedloom <command> --help says more.`;
}

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h';
}

function isUsage(reason: unknown): boolean {
  if (reason instanceof UsageError) return true;
  // What node:util's parseArgs throws.
  return (
    reason instanceof Error && 'code' in reason && String(reason.code).startsWith('ERR_PARSE_ARGS_')
  );
}

function exitCodeOf(reason: unknown): ExitCode {
  if (!(reason instanceof TransportError)) return 1;
  switch (reason.code) {
    case 'transport.unauthenticated':
    case 'transport.permission_denied':
    case 'transport.unimplemented':
      return 3;
    default:
      return 4;
  }
}

/** A peer may have written it, and is not to move the cursor of this terminal. */
function printable(text: string): string {
  return text.split('\n').map(escapeInvisible).join('\n');
}

/** What went wrong, in full: this is the machine of whoever's data it is. */
function message(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const detail = privateDetailOf(error);
  if (detail !== undefined) return `${error.message}\n${detail}`;
  const isTypeScript = 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION';
  return isTypeScript
    ? `${error.message}\nA module in TypeScript needs a loader: NODE_OPTIONS='--import tsx' npx fedloom …`
    : error.message;
}
