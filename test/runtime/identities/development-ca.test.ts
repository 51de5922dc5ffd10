/** @file A development authority: what it makes, that TLS takes it, and that nothing is lost. */

import { X509Certificate } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { Client, Server } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { certificateIdentity } from '../../../runtime/grpc/certificate-identity.node.ts';
import { tlsCredentials } from '../../../runtime/grpc/credentials.node.ts';
import {
  DevelopmentKeysError,
  makeDevelopmentKeys,
} from '../../../runtime/identities/development-ca.node.ts';
import {
  readIdentity,
  readIdentityRoster,
} from '../../../runtime/identities/identity-files.node.ts';

const posix = process.platform !== 'win32';
const DAY_MS = 24 * 60 * 60 * 1000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloom-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('each participant has a folder with what it needs', async () => {
  const { roster, holders } = await makeDevelopmentKeys(folder, { clients: ['ada', 'bob'] });
  expect(readdirSync(folder).sort()).toEqual(['ada', 'bob', 'ca', 'server']);
  expect(readdirSync(join(folder, 'ca')).sort()).toEqual(['cert.pem', 'key.pem']);
  expect(readdirSync(join(folder, 'server')).sort()).toEqual([
    'ca.pem',
    'cert.pem',
    'key.pem',
    'roster.json',
  ]);
  const clientFiles = ['ca.pem', 'cert.pem', 'identity.json', 'key.pem', 'roster.json'];
  expect(readdirSync(join(folder, 'ada')).sort()).toEqual(clientFiles);
  expect(holders.map(({ role, name, status }) => [role, name, status])).toEqual([
    ['authority', 'ca', 'made'],
    ['server', 'server', 'made'],
    ['client', 'ada', 'made'],
    ['client', 'bob', 'made'],
  ]);
  for (const holder of ['server', 'ada', 'bob']) {
    expect(await readIdentityRoster(join(folder, holder, 'roster.json'))).toEqual(roster);
    expect(read(holder, 'ca.pem')).toBe(read('ca', 'cert.pem'));
  }
  for (const [index, client] of ['ada', 'bob'].entries()) {
    const identity = await readIdentity(join(folder, client, 'identity.json'));
    expect(identity.client).toBe(client);
    expect(identity.publicKey).toEqual(roster.members[index]?.publicKey);
  }
});

test('roles have identities of their own, apart from the roster, and so has the server then', async () => {
  await makeDevelopmentKeys(folder, { clients: ['ada'] });
  const { roster, roles, holders } = await makeDevelopmentKeys(folder, {
    clients: ['bob'],
    roles: ['aggregator'],
  });
  expect(roster.members.map(({ client }) => client)).toEqual(['ada', 'bob']);
  expect(roles.members.map(({ client }) => client)).toEqual(['aggregator', 'server']);
  expect(holders.map(({ role, name }) => [role, name])).toContainEqual(['role', 'aggregator']);
  for (const holder of ['server', 'ada', 'bob', 'aggregator']) {
    expect(await readIdentityRoster(join(folder, holder, 'roster.json'))).toEqual(roster);
    expect(await readIdentityRoster(join(folder, holder, 'roles.json'))).toEqual(roles);
  }
  for (const [index, role] of ['aggregator', 'server'].entries()) {
    const identity = await readIdentity(join(folder, role, 'identity.json'));
    expect(identity.publicKey).toEqual(roles.members[index]?.publicKey);
  }
  const cert = readFileSync(join(folder, 'aggregator/cert.pem'));
  expect(certificateIdentity(cert).name).toBe('aggregator');
  // They stay, also where nobody names them.
  expect((await makeDevelopmentKeys(folder, { clients: ['cy'] })).roles).toEqual(roles);
  const anew = { clients: ['ada', 'bob', 'cy'], replace: 'everything' } as const;
  await expect(makeDevelopmentKeys(folder, anew)).rejects.toThrow(/'aggregator' is missing/);
  const other = await makeDevelopmentKeys(folder, { ...anew, roles: ['aggregator'] });
  expect(other.roles.members).toHaveLength(2);
  expect(other.roles.hash).not.toEqual(roles.hash);
});

test.each([
  [{ clients: ['aggregator'], roles: ['aggregator'] }],
  [{ clients: [], roles: ['ada'] }],
  [{ clients: [], roles: ['server'] }],
])('nobody is a client and a role: %j', async (options) => {
  await makeDevelopmentKeys(folder, { clients: ['ada'] });
  await expect(makeDevelopmentKeys(folder, options)).rejects.toThrow(DevelopmentKeysError);
});

