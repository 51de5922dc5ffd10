/**
 * @file Everything that a group needs to know and trust each other while they develop: an authority, a
 * certificate for the server and each client, and for each client an identity in a common roster. A
 * folder a participant, to be handed out as it is:
 *
 * - `ca/` the authority: `cert.pem`, `key.pem`; stays where it was made
 * - `server/` `cert.pem`, `key.pem`, `ca.pem`, `roster.json`
 * - `<client>/` `cert.pem`, `key.pem`, `ca.pem`, `identity.json`, `roster.json`
 *
 * With roles, such as an aggregator, there is a folder like that of a client for each; everybody has a
 * `roles.json` beside the roster, and the server an `identity.json`: it may hold a key, too.
 *
 * Who makes these has every secret of everybody. In earnest clients make their own keys, and an authority
 * signs requests.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  createIdentityRoster,
  encodeRosterJson,
  generateIdentities,
  type IdentityRoster,
  type RosterMember,
  utf8,
} from '../../protocols/index.ts';
import {
  type CertificatePair,
  createAuthority,
  type DevelopmentAuthority,
  openAuthority,
  requireHost,
} from './development-certificates.node.ts';
import { fileNameOf, makeFolder, replaceFile, SECRET_FILE_MODE } from './durable-files.node.ts';
import { readIdentity, readIdentityRoster, writeIdentity } from './identity-files.node.ts';

export interface DevelopmentKeysOptions {
  /** Names of clients: 1 to 256 bytes of UTF-8. Those that are there already are kept. */
  readonly clients: readonly string[];
  /** Who is no client but plays a role: `aggregator`, `key_holder`. Those that are there are kept. @default none */
  readonly roles?: readonly string[];
  /** Names and addresses of the server, beside localhost, 127.0.0.1 and ::1. @default none */
  readonly hosts?: readonly string[];
  /** Where clients are reached that serve themselves, as workers do. @default none: they only call */
  readonly clientHosts?: readonly string[];
  /** How long certificates are valid, 1 to 3650; never longer than the authority, ten years. @default 90 */
  readonly days?: number;
  /**
   * What is made anew although it is there. `certificates` are those of the server and of the clients
   * that are named; keys of identities and the authority stay. `everything` starts over, and needs all
   * clients to be named that were there before.
   * @default 'nothing'
   */
  readonly replace?: 'nothing' | 'certificates' | 'everything';
  /** @default that of the clock */
  readonly now?: Date;
}

export interface DevelopmentKeys {
  readonly roster: IdentityRoster;
  /** The roles and the server; nobody where there are no roles. */
  readonly roles: IdentityRoster;
  /** The authority, the server, and the clients and roles that were named. */
  readonly holders: readonly KeyHolder[];
}

export interface KeyHolder {
  readonly role: 'authority' | 'server' | 'client' | 'role';
  readonly name: string;
  readonly folder: string;
  /** `elsewhere`: a client of the roster whose folder is not here any more, and stays as it is. */
  readonly status: 'made' | 'renewed' | 'kept' | 'elsewhere';
  /** When its certificate runs out; `null` if that is not here. */
  readonly validUntil: Date | null;
}

/** The keys cannot be made as they were asked for. */
export class DevelopmentKeysError extends Error {
  override readonly name = 'DevelopmentKeysError';
}

/**
 * Makes what is not there yet. The roster is extended by new clients, in every folder that is here;
 * folders that were handed out need the new one.
 * @throws DevelopmentKeysError for options that are wrong, before anything is written, and for files that
 *   are not what they should be; ProtocolError for a name that is none; the file system's errors.
 */
