/** @file The command `fedloom keys`: an authority, certificates and identities for development. */

import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { PLAYED_ROLES } from '../../../executors/guard/role-leaf.ts';
import {
  type DevelopmentKeys,
  type DevelopmentKeysOptions,
  type KeyHolder,
  makeDevelopmentKeys,
} from '../../identities/development-ca.node.ts';
import { alignColumns } from '../align-columns.ts';
import { type Command, UsageError } from '../command.ts';
import { wholeNumber } from '../options.ts';

export const keysCommand: Command = {
  name: 'keys',
  summary: 'Makes certificates and identities for development',
  usage: `Usage: fedloom keys [name ...] [options]

Makes what a group needs to try things out: a certificate authority, a certificate for the server
and for each client, and identities in a roster that all share. Each participant has a folder, which
is handed out as it is. What is there already is kept; new names join the roster.

  name                 a client; any number of them
  --clients <n>        clients named client-1 to client-<n>
  --role <name>        who is no client but plays a role: aggregator, key_holder; may be repeated
  --out <folder>       where the folders are made (default: keys)
  --host <name>        a name or address of the server, beside localhost; may be repeated
  --client-host <name> where clients are reached that listen, such as workers; may be repeated
  --days <n>           how long certificates are valid, at most 3650 (default: 90)
  --renew              new certificates for the server and the clients that are named
  --overwrite          everything anew; all clients must be named
  --json               prints what was made as JSON

Examples:
  npx fedloom keys --clients 5
  npx fedloom keys hospital-a hospital-b --host fedloom.example.org --days 30
  npx fedloom keys hospital-c                 adds a client
  npx fedloom keys --role aggregator          adds an aggregator
  npx fedloom keys hospital-a --renew         renews a certificate that runs out
  npx fedloom keys worker-1 --client-host 127.0.0.1 --client-host localhost

Whoever runs this has every secret. Use it for development; docs/deployment.md says what to do instead.`,

  async run(args, { out }) {
    const { folder, json, options } = parse(args);
    const keys = await makeDevelopmentKeys(folder, options);
    out(json ? printJson(keys) : printTable(keys));
    return 0;
  },
};

interface Request {
  readonly folder: string;
  readonly json: boolean;
  readonly options: DevelopmentKeysOptions;
}

function parse(args: readonly string[]): Request {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      clients: { type: 'string' },
      role: { type: 'string', multiple: true, default: [] },
      out: { type: 'string', default: 'keys' },
      host: { type: 'string', multiple: true, default: [] },
      'client-host': { type: 'string', multiple: true, default: [] },
      days: { type: 'string' },
      renew: { type: 'boolean', default: false },
      overwrite: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.renew && values.overwrite) {
    throw new UsageError('--renew keeps what --overwrite replaces; give one of them.');
  }
  const count = wholeNumber('--clients', values.clients, 1, MAX_CLIENTS) ?? 0;
  const clients = [...positionals, ...Array.from({ length: count }, (_, i) => `client-${i + 1}`)];
  const { role: roles } = values;
  const odd = roles.find((role) => !PLAYED_ROLES.some((known) => known === role));
  if (odd !== undefined) {
    throw new UsageError(`--role takes ${PLAYED_ROLES.join(' or ')}; got ${JSON.stringify(odd)}.`);
  }
  if (clients.length + roles.length === 0)
    throw new UsageError('Name at least one client, or give --clients.');
  const days = wholeNumber('--days', values.days, 1, MAX_DAYS);
  return {
    folder: values.out,
    json: values.json,
    options: {
      clients,
      roles,
      hosts: values.host,
      clientHosts: values['client-host'],
      ...(days !== undefined && { days }),
      replace: values.overwrite ? 'everything' : values.renew ? 'certificates' : 'nothing',
    },
  };
}

function printTable({ holders, roster }: DevelopmentKeys): string {
  const rows = holders.map(({ role, name, folder: path, status, validUntil }) => [
    role === 'client' || role === 'role' ? printable(name) : role,
    status,
    validUntil === null ? '' : `until ${validUntil.toISOString().slice(0, 10)}`,
    status === 'elsewhere' ? '' : shortPath(path),
  ]);
  const authority = holders.find(({ role }) => role === 'authority');
  const count = roster.members.length;
  const lines = [
    ...alignColumns([['who', 'keys', 'valid', 'folder'], ...rows]),
    '',
    `The roster has ${count} ${count === 1 ? 'client' : 'clients'}. Hand each folder to whom it belongs, and keep ${shortPath(authority?.folder ?? '')} to yourself.`,
  ];
  const hasOthers = holders.some(({ role, status }) => role === 'server' && status !== 'made');
  const isExtended = (kind: KeyHolder['role']): boolean =>
    hasOthers && holders.some(({ role, status }) => role === kind && status === 'made');
  if (isExtended('client')) {
    lines.push('The roster is new: those who have their folder already need its roster.json.');
  }
  if (isExtended('role')) {
    lines.push('The roles are new: those who have their folder already need its roles.json.');
  }
  return lines.join('\n');
}

function printJson({ holders, roster }: DevelopmentKeys): string {
  return JSON.stringify({ holders, clients: roster.members.map(({ client }) => client) }, null, 2);
}

function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
}

/** A name may have anything in it, also what moves the cursor of a terminal. */
function printable(name: string): string {
  return /\p{C}/u.test(name) ? JSON.stringify(name).replaceAll(/\p{C}/gu, '?') : name;
}

const MAX_CLIENTS = 10_000;
const MAX_DAYS = 3650;