test.skipIf(!posix)('secrets are for their owner alone', async () => {
  await makeDevelopmentKeys(folder, { clients: ['ada'] });
  for (const holder of ['ca', 'server', 'ada']) {
    expect(statSync(join(folder, holder)).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(join(folder, holder))) {
      const isSecret = file === 'key.pem' || file === 'identity.json';
      expect(statSync(join(folder, holder, file)).mode & 0o777).toBe(isSecret ? 0o600 : 0o644);
    }
  }
});

test('certificates say what they are for', async () => {
  const now = new Date('2030-05-01T12:00:00Z');
  await makeDevelopmentKeys(folder, {
    clients: ['ada', 'eve, URI:fedloom:client:ada', 'w'.repeat(200)],
    hosts: ['fedloom.example.org', '10.0.0.1', '2001:db8::1'],
    days: 7,
    now,
  });
  const ca = certificateOf('ca');
  expect(ca.ca).toBe(true);
  expect(ca.verify(ca.publicKey)).toBe(true);
  const server = certificateOf('server');
  for (const host of ['localhost', 'fedloom.example.org']) {
    expect(server.checkHost(host)).toBe(host);
  }
  for (const address of ['127.0.0.1', '::1', '10.0.0.1', '2001:db8::1']) {
    expect(server.checkIP(address)).toBeDefined();
  }
  expect(server.checkHost('example.org')).toBeUndefined();
  expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  const ada = certificateOf('ada');
  expect(ada.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(ada.subject).toBe('CN=ada');
  expect(ada.subjectAltName).toBe('URI:fedloom:client:ada');
  for (const name of ['ada', 'eve, URI:fedloom:client:ada', 'w'.repeat(200)]) {
    const pem = read(encodeURIComponent(name), 'cert.pem');
    expect(certificateIdentity(pem)).toEqual({ name, from: 'fedloom' });
  }
  const serials = new Set<string>();
  for (const holder of readdirSync(folder)) {
    const certificate = certificateOf(holder);
    expect(certificate.checkIssued(ca)).toBe(true);
    expect(certificate.verify(ca.publicKey)).toBe(true);
    // Clocks differ: they are valid a little before they were made.
    expect(new Date(certificate.validFrom).getTime()).toBe(now.getTime() - 2 * 60 * 60 * 1000);
    expect(certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    serials.add(certificate.serialNumber);
    if (holder === 'ca') continue;
    expect(certificate.ca).toBe(false);
    expect(new Date(certificate.validTo).getTime()).toBe(now.getTime() + 7 * DAY_MS);
  }
  expect(serials.size).toBe(5);
});

test('a certificate is never valid for longer than its authority', async () => {
  const now = new Date('2030-05-01T12:00:00Z');
  await makeDevelopmentKeys(folder, { clients: ['ada'], now });
  const later = new Date(now.getTime() + 3600 * DAY_MS);
  await makeDevelopmentKeys(folder, { clients: ['bob'], days: 3650, now: later });
  expect(certificateOf('bob').validTo).toBe(certificateOf('ca').validTo);
  const tooLate = new Date(now.getTime() + 3651 * DAY_MS);
  await expect(makeDevelopmentKeys(folder, { clients: ['cal'], now: tooLate })).rejects.toThrow(
    /ran out/,
  );
});

test('no name leads out of the folder, or into that of another', async () => {
  const names = ['..', '.', '.ssh', 'a/b', '../up', 'ü'.repeat(120), 'CON ', 'a%2Fb'];
  const { roster } = await makeDevelopmentKeys(join(folder, 'keys'), { clients: names });
  expect(readdirSync(folder)).toEqual(['keys']);
  expect(readdirSync(join(folder, 'keys'))).toHaveLength(names.length + 2);
  expect(roster.members.map(({ client }) => client)).toEqual(names);
  for (const clients of [
    ['ca'],
    ['Server'],
    ['ada', 'Ada'],
    ['ada', 'ada'],
    [''],
    ['\ud800'],
    ['x'.repeat(257)],
  ]) {
    const other = join(folder, 'other');
    await expect(makeDevelopmentKeys(other, { clients })).rejects.toThrow();
    expect(existsSync(other)).toBe(false);
  }
});

test('options that are wrong write nothing', async () => {
  for (const options of [
    { days: 0 },
    { days: 1.5 },
    { days: 3651 },
    { hosts: ['not a host'] },
    { hosts: ['a,DNS:b'] },
    { clientHosts: [''] },
  ]) {
    const making = makeDevelopmentKeys(folder, { clients: ['ada'], ...options });
    await expect(making).rejects.toThrow(DevelopmentKeysError);
    expect(readdirSync(folder)).toEqual([]);
  }
});

describe('what is there', () => {
  test('is kept, and new clients join the roster', async () => {
    const first = await makeDevelopmentKeys(folder, { clients: ['ada', 'bob'] });
    const before = contents();
    const { roster, holders } = await makeDevelopmentKeys(folder, { clients: ['bob', 'cal'] });
    expect(roster.members.map(({ client }) => client)).toEqual(['ada', 'bob', 'cal']);
    expect(roster.members.slice(0, 2)).toEqual(first.roster.members);
    expect(holders.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'ca kept',
      'server kept',
      'bob kept',
      'cal made',
    ]);
    const after = contents();
    for (const [file, content] of before) {
      if (!file.endsWith('roster.json')) expect(after.get(file)).toBe(content);
    }
    for (const holder of ['server', 'ada', 'bob', 'cal']) {
      expect(await readIdentityRoster(join(folder, holder, 'roster.json'))).toEqual(roster);
    }
    expect(certificateOf('cal').verify(certificateOf('ca').publicKey)).toBe(true);
  });

  test('is left alone where it was handed out', async () => {
    const first = await makeDevelopmentKeys(folder, { clients: ['ada', 'bob'] });
    rmSync(join(folder, 'ada'), { recursive: true });
    const { roster, holders } = await makeDevelopmentKeys(folder, {
      clients: ['ada', 'bob', 'cal'],
    });
    expect(roster.members.slice(0, 2)).toEqual(first.roster.members);
    expect(holders.map(({ name, status }) => `${name} ${status}`)).toContain('ada elsewhere');
    expect(existsSync(join(folder, 'ada'))).toBe(false);
  });

  test('has certificates renewed, and identities kept', async () => {
    await makeDevelopmentKeys(folder, { clients: ['ada', 'bob'] });
    const before = contents();
    const { holders } = await makeDevelopmentKeys(folder, {
      clients: ['ada'],
      replace: 'certificates',
    });
    expect(holders.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'ca kept',
      'server renewed',
      'ada renewed',
    ]);
    const changed = [...contents()].filter(([file, content]) => before.get(file) !== content);
    expect(changed.map(([file]) => file).sort()).toEqual([
      'ada/cert.pem',
      'ada/key.pem',
      'server/cert.pem',
      'server/key.pem',
    ]);
  });

  test('is all made anew if that is meant, and nobody is left behind', async () => {
    const first = await makeDevelopmentKeys(folder, { clients: ['ada', 'bob'] });
    const before = contents();
    const some = makeDevelopmentKeys(folder, { clients: ['ada'], replace: 'everything' });
    await expect(some).rejects.toThrow(/'bob' is missing/);
    expect(contents()).toEqual(before);
    const { roster } = await makeDevelopmentKeys(folder, {
      clients: ['bob', 'ada', 'cal'],
      replace: 'everything',
    });
    expect(roster.members.map(({ client }) => client)).toEqual(['bob', 'ada', 'cal']);
    expect(roster.hash).not.toEqual(first.roster.hash);
    for (const [file, content] of contents()) expect(content).not.toBe(before.get(file));
  });

  test('is not written over where it is not what it should be', async () => {
    await makeDevelopmentKeys(folder, { clients: ['ada', 'bob'] });
    const key = read('bob', 'key.pem');
    for (const [holder, content] of [
      ['ada', key],
      ['server', 'no key'],
      ['ca', key],
    ] as const) {
      const path = join(folder, holder, 'key.pem');
      const good = readFileSync(path);
      writeFileSync(path, content);
      for (const replace of ['nothing', 'certificates'] as const) {
        const making = makeDevelopmentKeys(folder, { clients: ['ada'], replace });
        await expect(making).rejects.toThrow(/are not a certificate and its key/);
        expect(readFileSync(path, 'utf8')).toBe(content);
        if (holder === 'server') writeFileSync(join(folder, 'ada', 'x'), '');
      }
      writeFileSync(path, good);
    }
    rmSync(join(folder, 'ada', 'cert.pem'));
    await expect(makeDevelopmentKeys(folder, { clients: ['ada'] })).rejects.toThrow(/Remove what/);
  });

  test.skipIf(!posix)('is refused if others can read an identity', async () => {
    await makeDevelopmentKeys(folder, { clients: ['ada'] });
    rmSync(join(folder, 'server', 'roster.json'));
    chmodSync(join(folder, 'ada', 'identity.json'), 0o644);
    await expect(makeDevelopmentKeys(folder, { clients: ['ada'] })).rejects.toMatchObject({
      code: 'malformed-identity',
    });
  });
});

