/**
 * @file The command `fedloom up`: a coordinator, an aggregator and clients, each in a process of its own,
 * with keys and data of their own, on this machine. It shows that all works, and is where an example can
 * be run.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { PlayedRole } from '../../../executors/guard/role-leaf.ts';
import { DEFAULT_MODULUS_BITS } from '../../../protocols/index.ts';
import { makeDevelopmentKeys } from '../../identities/development-ca.node.ts';
import { readPolicyFile } from '../../worker/policy-file.node.ts';
import type { Command, ExitCode, Surroundings } from '../command.ts';
import { LocalProcesses } from '../local-processes.node.ts';
import { wholeNumber } from '../options.ts';
import { paintFor } from '../paint.ts';
import { beside, roundsFrom, roundsView } from '../progress/show-rounds.ts';

export const upCommand: Command = {
  name: 'up',
  summary: 'Starts a coordinator, an aggregator and clients here, and runs a program on them',
  usage: `Usage: fedloom up [program] [--clients <n>] [options] [-- args]

Makes keys, starts a coordinator, an aggregator and n clients, each a process of its own, the clients with
data of their own, and runs the program of the coordinator; without one, the secure mean of the clients'
readings, by 'secAgg' and by 'paillier' with the aggregator. All ends with the program.

  program                a module, as for 'fedloom coordinator'
  --clients <n>          3 to 100 (default: 5)
  --data <name=file>     data of the clients; {i} in it stands for the number of the client, from 1.
                         (default: readings={folder}/client-{i}.csv, made for the occasion)
  --policy <file>        what every client allows (default: 'secAgg', 'secAggPlus', and 'paillier' with the
                         key at the server); the roles of 'paillier' are started if it is allowed
  --clipping-range <c>   of every client (default: 100)
  --progress             shows on standard error how each round stands, as 'fedloom coordinator' does
  --folder <folder>      where keys and data are kept (default: a temporary folder, removed at the end)

Examples:
  npx fedloom up
  npx fedloom up --clients 10 --progress
  npx fedloom up ./rounds.ts --clients 3 --data readings=./data/site-{i}.csv`,

  async run(args, surroundings) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        clients: { type: 'string' },
        data: { type: 'string', multiple: true, default: [] },
        policy: { type: 'string' },
        'clipping-range': { type: 'string', default: '100' },
        folder: { type: 'string' },
        progress: { type: 'boolean', default: false },
      },
    });
    const [program = builtIn(), ...programArgs] = positionals;
    const clients = wholeNumber('--clients', values.clients, 3, 100) ?? 5;
    const { folder: kept, 'clipping-range': clippingRange } = values;
    const folder = kept === undefined ? mkdtempSync(join(tmpdir(), 'fedloom-up-')) : resolve(kept);
    try {
      return await runCluster(
        { ...values, program, programArgs, clients, folder, clippingRange },
        surroundings,
      );
    } catch (error) {
      if (surroundings.signal?.aborted) return 130;
      throw error;
    } finally {
      if (kept === undefined) rmSync(folder, { recursive: true, force: true });
    }
  },
};

interface Cluster {
  readonly program: string;
  readonly programArgs: readonly string[];
  readonly clients: number;
  readonly folder: string;
  readonly data: readonly string[];
  readonly policy?: string | undefined;
  readonly clippingRange: string;
  readonly progress: boolean;
}

async function runCluster(cluster: Cluster, given: Surroundings): Promise<ExitCode> {
  const { clients, folder, program, programArgs } = cluster;
  using view = cluster.progress ? roundsView(given) : null;
  const surroundings = view === null ? given : beside(view, given);
  const paint = paintFor(surroundings);
  const say = (text: string): void => surroundings.out(paint('dim', text));
  const names = Array.from({ length: clients }, (_, i) => `client-${i + 1}`);
  const keys = join(folder, 'keys');
  const policy = cluster.policy ?? makePolicy(folder);
  const { roles, settings } = await rolesOf(policy);
  await makeDevelopmentKeys(keys, { clients: names, roles });
  const data = cluster.data.length > 0 ? cluster.data : [makeReadings(folder, names)];

  await using processes = new LocalProcesses(surroundings);
  const announced = join(folder, 'coordinator-address');
  rmSync(announced, { force: true });
  const coordinator = processes.start(
    'coordinator',
    [
      ...['coordinator', program, '--listen', '127.0.0.1:0', '--keys', join(keys, 'server')],
      ...(view === null ? [] : ['--progress-to-parent']),
      ...['--announce', announced, '--', '--clients', String(clients)],
      ...(program === builtIn() ? settings : programArgs),
    ],
    (message) => view?.show(roundsFrom(message) ?? []),
  );
  const address = await processes.fileOf(coordinator, announced);
  const others = roles.map((role) => ROLES[role]).join(', ');
  const callers = others === '' ? '' : `${others} and `;
  say(`A coordinator listens on ${address}; ${callers}${clients} clients dial in.`);
  const state = (name: string): string[] => [
    ...['--state', join(folder, 'state', name)],
    ...['--audit', join(folder, 'audit', `${name}.jsonl`), '--max-failures', '20'],
  ];
  for (const role of roles) {
    processes.start(role, [
      ...['role', '--connect', address, '--keys', join(keys, role), '--policy', policy],
      ...state(role),
    ]);
  }
  for (const [i, name] of names.entries()) {
    const own = data.flatMap((each) => ['--data', each.replaceAll('{i}', String(i + 1))]);
    processes.start(name, [
      ...['client', '--connect', address, '--keys', join(keys, name), ...own],
      ...['--policy', policy, ...state(name), '--clipping-range', cluster.clippingRange],
    ]);
  }
  const { code, failed } = await processes.ended(coordinator);
  // All of them end then, in any order, and none is at fault.
  if (given.signal?.aborted) return 130;
  if (failed !== null) {
    surroundings.error(`${failed.name} ended with ${failed.code}:\n${failed.said}`);
    return 1;
  }
  return code;
}

/** What clients allow that are given no policy. @returns the file. */
function makePolicy(folder: string): string {
  const path = join(folder, 'policy.json');
  const paillier = { keyHolder: 'server', modulusBits: 2048 };
  const protocols = { secAgg: {}, secAggPlus: {}, paillier };
  const policy = { format: 'fedloom policy', version: 1, protocols };
  writeFileSync(path, `${JSON.stringify(policy, null, 2)}\n`);
  return path;
}