export async function makeDevelopmentKeys(
  folder: string,
  options: DevelopmentKeysOptions,
): Promise<DevelopmentKeys> {
  const { clients, roles = [], replace = 'nothing' } = options;
  const keys = new KeyFolder(folder);
  checkOptions(options);
  const isNew = replace === 'everything';
  const before = isNew ? [] : await keys.members(ROSTER);
  const rolesBefore = isNew ? [] : await keys.members(ROLES);
  if (isNew) await keys.requireAllNamed([...clients, ...roles, SERVER]);
  requireNames(
    keys,
    [...clients, ...roles],
    [...before, ...rolesBefore.filter(({ client }) => client !== SERVER)],
  );
  requireApart(clients, roles, before, rolesBefore);

  const authority = await makeAuthority(keys, options);
  const holders = [authority.holder];
  const certify = new Certifier(keys, authority.authority, options);
  holders.push(await certify.server());
  const add = async (
    role: 'client' | 'role',
    names: readonly string[],
    known: readonly RosterMember[],
  ): Promise<IdentityRoster> => {
    const members = [...known];
    for (const name of names) {
      const isKnown = known.some((member) => member.client === name);
      if (isKnown && !existsSync(join(keys.of(name), IDENTITY))) {
        const status = 'elsewhere';
        holders.push({ role, name, folder: keys.of(name), status, validUntil: null });
        continue;
      }
      const member = await makeIdentity(keys.of(name), name, isNew);
      if (!isKnown) members.push(member);
      holders.push(await certify.caller(role, name));
    }
    return createIdentityRoster(members);
  };
  const roster = await add('client', clients, before);
  const played = await add('role', roles, rolesBefore);
  const isServerNew = played.members.length > 0 && !played.positions.has(SERVER);
  const server = isServerNew ? [await makeIdentity(keys.of(SERVER), SERVER, isNew)] : [];
  const all = createIdentityRoster([...played.members, ...server]);
  keys.writeRosters(roster, all);
  return { roster, roles: all, holders };
}

/** Where things are. */
class KeyFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  /** The folder of the authority, the server or a client. */
  of(name: string): string {
    return join(this.path, folderName(name));
  }

  /** Those of the roster, or of the roles, that are there. */
  async members(file: string): Promise<readonly RosterMember[]> {
    const path = join(this.of(SERVER), file);
    if (!existsSync(path)) return [];
    return (await readIdentityRoster(path)).members;
  }

  /** Nobody is to be left with a certificate of an authority that is gone. */
  async requireAllNamed(names: readonly string[]): Promise<void> {
    for (const file of [ROSTER, ROLES]) {
      const missing = (await this.members(file)).find(({ client }) => !names.includes(client));
      if (missing === undefined) continue;
      throw new DevelopmentKeysError(
        `To make everything anew, name all that are in ${join(this.of(SERVER), file)}; '${missing.client}' is missing. Or use another folder.`,
      );
    }
  }

  writeRosters(roster: IdentityRoster, roles: IdentityRoster): void {
    const files: [string, Uint8Array][] = [[ROSTER, utf8(encodeRosterJson(roster))]];
    if (roles.members.length > 0) files.push([ROLES, utf8(encodeRosterJson(roles))]);
    const names = [...roster.members, ...roles.members].map(({ client }) => client);
    // What is read the next time comes last: until then everything can be done again.
    for (const name of [...names.filter((name) => name !== SERVER), SERVER]) {
      const folder = this.of(name);
      if (!existsSync(folder)) continue;
      for (const [file, json] of files) replaceFile(join(folder, file), json, PUBLIC_FILE_MODE);
    }
  }
}

/** Makes certificates, or keeps them. */
class Certifier {
  readonly #keys: KeyFolder;
  readonly #authority: DevelopmentAuthority;
  readonly #options: DevelopmentKeysOptions;

  constructor(keys: KeyFolder, authority: DevelopmentAuthority, options: DevelopmentKeysOptions) {
    this.#keys = keys;
    this.#authority = authority;
    this.#options = options;
  }