describe('over TLS', () => {
  test('the server takes clients of its authority, and knows who they are', async () => {
    await makeDevelopmentKeys(folder, { clients: ['ada'] });
    for (const host of ['localhost', '127.0.0.1']) {
      expect(await handshake('server', 'ada', host)).toBe('ada');
    }
  });

  test('the server refuses a client of another authority, and the client such a server', async () => {
    await makeDevelopmentKeys(folder, { clients: ['ada'] });
    await makeDevelopmentKeys(join(folder, 'others'), { clients: ['ada'] });
    await expect(handshake('server', 'others/ada', 'localhost', 'server')).rejects.toThrow();
    await expect(handshake('others/server', 'ada', 'localhost')).rejects.toThrow(
      /unable to verify|self.signed/,
    );
  });

  test('a client cannot pass for the server', async () => {
    await makeDevelopmentKeys(folder, { clients: ['ada', 'bob'] });
    await expect(handshake('bob', 'ada', 'localhost')).rejects.toThrow(/certificate purpose/);
  });

  test('the server cannot be called by a name that it does not have', async () => {
    await makeDevelopmentKeys(folder, { clients: ['ada'] });
    await expect(handshake('server', 'ada', '127.0.0.2')).rejects.toThrow(/127\.0\.0\.2/);
  });

  test('a client that listens is called by the server', async () => {
    await makeDevelopmentKeys(folder, { clients: ['worker'], clientHosts: ['localhost'] });
    expect(await handshake('worker', 'server', 'localhost')).toBe('server');
  });

  test('certificates that ran out, or are of tomorrow, are refused', async () => {
    for (const days of [-100, 1]) {
      const now = new Date(Date.now() + days * DAY_MS);
      const path = join(folder, String(days));
      await makeDevelopmentKeys(path, { clients: ['ada'], now });
      await expect(handshake(`${days}/server`, `${days}/ada`, 'localhost')).rejects.toThrow(
        /expired|not yet valid/,
      );
    }
  });

  test('gRPC connects with the files', async () => {
    await makeDevelopmentKeys(folder, { clients: ['ada'] });
    const credentialsOf = (holder: string) => {
      const file = (name: string): string => join(folder, holder, name);
      return tlsCredentials({ ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') });
    };
    const [server, ada] = [await credentialsOf('server'), await credentialsOf('ada')];
    expect(ada.identity?.name).toBe('ada');
    const grpcServer = new Server();
    let client: Client | undefined;
    try {
      const port = await new Promise<number>((resolve, reject) => {
        grpcServer.bindAsync('127.0.0.1:0', server.toServer(), (error, bound) =>
          error === null ? resolve(bound) : reject(error),
        );
      });
      client = new Client(`127.0.0.1:${port}`, ada.toChannel());
      const channel = client;
      await new Promise<void>((resolve, reject) => {
        channel.waitForReady(Date.now() + 10_000, (error) =>
          error === undefined ? resolve() : reject(error),
        );
      });
    } finally {
      client?.close();
      grpcServer.forceShutdown();
    }
  });
});

/** Lets a client call a server with the files of their folders; whom the server takes the client for. */
async function handshake(
  serverFolder: string,
  clientFolder: string,
  host: string,
  trusted = clientFolder,
): Promise<string | null> {
  const files = (holder: string) => ({
    ca: read(trusted === clientFolder ? holder : trusted, 'ca.pem'),
    cert: read(holder, 'cert.pem'),
    key: read(holder, 'key.pem'),
  });
  const server = createServer({
    ...files(serverFolder),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    const { raw } = socket.getPeerCertificate();
    socket.end(JSON.stringify(certificateIdentity(raw).name));
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as AddressInfo;
  let client: TLSSocket | undefined;
  try {
    return await new Promise<string | null>((resolve, reject) => {
      const isAddress = /^[\d.]+$/.test(host);
      const socket = connectPlain(port, '127.0.0.1');
      client = connect({
        ...files(clientFolder),
        socket,
        host,
        ...(isAddress ? {} : { servername: host }),
      });
      let answer = '';
      client.on('data', (chunk) => {
        answer += String(chunk);
      });
      client.on('error', reject);
      client.on('end', () =>
        answer === '' ? reject(new Error('refused')) : resolve(JSON.parse(answer)),
      );
    });
  } finally {
    client?.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

function read(holder: string, file: string): string {
  return readFileSync(join(folder, holder, file), 'utf8');
}

function certificateOf(holder: string): X509Certificate {
  return new X509Certificate(read(holder, 'cert.pem'));
}

function contents(): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return new Map(
    files
      .filter((file) => statSync(join(folder, file)).isFile())
      .map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  );
}
