/** @file `fedloom inspect <module> [export] [--graphs] [--mermaid]`. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { AnyComputation } from '../../../computations/computation.ts';
import { isComputation } from '../../../computations/value.ts';
import { type Command, UsageError } from '../command.ts';
import { inspect } from '../inspect.ts';
import { toMermaid } from '../mermaid.ts';
import { paintFor } from '../paint.ts';

export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'Shows the computations of a module, and what leaves the clients',
  usage: `Usage: fedloom inspect <module> [export] [--graphs] [--mermaid]

Shows the computations that a module exports: type, building blocks, kernel graphs with their
sizes, the compiled form, and what leaves the clients.

  export     the name of one of them; all if it is left out
  --graphs   every node of the kernel graphs, too
  --mermaid  a Mermaid flowchart of the compiled form, for documents

A module in TypeScript needs a loader: NODE_OPTIONS='--import tsx' npx fedloom inspect module.ts`,

  async run(args, surroundings) {
    const { values, positionals } = parse(args);
    const [module, name, ...others] = positionals;
    if (module === undefined || others.length > 0) {
      throw new UsageError('inspect takes a module, and the name of one of its exports.');
    }
    const found = selected(await load(module), module, name);
    const paint = paintFor(surroundings);
    const print = (computation: AnyComputation): string =>
      values.mermaid === true
        ? toMermaid(computation)
        : inspect(computation, { paint, graphs: values.graphs === true });
    surroundings.out(found.map(print).join(values.mermaid === true ? '\n\n' : '\n\n\n'));
    return 0;
  },
};

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { graphs: { type: 'boolean' }, mermaid: { type: 'boolean' } },
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
