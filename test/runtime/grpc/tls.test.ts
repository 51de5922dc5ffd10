import { createConnection } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type GrpcCredentials, tlsCredentials } from '../../../runtime/grpc/credentials.node.ts';
import { openGrpcLink } from '../../../runtime/grpc/grpc-channel.node.ts';
import type { GrpcService, ServeGrpcOptions } from '../../../runtime/grpc/grpc-server.node.ts';
import type { Link, PeerIdentity } from '../../../runtime/remote/link.ts';
import { type TestAuthority, testAuthority } from './certificates.ts';
import { getExecutorRequest, Opened, oneExecutor } from './fixture.ts';

let authority: TestAuthority;
let other: TestAuthority;
let opened: Opened;

beforeAll(async () => {
  [authority, other] = await Promise.all([testAuthority(), testAuthority('Another CA')]);
});
beforeEach(() => {
  opened = new Opened();
});
afterEach(() => opened.close());

const LIMIT = { timeoutMs: 20_000 };
const request = getExecutorRequest(1);
const unavailable = { code: 'transport.unavailable' };
/** Certificates that are not valid are loaded at this many hours from now. */
const at = (hours: number) => ({ now: new Date(Date.now() + hours * 3_600_000) });

async function clientOf(name: string): Promise<GrpcCredentials> {
  const pair = await authority.issue({ uris: [`fedloom:client:${name}`] });
  return tlsCredentials({ ca: authority.ca, ...pair });
}

async function serveTls(options: Partial<ServeGrpcOptions> = {}): Promise<GrpcService> {
  const pair = await authority.issue({ commonName: 'coordinator' });
  const credentials = await tlsCredentials({ ca: authority.ca, ...pair });
  return opened.serve({ host: oneExecutor(), ...options, credentials });
}

describe('mutual TLS', () => {
  it('proves both ends to each other, for calls and links', async () => {
    const peers: PeerIdentity[] = [];
    const links: Link[] = [];
    const { address } = await serveTls({
      host: (peer) => {
        peers.push(peer);
        return { ...oneExecutor(), close: async () => {} };
      },
      links: (link) => void links.push(link),
    });
    const credentials = await clientOf('ada');
    const calls = opened.calls(address, { credentials });
    await expect(calls.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
    expect(peers.map(({ name }) => name)).toEqual(['ada']);
    const link = await openGrpcLink(address, { credentials });
    expect(links.map(({ peer }) => peer.name)).toEqual(['ada']);
    expect(link.peer.name).toBe('coordinator');
    link.close();
  });

  const refused: [string, () => Promise<GrpcCredentials>][] = [
    ['none', () => tlsCredentials({ ca: authority.ca })],
    [
      'one that ran out an hour ago',
      async () =>
        tlsCredentials(
          { ca: authority.ca, ...(await authority.issue({ from: -3, to: -1 })) },
          at(-2),
        ),
    ],
    [
      'one that is valid in an hour only, as with a clock that is wrong',
      async () =>
        tlsCredentials({ ca: authority.ca, ...(await authority.issue({ from: 1, to: 3 })) }, at(2)),
    ],
    [
      'one of another authority',
      async () => tlsCredentials({ ca: authority.ca, ...(await other.issue()) }),
    ],
  ];

  it.each(refused)('refuses a client whose certificate is %s, and lives', async (_, load) => {
    const links = vi.fn();
    const host = oneExecutor();
    const { address } = await serveTls({ host, links });
    const credentials = await load();
    const calls = opened.calls(address, { credentials });
    await expect(calls.call('getExecutor', request, LIMIT)).rejects.toMatchObject(unavailable);
    await expect(openGrpcLink(address, { credentials })).rejects.toMatchObject(unavailable);
    expect(host.seen).toEqual([]);
    expect(links).not.toHaveBeenCalled();
    const known = opened.calls(address, { credentials: await clientOf('ada') });
    await expect(known.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
  });

  it.each([
    ['ran out', async () => authority.issue({ from: -3, to: -1 }), -2],
    ['is not valid yet', async () => authority.issue({ from: 1, to: 3 }), 2],
    ['is of another authority', async () => other.issue(), 0],
    ['is for another name', async () => authority.issue({ hosts: ['elsewhere.example'] }), 0],
  ] as const)('a client refuses a server whose certificate %s', async (_, issue, hours) => {
    const credentials = await tlsCredentials({ ca: authority.ca, ...(await issue()) }, at(hours));
    const host = oneExecutor();
    const { address } = await opened.serve({ host, credentials });
    const calls = opened.calls(address, { credentials: await clientOf('ada') });
    await expect(calls.call('getExecutor', request, LIMIT)).rejects.toMatchObject(unavailable);
    expect(host.seen).toEqual([]);
  });

  it('takes the name that the certificate is said to be for', async () => {
    const pair = await authority.issue({ hosts: ['coordinator.example'] });
    const credentials = await tlsCredentials({ ca: authority.ca, ...pair });
    const { address } = await opened.serve({ host: oneExecutor(), credentials });
    const calls = opened.calls(address, {
      credentials: await clientOf('ada'),
      serverName: 'coordinator.example',
    });
    await expect(calls.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
  });

  it('is not asked for without an authority, and names nobody then', async () => {
    const credentials = await tlsCredentials(await authority.issue());
    const peers: PeerIdentity[] = [];
    const { address } = await opened.serve({
      credentials,
      host: (peer) => {
        peers.push(peer);
        return { ...oneExecutor(), close: async () => {} };
      },
    });
    const calls = opened.calls(address, { credentials: await clientOf('ada') });
    await expect(calls.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
    expect(peers).toMatchObject([{ name: null }]);
  });

  it('speaks nothing older than TLS 1.3, and not to plain text', async () => {
    const service = await serveTls();
    const { cert, key } = await authority.issue();
    const old = connectTls({
      port: service.port,
      host: '127.0.0.1',
      ca: authority.ca,
      cert,
      key,
      maxVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
    });
    const failure = await new Promise((resolve) => old.on('error', resolve));
    expect(failure).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    const plain = opened.calls(service.address);
    await expect(plain.call('getExecutor', request, LIMIT)).rejects.toMatchObject(unavailable);
  });

  it('does not wait for ever for a peer that never speaks', async () => {
    const pair = await authority.issue();
    const credentials = await tlsCredentials(
      { ca: authority.ca, ...pair },
      { handshakeTimeoutMs: 50 },
    );
    const service = await opened.serve({ host: oneExecutor(), credentials });
    const silent = createConnection(service.port, '127.0.0.1');
    silent.resume();
    await new Promise((resolve) => silent.on('close', resolve));
    const calls = opened.calls(service.address, { credentials: await clientOf('ada') });
    await expect(calls.call('getExecutor', request, LIMIT)).resolves.toBeDefined();
  });
});