/** Who is needed beside clients under a policy, and what the built-in program is told of it. */
async function rolesOf(
  policy: string,
): Promise<{ readonly roles: readonly PlayedRole[]; readonly settings: readonly string[] }> {
  const { paillier } = (await readPolicyFile(policy)).protocols;
  if (paillier === undefined) return { roles: [], settings: [] };
  const { keyHolder = 'key_holder', modulusBits = DEFAULT_MODULUS_BITS } = paillier;
  return {
    roles: keyHolder === 'server' ? ['aggregator'] : ['aggregator', keyHolder],
    settings: ['--key-holder', keyHolder, '--modulus-bits', String(modulusBits)],
  };
}

const ROLES: { readonly [role in PlayedRole]: string } = {
  aggregator: 'an aggregator',
  key_holder: 'a key holder',
};

/** A file of readings for each client. @returns the option that names them. */
function makeReadings(folder: string, names: readonly string[]): string {
  for (const [i, name] of names.entries()) {
    const rows = Array.from({ length: 20 }, (_, row) =>
      (20 + 2 * i + 3 * Math.sin(row + i)).toFixed(2),
    );
    writeFileSync(join(folder, `${name}.csv`), `celsius\n${rows.join('\n')}\n`);
  }
  return `readings=csv:${join(folder, 'client-{i}.csv')}`;
}

/** The program that runs without another one, beside this file. */
function builtIn(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return join(import.meta.dirname, '..', `mean-program.node.${extension}`);
}
