/** @file The command line as a function: `fedloom inspect <module> [export] [--graphs] [--mermaid]`. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { AnyComputation } from '../../computations/computation.ts';
import { isComputation } from '../../computations/value.ts';
import { inspect } from './inspect.ts';
import { toMermaid } from './mermaid.ts';
import { type Mark, type Paint, plainText } from './paint.ts';

const USAGE = `Usage: fedloom inspect <module> [export] [--graphs] [--mermaid]

Shows the computations that a module exports: type, building blocks, kernel graphs with their
sizes, the compiled form, and what leaves the clients.

  export     the name of one of them; all if it is left out
  --graphs   every node of the kernel graphs, too
  --mermaid  a Mermaid flowchart of the compiled form, for documents

A module in TypeScript needs a loader: NODE_OPTIONS='--import tsx' npx fedloom inspect module.ts`;

/** Where a command prints to, and what it is told by its surroundings. */
export interface Surroundings {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  readonly env: { readonly [name: string]: string | undefined };
  /** True if `out` is a terminal. */
  readonly isTerminal: boolean;
}

/**
 * Runs a command.
 * @param args what follows the name of the program.
 * @returns the exit code: 0, 1 if the module or the computation is at fault, 2 for a wrong command line.
 */
export async function runCommand(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<0 | 1 | 2> {
  const { out, error } = surroundings;
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (reason) {
    error(`${message(reason)}\n\n${USAGE}`);
    return 2;
  }
  const { values, positionals } = parsed;
  const [command, module, name, ...others] = positionals;
  if (values.help === true) {
    out(USAGE);
    return 0;
  }
  if (command !== 'inspect' || module === undefined || others.length > 0) {
    error(USAGE);
    return 2;
  }
  try {
    const found = selected(await load(module), module, name);
    const paint = paintFor(surroundings);
    const print = (computation: AnyComputation): string =>
      values.mermaid === true
        ? toMermaid(computation)
        : inspect(computation, { paint, graphs: values.graphs === true });
    out(found.map(print).join(values.mermaid === true ? '\n\n' : '\n\n\n'));
    return 0;
  } catch (reason) {
    error(message(reason));
    return 1;
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      graphs: { type: 'boolean' },
      mermaid: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

type Exports = ReadonlyMap<string, AnyComputation>;

/** The computations that a module exports, by name. */
async function load(module: string): Promise<Exports> {
  const { href } = pathToFileURL(resolve(module));
  const exports: { readonly [name: string]: unknown } = await import(href);
  return new Map(
    Object.entries(exports).flatMap(([name, value]) =>
      isComputation(value) ? [[name, value] as const] : [],
    ),
  );
}

function selected(
  exports: Exports,
  module: string,
  name: string | undefined,
): readonly AnyComputation[] {
  const names = [...exports.keys()].join(', ');
  if (exports.size === 0) {
    throw new Error(
      `${module} exports no computation. Export what federatedComputation or tensorComputation returns.`,
    );
  }
  if (name === undefined) return [...exports.values()];
  const found = exports.get(name);
  if (found !== undefined) return [found];
  throw new Error(`${module} exports no computation '${name}'. It exports: ${names}.`);
}

/** Numbers of the escape sequences (ECMA-48, SGR) that begin and end a mark. */
const STYLES: { readonly [M in Mark]: readonly [begin: number, end: number] } = {
  heading: [1, 22],
  name: [36, 39],
  type: [34, 39],
  dim: [2, 22],
  warning: [33, 39],
  safe: [32, 39],
};

/** Colour on a terminal, or with FORCE_COLOR; never with NO_COLOR (no-color.org). */
function paintFor({ env, isTerminal }: Surroundings): Paint {
  const { NO_COLOR = '', FORCE_COLOR = '' } = env;
  const isForced = FORCE_COLOR !== '' && FORCE_COLOR !== '0';
  if (NO_COLOR !== '' || !(isForced || isTerminal)) return plainText;
  return (mark, text) => {
    const [begin, end] = STYLES[mark];
    return `\u001b[${begin}m${text}\u001b[${end}m`;
  };
}

function message(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isTypeScript = 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION';
  return isTypeScript
    ? `${error.message}\nA module in TypeScript needs a loader: NODE_OPTIONS='--import tsx' npx fedloom inspect …`
    : error.message;
}