  server(): Promise<KeyHolder> {
    const hosts = [...new Set([...LOCAL_HOSTS, ...(this.#options.hosts ?? [])])];
    return this.#certify('server', SERVER, () =>
      this.#authority.certifyServer(hosts, validityOf(this.#options)),
    );
  }

  /** One that calls: a client, or who plays a role. */
  caller(role: 'client' | 'role', name: string): Promise<KeyHolder> {
    const { clientHosts = [] } = this.#options;
    return this.#certify(role, name, () =>
      this.#authority.certifyClient(name, clientHosts, validityOf(this.#options)),
    );
  }

  async #certify(
    role: 'server' | 'client' | 'role',
    name: string,
    make: () => Promise<CertificatePair>,
  ): Promise<KeyHolder> {
    const folder = this.#keys.of(name);
    const { replace = 'nothing' } = this.#options;
    const there = replace !== 'everything' && isPair(folder);
    if (there && replace === 'nothing') {
      return { role, name, folder, status: 'kept', validUntil: validUntil(folder) };
    }
    writePair(folder, await make());
    const { certificate } = this.#authority.pair;
    replaceFile(join(folder, AUTHORITY_CERTIFICATE), utf8(certificate), PUBLIC_FILE_MODE);
    const status = there ? 'renewed' : 'made';
    return { role, name, folder, status, validUntil: validUntil(folder) };
  }
}

async function makeAuthority(
  keys: KeyFolder,
  { replace, now = new Date() }: DevelopmentKeysOptions,
): Promise<{ readonly authority: DevelopmentAuthority; readonly holder: KeyHolder }> {
  const folder = keys.of(AUTHORITY);
  const holder = { role: 'authority', name: AUTHORITY, folder } as const;
  if (replace !== 'everything' && isPair(folder)) {
    const authority = await openAuthority(readPair(folder));
    if (authority.notAfter <= now) {
      throw new DevelopmentKeysError(
        `The authority in ${folder} ran out on ${authority.notAfter.toISOString()}; make everything anew.`,
      );
    }
    return { authority, holder: { ...holder, status: 'kept', validUntil: authority.notAfter } };
  }
  const authority = await createAuthority({ now, days: AUTHORITY_DAYS });
  writePair(folder, authority.pair);
  return { authority, holder: { ...holder, status: 'made', validUntil: authority.notAfter } };
}

/** The identity that is in a folder, or a new one. */
async function makeIdentity(
  folder: string,
  client: string,
  replace: boolean,
): Promise<RosterMember> {
  const path = join(folder, IDENTITY);
  if (existsSync(path) && !replace) {
    const identity = await readIdentity(path);
    identity.secretKey.erase();
    // Names that differ in case only have one folder on some file systems.
    if (identity.client !== client) {
      throw new DevelopmentKeysError(`${path} is the identity of '${identity.client}'.`);
    }
    return identity;
  }
  const { identities, roster } = generateIdentities([client]);
  makeFolder(folder);
  for (const identity of identities) {
    try {
      if (replace) rmSync(path, { force: true });
      await writeIdentity(path, identity);
    } finally {
      identity.secretKey.erase();
    }
  }
  return roster.members[0]!;
}

/**
 * Whether a certificate and its key are there.
 * @throws DevelopmentKeysError for one without the other, or two that are no pair: whoever put them there
 *   may need them.
 */
function isPair(folder: string): boolean {
  const files = [CERTIFICATE, PRIVATE_KEY].map((file) => join(folder, file));
  const [certificate, key] = files.map((file) => (existsSync(file) ? readFileSync(file) : null));
  if (!certificate && !key) return false;
  try {
    if (
      certificate &&
      key &&
      new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
    ) {
      return true;
    }
  } catch {
    // What cannot be read is no pair either.
  }
  throw new DevelopmentKeysError(
    `${files.join(' and ')} are not a certificate and its key. Remove what is there of them to have them made.`,
  );
}

function readPair(folder: string): CertificatePair {
  return {
    certificate: readFileSync(join(folder, CERTIFICATE), 'utf8'),
    privateKey: readFileSync(join(folder, PRIVATE_KEY), 'utf8'),
  };
}

function writePair(folder: string, { certificate, privateKey }: CertificatePair): void {
  makeFolder(folder);
  replaceFile(join(folder, PRIVATE_KEY), utf8(privateKey), SECRET_FILE_MODE);
  replaceFile(join(folder, CERTIFICATE), utf8(certificate), PUBLIC_FILE_MODE);
}

function validUntil(folder: string): Date {
  return new Date(new X509Certificate(readFileSync(join(folder, CERTIFICATE))).validTo);
}

function validityOf({ now = new Date(), days = DEFAULT_DAYS }: DevelopmentKeysOptions) {
  return { now, days };
}

function checkOptions({
  hosts = [],
  clientHosts = [],
  days = DEFAULT_DAYS,
}: DevelopmentKeysOptions): void {
  if (!Number.isInteger(days) || days < 1 || days > AUTHORITY_DAYS) {
    throw new DevelopmentKeysError(`days must be 1 to ${AUTHORITY_DAYS}; got ${String(days)}.`);
  }
  for (const host of [...hosts, ...clientHosts]) {
    try {
      requireHost(host);
    } catch (error) {
      throw new DevelopmentKeysError(error instanceof Error ? error.message : String(error));
    }
  }
}

/** Names that are none, or there twice, are refused before anything is written. */
function requireNames(
  keys: KeyFolder,
  clients: readonly string[],
  before: readonly RosterMember[],
): void {
  const twice = clients.find((client, index) => clients.indexOf(client) !== index);
  if (twice !== undefined) throw new DevelopmentKeysError(`The client '${twice}' is named twice.`);
  const publicKey = new Uint8Array(32);
  for (const client of clients) createIdentityRoster([{ client, publicKey }]);
  const names = new Set([...before.map(({ client }) => client), ...clients]);
  const folders = new Map<string, string>([AUTHORITY, SERVER].map((own) => [own, own]));
  for (const name of names) {
    // As a file system sees it that does not tell case apart.
    const folder = keys
      .of(name)
      .slice(keys.path.length + 1)
      .toLowerCase();
    const other = folders.get(folder);
    if (other !== undefined) {
      throw new DevelopmentKeysError(
        other === name
          ? `A client cannot be called '${name}': that is the folder of the ${name === SERVER ? 'server' : 'authority'}.`
          : `The clients '${other}' and '${name}' would have one folder.`,
      );
    }
    folders.set(folder, name);
  }
}

/** A role that were a client could be on both sides of a sum. */
function requireApart(
  clients: readonly string[],
  roles: readonly string[],
  before: readonly RosterMember[],
  rolesBefore: readonly RosterMember[],
): void {
  const listed = (members: readonly RosterMember[]) => members.map(({ client }) => client);
  const both = [...listed(rolesBefore), ...roles].find((role) =>
    [...listed(before), ...clients].includes(role),
  );
  if (both === undefined) return;
  throw new DevelopmentKeysError(`'${both}' cannot be a client and a role.`);
}

/** A name as a folder, without a way out of it, and not hidden. */
function folderName(name: string): string {
  // A lone surrogate has no encoding; it is refused as a name elsewhere.
  const encoded = encodeURIComponent(name.replaceAll(/\p{Surrogate}/gu, '_')).replace(/^\./, '%2E');
  return encoded.length <= 200 ? encoded : fileNameOf(name);
}

const AUTHORITY = 'ca';
const SERVER = 'server';
const CERTIFICATE = 'cert.pem';
const PRIVATE_KEY = 'key.pem';
const AUTHORITY_CERTIFICATE = 'ca.pem';
const IDENTITY = 'identity.json';
const ROSTER = 'roster.json';
const ROLES = 'roles.json';
const PUBLIC_FILE_MODE = 0o644;
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'];
const DEFAULT_DAYS = 90;
const AUTHORITY_DAYS = 3650;
