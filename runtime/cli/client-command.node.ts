/** @file The command `fedloom client`: dials in to a coordinator, and serves what its policy allows. */

import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { ClientProcess } from '../dial-in/client-process.node.ts';
import { stderrLogger } from '../logging/stderr-logger.node.ts';
import type { ReconnectorState } from '../remote/reconnector.ts';
import { printColumns } from '../worker/data/index.ts';
import { clientLeaf } from './client-leaf.node.ts';
import { type Command, UsageError } from './command.ts';
import { readKeyFolder } from './key-folder.node.ts';
import { quantizationOf, requiredOption, wholeNumber } from './options.ts';
import { packageVersion } from './version.node.ts';

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
    const { credentials, roster, identity } = await readKeyFolder(folder);
    if (identity === null) {
      throw new UsageError(`${folder} has no identity.json: it is not the folder of a client.`);
    }
    const log = stderrLogger({ env }).with({ client: identity.client });
    using leaf = await clientLeaf({
      ...values,
      quantization: quantizationOf(values),
      roster,
      identity,
      log,
    });
    for (const { name, kind, rows, columns } of leaf.data) {
      out(`${name}  ${kind}  ${rows ?? 'unknown'} rows  ${printColumns(columns)}`);
    }
    const policy = JSON.stringify(leaf.policy);
    const client = new ClientProcess({
      connect,
      credentials,
      name: identity.client,
      capabilities: {
        operators: Object.keys(leaf.policy.protocols),
        backend: leaf.backend,
        platform: `node ${process.versions.node} ${process.platform} ${process.arch}`,
        version: packageVersion(),
      },
      policy: { text: shortened(policy), hash: createHash('sha256').update(policy).digest() },
      makeExecutor: leaf.makeExecutor,
      onState: (state) => {
        const [level, message, fields] = described(state);
        log[level](message, fields);
      },
      ...(values['server-name'] !== undefined && { serverName: values['server-name'] }),
      ...(maxFailures !== undefined && { maxFailures }),
    });
    const stop = (): void => void client.close();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      if (!signal?.aborted) await client.run();
    } finally {
      signal?.removeEventListener('abort', stop);
      await client.close();
    }
    return 0;
  },
};

/** A policy may list any number of computations; the hash is of all of it. */
function shortened(policy: string): string {
  return policy.length <= MAX_POLICY_TEXT ? policy : `${policy.slice(0, MAX_POLICY_TEXT - 1)}…`;
}

const MAX_POLICY_TEXT = 16_000;

type Described = readonly [
  'debug' | 'info' | 'warn',
  string,
  { readonly [field: string]: unknown },
];

function described(state: ReconnectorState): Described {
  switch (state.kind) {
    case 'idle':
      return ['debug', 'Idle', {}];
    case 'dialling':
      return ['debug', 'Dialling', { failures: state.failures }];
    case 'connected': {
      const { session, resumed } = state;
      return ['info', resumed ? 'Connected again' : 'Connected', { session }];
    }
    case 'waiting':
      return ['warn', 'Not connected', { retryInMs: state.waitMs, reason: state.reason.message }];
    case 'stopped':
      return ['info', 'Stopped', { reason: state.reason?.message }];
  }
}
