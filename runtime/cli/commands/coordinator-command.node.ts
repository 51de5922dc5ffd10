/** @file The command `fedloom coordinator`: listens for clients, and runs a program on them. */

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Coordinator } from '../../dial-in/coordinator.node.ts';
import type { CoordinatorProgram } from '../../dial-in/program.node.ts';
import type { Logger } from '../../logging/index.ts';
import { stderrLogger } from '../../logging/stderr-logger.node.ts';
import type { ClientEvent } from '../../remote/connected-clients.ts';
import { type Command, UsageError } from '../command.ts';
import { readKeyFolder } from '../key-folder.node.ts';
import { requiredOption } from '../options.ts';
import { showRounds } from '../progress/show-rounds.ts';

export const coordinatorCommand: Command = {
  name: 'coordinator',
  summary: 'Listens for clients that dial in, and runs a program on them',
  usage: `Usage: fedloom coordinator <program> --listen <host:port> --keys <folder> [options] [-- args]

Listens for clients of the roster, and runs the program: the default export of a module, an async
function of { coordinator, out, log, signal, args }. When it is done the coordinator closes.

  --listen <host:port>  where clients dial in; port 0 takes a free one
  --keys <folder>       certificate, authority and roster, as 'fedloom keys' makes them for the server
  --role <name>         somebody who may connect and is no client of the sum, e.g. aggregator; may be
                        repeated (default: the roles of the keys)
  --announce <file>     writes the address there once it listens
  --progress            shows on standard error how each round stands: its stage, who has answered, who is
                        missing, bytes each way; a few lines on a terminal, elsewhere a line for each stage
  --progress-to-parent  the same as messages to the process that started this one, as 'fedloom up' does it

A program in TypeScript needs a loader: NODE_OPTIONS='--import tsx' npx fedloom coordinator …

Exit codes: 0 the program is done, 1 it failed, 2 wrong command line, 4 the address cannot be listened on,
130 stopped before the program was done.

Example:
  npx fedloom coordinator ./rounds.ts --listen 0.0.0.0:7443 --keys keys/server -- --rounds 10
  npx fedloom coordinator ./rounds.ts --listen 0.0.0.0:7443 --keys keys/server --progress`,

  async run(args, given) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        listen: { type: 'string' },
        keys: { type: 'string' },
        role: { type: 'string', multiple: true },
        announce: { type: 'string' },
        progress: { type: 'boolean', default: false },
        'progress-to-parent': { type: 'boolean', default: false },
      },
    });
    const [module, ...programArgs] = positionals;
    if (module === undefined) throw new UsageError('coordinator takes the module of a program.');
    const listen = requiredOption('--listen', values.listen);
    const keys = await readKeyFolder(requiredOption('--keys', values.keys));
    const { credentials, roster, roles, identity } = keys;
    const program = await loadProgram(module);
    using shown = showRounds(given, {
      progress: values.progress,
      parent: values['progress-to-parent'],
    });
    const { onRound, logStream: stream } = shown;
    const { signal = new AbortController().signal, env, out } = shown.surroundings;
    const log = stderrLogger({ env, ...(stream && { stream }) });
    await using coordinator = await Coordinator.start({
      listen,
      credentials,
      roster,
      roleRoster: roles,
      ...(values.role !== undefined && { roles: values.role }),
      ...(identity !== null && { identity }),
      clients: { onEvent: (event) => logEvent(log, event) },
      ...(onRound && { onRound }),
    });
    log.info('Listening', { address: coordinator.address, clients: roster.members.length });
    if (values.announce !== undefined) writeFileSync(values.announce, coordinator.address);
    try {
      await program({ coordinator, out, log, signal, args: programArgs });
      return 0;
    } catch (error) {
      if (signal.aborted) return 130;
      throw error;
    }
  },
};

async function loadProgram(module: string): Promise<CoordinatorProgram> {
  const { default: program }: { readonly default?: unknown } = await import(
    pathToFileURL(resolve(module)).href
  );
  if (typeof program === 'function') return program as CoordinatorProgram;
  throw new Error(
    `${module} has no default export that is a function: see fedloom coordinator --help.`,
  );
}

function logEvent(log: Logger, event: ClientEvent): void {
  const reason = 'reason' in event ? { reason: event.reason.message } : {};
  if (event.kind === 'refused') {
    log.warn('A client was refused', { ...event.peer, ...reason });
    return;
  }
  const { name: client, session } = event.client;
  const isGood = event.kind === 'joined' || event.kind === 'resumed' || event.kind === 'left';
  log[isGood ? 'info' : 'warn'](`Client ${event.kind}`, { client, session, ...reason });
}
