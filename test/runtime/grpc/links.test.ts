import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExecutorLinkService } from '../../../computations/wire/gen/fedloom/v1/link_pb.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { openGrpcLink } from '../../../runtime/grpc/grpc-channel.node.ts';
import type { GrpcService, ServeGrpcOptions } from '../../../runtime/grpc/grpc-server.node.ts';
import { type Link, MAX_FRAME_BYTES } from '../../../runtime/remote/link.ts';
import { Opened } from './fixture.ts';

let opened: Opened;

beforeEach(() => {
  opened = new Opened();
});
afterEach(() => opened.close());

const MIB = 2 ** 20;
const unavailable = { code: 'transport.unavailable' };

/** What one end of a link saw. */
interface Seen {
  readonly frames: Uint8Array[];
  readonly closed: Error[];
}

function watch(link: Link, work: (frame: Uint8Array) => void | Promise<void> = () => {}): Seen {
  const seen: Seen = { frames: [], closed: [] };
  link.listen({
    frame(bytes) {
      seen.frames.push(bytes);
      return work(bytes);
    },
    closed: (reason) => void seen.closed.push(reason),
  });
  return seen;
}

interface Pair {
  readonly service: GrpcService;
  readonly client: Link;
  readonly server: Link;
}

async function pair(options: Partial<ServeGrpcOptions> = {}): Promise<Pair> {
  const accepted: Link[] = [];
  const service = await opened.serve({ ...options, links: (link) => void accepted.push(link) });
  const client = await open(service.address);
  return { service, client, server: accepted[0] as Link };
}

async function open(address: string): Promise<Link> {
  const link = await openGrpcLink(address);
  opened.closeLater(() => link.close());
  return link;
}

