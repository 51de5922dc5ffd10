/** @file The command `fedloom role`: dials in to a coordinator, and plays a role of a protocol. */

import { parseArgs } from 'node:util';
import { PLAYED_ROLES } from '../../../executors/guard/role-leaf.ts';
import { stderrLogger } from '../../logging/stderr-logger.node.ts';
import { playedLeaf } from '../client-leaf.node.ts';
import { type Command, UsageError } from '../command.ts';
import { dialIn } from '../dial-in.node.ts';
import { readKeyFolder } from '../key-folder.node.ts';
import { requiredOption, wholeNumber } from '../options.ts';

export const roleCommand: Command = {
  name: 'role',
  summary: 'Dials in to a coordinator, as the aggregator or key holder of secure sums',
  usage: `Usage: fedloom role --connect <host:port> --keys <folder> --policy <file> [options]

Plays the role that the keys are for: the aggregator, or the key holder, of sums by 'paillier'. It belongs
to somebody who does not collude with the coordinator. What clients send it is sealed: the coordinator
carries it, and cannot read it.

  --connect <host:port>  the coordinator
  --keys <folder>        certificate, identity, roster and roles, as 'fedloom keys --role' makes them
  --policy <file>        the rules of 'paillier', and the smallest cohort, as the clients have them
  --state <folder>       remembers sessions over restarts; without it a restart forgets them
  --audit <file>         every refusal, as JSON lines
  --server-name <name>   the name in the coordinator's certificate (default: the host)
  --max-failures <n>     so many failed attempts to connect in a row are the end (default: never)

Exit codes: 0 stopped, 1 the policy is wrong, 2 wrong command line, 3 refused for good, 4 the coordinator
cannot be reached.

Example:
  npx fedloom role --connect fedloom.example.org:7443 --keys keys/aggregator --policy ./policy.json`,

  async run(args, { signal, env }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        connect: { type: 'string' },
        keys: { type: 'string' },
        policy: { type: 'string' },
        state: { type: 'string' },
        audit: { type: 'string' },
        'server-name': { type: 'string' },
        'max-failures': { type: 'string' },
      },
    });
    const connect = requiredOption('--connect', values.connect);
    const folder = requiredOption('--keys', values.keys);
    // The default policy has no protocol with roles.
    requiredOption('--policy', values.policy);
    const maxFailures = wholeNumber('--max-failures', values['max-failures'], 1, 2 ** 31);
    const { credentials, roster, roles, identity } = await readKeyFolder(folder);
    const role = PLAYED_ROLES.find((known) => known === identity?.client);
    if (identity === null || role === undefined) {
      throw new UsageError(
        `${folder} is not the folder of a role: its identity is ${identity?.client ?? 'missing'}, expected ${PLAYED_ROLES.join(' or ')}.`,
      );
    }
    const log = stderrLogger({ env }).with({ role });
    using leaf = await playedLeaf(role, { ...values, roster, roles, identity, log });
    await dialIn({
      connect,
      credentials,
      name: role,
      leaf,
      serverName: values['server-name'],
      maxFailures,
      log,
      signal,
    });
    return 0;
  },
};
