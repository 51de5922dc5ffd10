/** @file Peers that keep to no rule: the service ends with them, and serves the others. */

import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { createConnection } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Metadata, Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openGrpcLink } from '../../../runtime/grpc/grpc-channel.node.ts';
import type { GrpcService } from '../../../runtime/grpc/grpc-server.node.ts';
import { getExecutorRequest, Opened, oneExecutor, SERVICE, scriptedCalls } from './fixture.ts';

let opened: Opened;

beforeEach(() => {
  opened = new Opened();
});
afterEach(() => opened.close());

const OPEN = '/fedloom.v1.ExecutorLinkService/Open';
const request = getExecutorRequest(1);
const SILENT = { frame: () => {}, closed: () => {} };

async function expectLives(service: GrpcService): Promise<void> {
  const calls = opened.calls(service.address);
  await expect(calls.call('getExecutor', request, { timeoutMs: 20_000 })).resolves.toBeDefined();
}

/** Writes bytes as the body of a call, and waits for its headers with the status. */
function post(
  service: GrpcService,
  path: string,
  body: Uint8Array,
  headers: { readonly [name: string]: string } = {},
): Promise<IncomingHttpHeaders> {
  const session = connectHttp2(`http://${service.address}`);
  session.on('error', () => {});
  opened.closeLater(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  return new Promise((resolve, reject) => {
    stream.on('response', (answer) => {
      if ('grpc-status' in answer) resolve(answer);
    });
    stream.on('trailers', resolve);
    stream.on('error', reject);
    stream.resume();
    stream.write(body);
  });
}

describe('a message of 1 GiB that is announced', () => {
  it.each([`${SERVICE}/CreateValue`, OPEN])(
    'is RESOURCE_EXHAUSTED before it comes, at %s',
    async (path) => {
      const closed = vi.fn();
      const service = await opened.serve({
        host: oneExecutor(),
        links: (link) => link.listen({ frame: () => {}, closed }),
      });
      // Not compressed, 2^30 bytes, of which some are there.
      const body = Buffer.concat([Buffer.from('0040000000', 'hex'), Buffer.alloc(1_000)]);
      expect(await post(service, path, body)).toMatchObject({ 'grpc-status': '8' });
      await vi.waitFor(() => expect(closed).toHaveBeenCalledTimes(path === OPEN ? 1 : 0));
      await expectLives(service);
    },
  );

  it('is RESOURCE_EXHAUSTED where there are links only as soon as it is longer than any frame', async () => {
    const service = await opened.serve({ links: (link) => link.listen(SILENT) });
    const body = Buffer.concat([Buffer.from('0000200000', 'hex'), Buffer.alloc(1_000)]);
    expect(await post(service, OPEN, body)).toMatchObject({ 'grpc-status': '8' });
  });

  it('is RESOURCE_EXHAUSTED when it is small but grows', async () => {
    const service = await opened.serve({
      host: oneExecutor(),
      limits: { maxMessageBytes: 2 ** 20 },
    });
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20));
    const head = Buffer.alloc(5);
    head[0] = 1;
    head.writeUInt32BE(bomb.length, 1);
    const body = Buffer.concat([head, bomb]);
    const headers = { 'grpc-encoding': 'gzip' };
    expect(await post(service, `${SERVICE}/CreateValue`, body, headers)).toMatchObject({
      'grpc-status': '8',
    });
    await expectLives(service);
  });
});

describe('a peer', () => {
  it('that does not speak HTTP/2 is cut off', async () => {
    const service = await opened.serve({ host: oneExecutor() });
    const socket = createConnection(service.port, '127.0.0.1');
    const ended = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(1_000));
    await ended;
    await expectLives(service);
  });

  it('that never speaks is cut off when it does not answer', async () => {
    const limits = { keepaliveMs: 100, keepaliveTimeoutMs: 100 };
    const service = await opened.serve({ host: oneExecutor(), limits });
    const sockets = Array.from({ length: 50 }, () => createConnection(service.port, '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => {}).resume();
    await Promise.all(
      sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve))),
    );
    await expectLives(service);
  });

  it('that asks for a wrong time is told so', async () => {
    const service = await opened.serve({ host: oneExecutor() });
    const headers = { 'grpc-timeout': 'soon' };
    const answer = await post(service, `${SERVICE}/Compute`, Buffer.alloc(5), headers);
    expect(Number(answer['grpc-status'])).toBeGreaterThan(0);
    await expectLives(service);
  });

  it('that sends headers in place of an error is not believed', async () => {
    // What is in `fedloom-error-bin` comes from the service, and may be anything.
    const told = [
      'no JSON',
      '{"code":"8"}',
      '{"code":8,"message":"m","error":{"name":"ValueError","message":7}}',
      `{"code":8,"message":"m","error":{"name":"__proto__","message":"x","code":"a.b"}}`,
      '[]',
      'null',
      'x'.repeat(6_000),
    ];
    let next = 0;
    const address = await foreignService((_, respond) => {
      const metadata = new Metadata();
      metadata.set('fedloom-error-bin', Buffer.from(told[next++] as string));
      respond({ code: 8, details: 'said plainly', metadata });
    });
    const calls = opened.calls(address);
    for (const _ of told) {
      const failure = await calls
        .call('getExecutor', request, { timeoutMs: 20_000 })
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Error);
      expect(String(failure)).not.toContain('Object');
    }
  });
});