describe('a link', () => {
  it('carries frames both ways, in order, also those that came before anybody listened', async () => {
    const { client, server } = await pair();
    for (let i = 0; i < 10; i++) await client.send(Uint8Array.of(i));
    await server.send(Uint8Array.of(100));
    await server.send(new Uint8Array(0));
    const [atServer, atClient] = [watch(server), watch(client)];
    await vi.waitFor(() => expect(atServer.frames.length).toBe(10));
    expect(atServer.frames.map(([byte]) => byte)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await vi.waitFor(() =>
      expect(atClient.frames).toEqual([Uint8Array.of(100), new Uint8Array(0)]),
    );
    expect(atClient.frames[0]?.constructor).toBe(Uint8Array);
  });

  it('tells where the peer is, and no name without a certificate', async () => {
    const { client, server, service } = await pair();
    expect(server.peer).toEqual({
      name: null,
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    expect(client.peer).toEqual({ name: null, address: service.address });
  });

  it('echoes 64 MiB', async () => {
    const { client, server } = await pair();
    watch(server, (frame) => server.send(frame));
    let sum = 0;
    let bytes = 0;
    watch(client, (frame) => {
      bytes += frame.length;
      sum += (frame[0] ?? 0) + (frame.at(-1) ?? 0);
    });
    for (let i = 0; i < 64; i++) await client.send(new Uint8Array(MIB).fill(i));
    await vi.waitFor(() => expect(bytes).toBe(64 * MIB), { timeout: 30_000 });
    expect(sum).toBe(63 * 64);
  });

  it.each(['client', 'server'] as const)(
    'whose reader stops stops the writer at the %s, and goes on with it',
    async (writing) => {
      const { client, server } = await pair();
      const [writer, reader] = writing === 'client' ? [client, server] : [server, client];
      let goOn: () => void = () => {};
      const stopped = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const seen = watch(reader, () => stopped);
      let sent = 0;
      const sending = (async () => {
        for (; sent < 64; sent++) await writer.send(new Uint8Array(MIB));
      })();
      await untilStill(() => sent);
      // What may be on its way: windows of 4 MiB, frames read ahead, and what the kernel holds.
      expect(sent).toBeLessThan(32);
      expect(seen.frames.length).toBe(1);
      goOn();
      await sending;
      await vi.waitFor(() => expect(seen.frames.length).toBe(64), { timeout: 30_000 });
    },
  );

  it('that is closed is closed at both ends, once, after the frames that were sent', async () => {
    for (const closing of ['client', 'server'] as const) {
      const { client, server } = await pair();
      const [here, there] = closing === 'client' ? [client, server] : [server, client];
      const [atHere, atThere] = [watch(here), watch(there)];
      for (let i = 0; i < 5; i++) await here.send(new Uint8Array(MIB));
      here.close();
      here.close();
      await expect(here.send(Uint8Array.of(1))).rejects.toMatchObject(unavailable);
      await vi.waitFor(() => expect(atThere.closed.length).toBe(1));
      expect(atThere.frames.length).toBe(5);
      expect(atThere.closed[0]).toMatchObject(unavailable);
      await expect(there.send(Uint8Array.of(1))).rejects.toMatchObject(unavailable);
      there.close();
      expect([atHere.closed.length, atThere.closed.length]).toEqual([1, 1]);
    }
  });

  it('that the service ends tells why', async () => {
    const { client, server } = await pair();
    const [atServer, atClient] = [watch(server), watch(client)];
    const reason = transportError('transport.permission_denied', 'Not in the roster.');
    server.close(reason);
    await vi.waitFor(() => expect(atClient.closed[0]).toMatchObject({ code: reason.code }));
    expect(atServer.closed).toEqual([reason]);
  });

  it('is closed by a listener that throws or rejects', async () => {
    for (const fail of [
      () => {
        throw new Error('cannot');
      },
      () => Promise.reject(new Error('cannot')),
    ]) {
      const { client, server } = await pair();
      const atServer = watch(server, fail);
      const atClient = watch(client);
      await client.send(Uint8Array.of(1));
      await vi.waitFor(() => expect(atClient.closed.length).toBe(1));
      expect(atServer.closed).toMatchObject([{ message: 'cannot' }]);
    }
  });

  it('refuses frames that are too long, and ends with a peer that sends such', async () => {
    const { client, server, service } = await pair();
    await expect(client.send(new Uint8Array(MAX_FRAME_BYTES + 1))).rejects.toMatchObject({
      code: 'transport.invalid_argument',
    });
    const atServer = watch(server);
    await client.send(new Uint8Array(MAX_FRAME_BYTES));
    await vi.waitFor(() => expect(atServer.frames.length).toBe(1));

    const same = (bytes: Buffer): Buffer => bytes;
    const path = `/${ExecutorLinkService.typeName}/Open`;
    const seenByService: Seen[] = [];
    const other = await opened.serve({ links: (link) => void seenByService.push(watch(link)) });
    const rude = opened.raw(other.address).makeBidiStreamRequest(path, same, same, new Metadata());
    const ended = new Promise((resolve) => rude.on('error', resolve));
    rude.on('data', () => {});
    // OpenRequest { frame = 1 } of 2 MiB.
    rude.write(Buffer.concat([Buffer.from('0a80808001', 'hex'), Buffer.alloc(2 * MIB)]));
    expect(await ended).toMatchObject({ code: 8 });
    expect(seenByService).toMatchObject([
      { frames: [], closed: [{ code: 'transport.unavailable' }] },
    ]);
    expect(service.linkCount).toBe(1);
  });
});

describe('a service of links', () => {
  it('that dies ends its links at the clients', async () => {
    const { client, service } = await pair();
    const seen = watch(client);
    const sending = (async () => {
      for (;;) await client.send(new Uint8Array(MIB));
    })();
    sending.catch(() => {});
    await service.close(0);
    await expect(sending).rejects.toMatchObject(unavailable);
    await vi.waitFor(() => expect(seen.closed.length).toBe(1));
  });

  it('that shuts down tells its links, and ends with them', async () => {
    const { client, server, service } = await pair();
    const [atServer, atClient] = [watch(server), watch(client)];
    expect(service.linkCount).toBe(1);
    await service.close();
    expect(service.linkCount).toBe(0);
    expect(atServer.closed).toMatchObject([unavailable]);
    await vi.waitFor(() =>
      expect(atClient.closed).toMatchObject([
        { ...unavailable, message: expect.stringContaining('shutting down') },
      ]),
    );
  });

  it('has as many as it may', async () => {
    const links = (link: Link) => void watch(link);
    const service = await opened.serve({ links, limits: { maxLinks: 2 } });
    const first = await open(service.address);
    await open(service.address);
    await expect(open(service.address)).rejects.toMatchObject({
      code: 'transport.resource_exhausted',
    });
    first.close();
    await vi.waitFor(() => expect(service.linkCount).toBe(1));
    await open(service.address);
  });

  it('has 200 at once', async () => {
    const service = await opened.serve({
      links: (link) => void watch(link, (frame) => link.send(frame)),
    });
    const links = await Promise.all(Array.from({ length: 200 }, () => open(service.address)));
    const seen = links.map((link) => watch(link));
    await Promise.all(links.map((link, i) => link.send(Uint8Array.of(i))));
    await vi.waitFor(() => expect(seen.every(({ frames }) => frames.length === 1)).toBe(true));
    expect(seen.map(({ frames }) => frames[0]?.[0])).toEqual(links.map((_, i) => i));
    for (const link of links) link.close();
    await vi.waitFor(() => expect(service.linkCount).toBe(0));
  });

  it('refuses a link whose taker throws', async () => {
    const service = await opened.serve({
      links: () => {
        throw transportError('transport.permission_denied', 'You are not in the roster.');
      },
    });
    const link = await open(service.address);
    const seen = watch(link);
    await vi.waitFor(() =>
      expect(seen.closed).toMatchObject([{ code: 'transport.permission_denied' }]),
    );
  });

  it('that is not there, or not in time, is UNAVAILABLE', async () => {
    const service = await opened.serve({ links: () => {} });
    await service.close();
    await expect(openGrpcLink(service.address)).rejects.toMatchObject(unavailable);
    const silent = await silentServer();
    await expect(openGrpcLink(silent, { timeoutMs: 100 })).rejects.toMatchObject(unavailable);
    const stopping = new AbortController();
    const opening = openGrpcLink(silent, { signal: stopping.signal });
    stopping.abort(new Error('enough'));
    await expect(opening).rejects.toThrow('enough');
    await expect(openGrpcLink(silent, { signal: stopping.signal })).rejects.toThrow('enough');
  });

  it('notices a peer that is gone without a word, and so does the client', async () => {
    const limits = { keepaliveMs: 200, keepaliveTimeoutMs: 200 };
    const accepted: Link[] = [];
    const service = await opened.serve({ links: (link) => void accepted.push(link), limits });
    const cut = await cuttableProxy(service.port);
    const client = await openGrpcLink(cut.address, limits);
    const [atServer, atClient] = [watch(accepted[0] as Link), watch(client)];
    cut.cut();
    await vi.waitFor(() => expect(atServer.closed).toMatchObject([unavailable]), 10_000);
    await vi.waitFor(() => expect(atClient.closed).toMatchObject([unavailable]), 10_000);
    expect(service.linkCount).toBe(0);
  });
});

/** Waits until a number does not change any more. */
async function untilStill(count: () => number): Promise<void> {
  for (let last = -1; last !== count(); ) {
    last = count();
    await sleep(150);
  }
}

/** Takes connections and says nothing. */
async function silentServer(): Promise<string> {
  return (await listening((socket) => void socket.resume())).address;
}

/** Hands bytes on until it is cut, and from then on neither bytes nor the end of anything. */
async function cuttableProxy(port: number): Promise<{ address: string; cut(): void }> {
  const pairs: [Socket, Socket][] = [];
  const { address } = await listening((socket) => {
    const onward = connect(port, '127.0.0.1');
    onward.on('error', () => {});
    opened.closeLater(() => void onward.destroy());
    socket.pipe(onward);
    onward.pipe(socket);
    pairs.push([socket, onward]);
  });
  return {
    address,
    cut() {
      for (const [socket, onward] of pairs) {
        socket.unpipe(onward);
        onward.unpipe(socket);
        socket.resume();
        onward.resume();
      }
    },
  };
}

async function listening(serve: (socket: Socket) => void): Promise<{ readonly address: string }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.closeLater(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}
