/** @file The command `fedloom client`: dials in to a coordinator, and serves what its policy allows. */

import { parseArgs } from 'node:util';
import { stderrLogger } from '../../logging/stderr-logger.node.ts';
import { printColumns } from '../../worker/data/index.ts';
import { clientLeaf } from '../client-leaf.node.ts';
import { type Command, UsageError } from '../command.ts';
import { dialIn } from '../dial-in.node.ts';
import { readKeyFolder } from '../key-folder.node.ts';
import { quantizationOf, requiredOption, wholeNumber } from '../options.ts';

export const clientCommand: Command = {
  name: 'client',
  summary: 'Dials in to a coordinator, with data of its own and a policy',
  usage: `Usage: fedloom client --connect <host:port> --keys <folder> [options]

Opens a stream to the coordinator and serves it over that. Nothing connects to this machine. The data
stays here: only what the policy releases leaves, by default a value hidden in a secure sum of at least
three clients.

  --connect <host:port>  the coordinator
  --keys <folder>        certificate, identity and roster, as 'fedloom keys' makes them
  --data <name=file>     data that computations may name; may be repeated. Files: CSV, JSON, JSON lines,
                         Parquet, IDX, by their ending or as name=csv:file
  --policy <file>        what is allowed, as JSON (default: secure sums of at least three clients)
  --clipping-range <c>   floats in sums are clipped to -c … c (default: 8); as the coordinator has it
  --max-weight <w>       the largest weight of a mean (default: 1000); as the coordinator has it
  --state <folder>       remembers sessions over restarts; without it a restart forgets them
  --audit <file>         every release and refusal, as JSON lines
  --server-name <name>   the name in the coordinator's certificate (default: the host)
  --max-failures <n>     so many failed attempts to connect in a row are the end (default: never)

Exit codes: 0 stopped, 1 data or policy is wrong, 2 wrong command line, 3 refused for good, 4 the coordinator
cannot be reached.

Example:
  npx fedloom client --connect fedloom.example.org:7443 --keys keys/hospital-a \\
    --data readings=./readings.csv --policy ./policy.json --state ./state --audit ./audit.jsonl`,

  async run(args, { signal, env, out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        connect: { type: 'string' },
        keys: { type: 'string' },
        data: { type: 'string', multiple: true, default: [] },
        policy: { type: 'string' },
        'clipping-range': { type: 'string' },
        'max-weight': { type: 'string' },
        state: { type: 'string' },
        audit: { type: 'string' },
        'server-name': { type: 'string' },
        'max-failures': { type: 'string' },
      },
    });
    const connect = requiredOption('--connect', values.connect);
    const folder = requiredOption('--keys', values.keys);
    const maxFailures = wholeNumber('--max-failures', values['max-failures'], 1, 2 ** 31);
    const { credentials, roster, roles, identity } = await readKeyFolder(folder);
    if (identity === null || roles.positions.has(identity.client)) {
      throw new UsageError(`${folder} has no identity of a client: it is not the folder of one.`);
    }
    const log = stderrLogger({ env }).with({ client: identity.client });
    using leaf = await clientLeaf({
      ...values,
      quantization: quantizationOf(values),
      roster,
      roles,
      identity,
      log,
    });
    for (const { name, kind, rows, columns } of leaf.data) {
      out(`${name}  ${kind}  ${rows ?? 'unknown'} rows  ${printColumns(columns)}`);
    }
    await dialIn({
      connect,
      credentials,
      name: identity.client,
      leaf,
      serverName: values['server-name'],
      maxFailures,
      log,
      signal,
    });
    return 0;
  },
};