describe('a service that is not ours', () => {
  it('gets the metadata that the channel was given', async () => {
    const seen: unknown[] = [];
    const address = await foreignService(({ metadata }, respond) => {
      seen.push(metadata.get('x-token'));
      respond(null, Buffer.alloc(0));
    });
    const calls = opened.calls(address, { metadata: { 'x-token': 'abc' } });
    const response = await calls.call('getExecutor', request, { timeoutMs: 20_000 });
    expect(response.executor).toBeUndefined();
    expect(seen).toEqual([['abc']]);
  });

  it('may answer with what is no message', async () => {
    const address = await foreignService((_, respond) => respond(null, Buffer.from('0aff', 'hex')));
    const answer = opened.calls(address).call('getExecutor', request, { timeoutMs: 20_000 });
    await expect(answer).rejects.toMatchObject({ code: 'transport.internal' });
  });
});

describe('limits of a connection', () => {
  it('hold back calls beyond as many as it may have', async () => {
    const finish: (() => void)[] = [];
    const host = scriptedCalls(
      () =>
        new Promise((resolve) => {
          const answer = oneExecutor().call('getExecutor', request, { timeoutMs: 1 });
          finish.push(() => resolve(answer));
        }),
    );
    const service = await opened.serve({ host, limits: { maxConcurrentStreams: 2 } });
    const calls = opened.calls(service.address);
    await calls.ready();
    const running = Array.from({ length: 4 }, () =>
      calls.call('getExecutor', request, { timeoutMs: 20_000 }),
    );
    await vi.waitFor(() => expect(finish.length).toBe(2));
    finish[0]?.();
    await running[0];
    await vi.waitFor(() => expect(finish.length).toBe(3));
    expect(host.seen.length).toBe(3);
    finish[1]?.();
    await vi.waitFor(() => expect(finish.length).toBe(4));
    for (const each of finish) each();
    await Promise.all(running);
  });

  it('end it at an age, and a new one goes on', async () => {
    const ended: number[] = [];
    let begun = 0;
    const service = await opened.serve({
      host: () => {
        const number = ++begun;
        return { ...oneExecutor(), close: async () => void ended.push(number) };
      },
      limits: { maxConnectionAgeMs: 100, maxConnectionAgeGraceMs: 100 },
    });
    const calls = opened.calls(service.address);
    const once = () => calls.call('getExecutor', request, { timeoutMs: 20_000 });
    await once();
    await vi.waitFor(() => expect(ended).toEqual([1]), 10_000);
    await once();
    expect(begun).toBe(2);
  });

  it('are for links, too: one that opens and says nothing costs a link', async () => {
    const service = await opened.serve({ links: () => {} });
    const links = await Promise.all(
      Array.from({ length: 20 }, () => openGrpcLink(service.address)),
    );
    expect(service.linkCount).toBe(20);
    await service.close(100);
    expect(service.linkCount).toBe(0);
    for (const link of links) link.close();
  });
});

type Respond = (status: object | null, response?: Buffer) => void;

/** Serves GetExecutor as bytes, by grpc-js alone. */
async function foreignService(
  answer: (call: ServerUnaryCall<Buffer, Buffer>, respond: Respond) => void,
): Promise<string> {
  const server = new Server();
  opened.closeLater(() => server.forceShutdown());
  const same = (bytes: Buffer): Buffer => bytes;
  server.register<Buffer, Buffer>(`${SERVICE}/GetExecutor`, answer, same, same, 'unary');
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}
