/**
 * @file Peers that do not keep to the envelope: frames that are none, numbers that cannot be, floods.
 * They may lose their session, but nothing is thrown that nobody catches, nothing hangs, and memory
 * is taken only for what has arrived.
 */

import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ComputeRequestSchema, ExecutorGroup } from '../../../computations/wire/index.ts';
import {
  decodeFrame,
  encodeControl,
  encodeData,
  encodeHead,
  MAX_PARTS,
} from '../../../runtime/remote/envelope/frames.ts';
import { MAX_FRAME_BYTES } from '../../../runtime/remote/link.ts';
import { memoryLinks } from '../../../runtime/remote/memory-link.ts';
import { bytesOf, echoClient, select } from './envelope.helpers.ts';
import {
  control,
  data,
  decodedOrNull,
  decodedOrRefused,
  frame,
  hostileClient,
  hostileCoordinator,
  hostileFrame,
  nothing,
  request,
  requestHead,
  response,
  welcome,
} from './hostile.helpers.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('the decoder of frames', () => {
  it('reads what the generated code writes, and the other way round', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1 }),
        fc.integer({ min: 0 }),
        fc.array(
          fc.record({
            call: fc.integer({ min: 1 }),
            offset: fc.integer({ min: 0 }),
            pieces: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 3 }),
          }),
          { maxLength: 5 },
        ),
        (number, acknowledged, parts) => {
          const written = encodeData(
            number,
            acknowledged,
            parts.map(({ call, offset, pieces }) => ({
              head: encodeHead(call, { case: undefined }),
              offset,
              pieces,
              length: pieces.reduce((sum, { length }) => sum + length, 0),
            })),
          );
          const value = {
            number: BigInt(number),
            acknowledged: BigInt(acknowledged),
            parts: parts.map(({ call, offset, pieces }) => ({
              call: BigInt(call),
              offset: BigInt(offset),
              chunk: Uint8Array.from(pieces.flatMap((piece) => [...piece])),
            })),
          };
          const generated = frame({ kind: { case: 'data', value } });
          expect(written).toEqual(generated);
          expect(decodeFrame(written)).toMatchObject({ kind: 'data', number, acknowledged });
        },
      ),
    );
  });

  it('refuses what is no frame, with an error of its own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodedOrRefused(bytes)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses what was a frame until some of its bytes changed', () => {
    const valid = encodeData(3, 1, [
      { head: requestHead(1, 'compute', 10), offset: 0, pieces: [bytesOf(10)], length: 10 },
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(valid.length),
        (changes, length) => {
          const bytes = valid.slice(0, length);
          for (const [at, value] of changes) bytes[at] = value;
          expect(decodedOrRefused(bytes)).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['a chunk of which 1 GiB was announced', Uint8Array.of(26, 0x80, 0x80, 0x80, 0x80, 4, 1, 2)],
    ['two kinds', new Uint8Array([...control('ping'), ...control('pong')])],
    ['a kind that is a number', Uint8Array.of(8, 1)],
    ['a number beyond 2^53', frame({ kind: { case: 'ack', value: { acknowledged: 2n ** 63n } } })],
    ['too many parts', encodeData(1, 0, Array.from({ length: MAX_PARTS + 1 }, nothing))],
    ['groups without end', Uint8Array.from({ length: 5000 }, () => 11)],
    ['a long greeting', frame({ kind: { case: 'hello', value: { name: 'x'.repeat(70_000) } } })],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeFrame(bytes)).toThrow(
      expect.objectContaining({ code: 'transport.invalid_argument' }),
    );
  });

  it('refuses a frame that is longer than a link takes', () => {
    expect(() => decodeFrame(new Uint8Array(MAX_FRAME_BYTES + 1))).toThrow(
      expect.objectContaining({ code: 'transport.resource_exhausted' }),
    );
  });
});

describe('a hostile coordinator', () => {
  it('has 1 GiB announced refused, without memory for it, and the session lives', async () => {
    const peer = await hostileCoordinator({ maxMessageBytes: 2 ** 26 });
    await peer.send(data(1, [request(1, 'compute', 2 ** 30, bytesOf(100_000))]));
    await peer.send(data(2, [request(2, 'createSelection', 0, new Uint8Array(0))]));
    await peer.responses(2);
    expect(peer.answered()).toEqual(
      new Map([
        [1, 8],
        [2, 0],
      ]),
    );
    expect(peer.client.serving).toBe(0);
    await peer.client.close();
  });

  it('does not have a request served twice that it sends twice', async () => {
    const peer = await hostileCoordinator();
    const twice = data(1, [request(1, 'createSelection', 0, new Uint8Array(0))]);
    await peer.send(twice);
    await peer.send(twice);
    await peer.send(twice);
    await peer.send(data(2, [request(2, 'createSelection', 0, new Uint8Array(0))]));
    await peer.responses(2);
    expect(peer.echo.selected).toEqual([0, 0]);
    await peer.client.close();
  });

  it.each<[string, Uint8Array]>([
    ['leaves out a frame', data(2, [])],
    ['sends frame 0', data(0, [])],
    ['acknowledges what was not sent', control('ack', 5)],
    ['says hello', frame({ kind: { case: 'hello', value: {} } })],
    ['welcomes twice', frame({ kind: { case: 'welcome', value: {} } })],
    ['answers', data(1, [{ call: 1n, head: { case: 'response', value: {} } }])],
    ['begins call 0', data(1, [request(0, 'compute', 0, new Uint8Array(0))])],
    [
      'begins a call twice',
      data(1, [request(1, 'compute', 5000, bytesOf(4999)), request(1, 'compute', 0, bytesOf(0))]),
    ],
    ['sends more bytes than announced', data(1, [request(1, 'compute', 10, bytesOf(11))])],
    ['sends tiny chunks', data(1, [request(1, 'compute', 5000, bytesOf(1))])],
    ['sends rubbish', Uint8Array.of(255, 255, 255)],
  ])('loses its session when it %s', async (_, bytes) => {
    const peer = await hostileCoordinator();
    await peer.send(bytes);
    const { end } = await peer.lost;
    expect(end?.reason).toMatchObject({ code: 'transport.unavailable' });
    expect(peer.frames.at(-1)).toMatchObject({ kind: 'bye', code: 3 });
    expect(peer.echo.closed).toBe(1);
    await peer.client.close();
  });

  it.each<[string, number, Parameters<typeof data>[1]]>([
    ['names a method that does not exist', 12, [request(1, '__proto__', 0, new Uint8Array(0))]],
    ['sends a request that cannot be decoded', 3, [request(1, 'compute', 3, bytesOf(3))]],
    ['calls what fails', 12, [request(1, 'dispose', 0, new Uint8Array(0))]],
  ])('is told when it %s', async (_, code, parts) => {
    const peer = await hostileCoordinator();
    await peer.send(data(1, parts));
    await peer.responses(1);
    expect(peer.answered().get(1)).toBe(code);
    await peer.client.close();
  });

  it('gets one pong for a flood of pings that it does not read', async () => {
    const peer = await hostileCoordinator();
    let pongs = 0;
    peer.onFrame = ({ kind }) => {
      if (kind === 'pong') pongs += 1;
    };
    // All in one moment, as they lie in the buffer of a network.
    for (let i = 0; i < 5000; i += 1) peer.inject(control('ping'));
    await peer.send(data(1, [request(1, 'createSelection', 0, new Uint8Array(0))]));
    await peer.responses(1);
    expect(pongs).toBe(1);
    await peer.client.close();
  });

  it('does not fill the memory with responses that it does not read', async () => {
    const peer = await hostileCoordinator({ maxBufferedBytes: 3_000_000 });
    const content = bytesOf(1_000_000);
    const stored = toBinary(
      ExecutorGroup.method.createValue.input,
      create(ExecutorGroup.method.createValue.input, {
        value: { value: { case: 'array', value: { content } } },
      }),
    );
    await peer.send(
      data(1, [request(1, 'createValue', stored.length, stored.subarray(0, 900_000))]),
    );
    await peer.send(data(2, [{ call: 1n, offset: 900_000n, chunk: stored.subarray(900_000) }]));
    await peer.responses(1);
    const empty = toBinary(ComputeRequestSchema, create(ComputeRequestSchema));
    await peer.send(
      data(
        3,
        Array.from({ length: 30 }, (_, i) => request(i + 2, 'compute', empty.length, empty)),
      ),
    );
    // It acknowledges nothing, so that the window closes. What does not fit fails, in small answers.
    await vi.waitFor(() => expect(peer.client.serving).toBe(0));
    await peer.send(control('ack', peer.lastNumber()));
    await vi.waitFor(async () => {
      await peer.send(control('ack', peer.lastNumber()));
      expect(peer.answered().size).toBe(31);
    });
    expect([...peer.answered().values()].filter((code) => code === 8).length).toBeGreaterThan(20);
    await peer.client.close();
  });

  it('cannot make anything throw, hang or leak by a sequence of frames', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hostileFrame(), { maxLength: 30 }), async (frames) => {
        const peer = await hostileCoordinator({ maxBufferedBytes: 100_000, maxCalls: 10 });
        let number = 0;
        for (const make of frames) {
          if (!peer.isOpen()) break;
          const bytes = make(number + 1);
          const decoded = decodedOrNull(bytes);
          if (decoded?.kind === 'data' && decoded.number === number + 1) number += 1;
          await peer.send(bytes);
          expect(peer.client.serving).toBeLessThanOrEqual(10);
        }
        await peer.client.close();
        expect(peer.client.serving).toBe(0);
        expect(peer.echo.closed).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a hostile welcome', () => {
  const good = {
    version: 1,
    token: new Uint8Array(32),
    maxMessageBytes: 1000n,
    heartbeatMs: 1000,
    silenceMs: 3000,
  };
  it.each<[string, string, Uint8Array]>([
    ['in another version', 'unimplemented', welcome({ ...good, version: 9 })],
    ['with a short token', 'invalid_argument', welcome({ ...good, token: new Uint8Array(8) })],
    ['with a heartbeat of no time', 'invalid_argument', welcome({ ...good, heartbeatMs: 0 })],
    ['that takes no messages', 'invalid_argument', welcome({ ...good, maxMessageBytes: 0n })],
    ['to a session that never was', 'unavailable', welcome({ ...good, resumed: true })],
    ['that is none', 'invalid_argument', data(1, [])],
    ['of rubbish', 'invalid_argument', bytesOf(100)],
    ['of too many bytes', 'invalid_argument', welcome({ ...good, session: 'x'.repeat(70_000) })],
    ['that is a goodbye', 'permission_denied', encodeControl({ case: 'bye', code: 7, reason: '' })],
    ['that is an odd goodbye', 'unknown', encodeControl({ case: 'bye', code: 4e9, reason: '' })],
  ])('%s is no welcome', async (_, code, bytes) => {
    vi.useFakeTimers();
    const client = echoClient();
    const { left, right } = memoryLinks();
    let isClosed = false;
    left.listen({
      frame() {},
      closed() {
        isClosed = true;
      },
    });
    await left.send(bytes);
    await expect(client.serve(right)).rejects.toMatchObject({ code: `transport.${code}` });
    await vi.advanceTimersByTimeAsync(1);
    expect(isClosed).toBe(true);
    await client.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a hostile client', () => {
  it.each<[string, Parameters<typeof data>[1]]>([
    ['calls', [request(1, 'compute', 0, new Uint8Array(0))]],
    ['cancels', [{ call: 1n, head: { case: 'cancel', value: {} } }]],
    ['answers what nobody asked', [response(7, 0, new Uint8Array(0))]],
    ['answers twice', [response(1, 9000, bytesOf(5000)), response(1, 9000, bytesOf(5000))]],
    ['goes on before it begins', [{ call: 1n, offset: 0n, chunk: bytesOf(5000) }]],
  ])('loses its session when it %s; calls reject', async (_, parts) => {
    const { clients, remote, send } = await hostileClient();
    const call = expect(select(remote, 1)).rejects.toMatchObject({ code: 'transport.unavailable' });
    await send(data(1, parts));
    await call;
    expect(clients.clients).toEqual([]);
    await clients.close();
  });

  it('that announces 1 GiB fails one call, and no other', async () => {
    const { clients, remote, send } = await hostileClient();
    const first = expect(select(remote, 1)).rejects.toMatchObject({
      code: 'transport.resource_exhausted',
    });
    const second = expect(select(remote, 2)).rejects.toMatchObject({ code: 'transport.internal' });
    await send(data(1, [response(1, 2 ** 30, bytesOf(9000))]));
    await send(data(2, [{ call: 1n, offset: 9000n, chunk: bytesOf(9000) }]));
    await first;
    await send(data(3, [response(2, 3, Uint8Array.of(255, 255, 255))]));
    await second;
    expect(remote.isConnected).toBe(true);
    await clients.close();
  });

  it.each([
    '{"code":99,"message":"boo"}',
    '{"code":3,"message":"boo","error":{"name":"__proto__","message":"x","code":"a.b","details":{"__proto__":"x"}}}',
    '['.repeat(60_000),
    'x',
  ])('cannot make anything but an error of %s', async (json) => {
    const { clients, remote, send } = await hostileClient();
    const call = select(remote, 1);
    const failure = new TextEncoder().encode(json);
    await send(data(1, [{ call: 1n, head: { case: 'response', value: { failure } } }]));
    await expect(call).rejects.toBeInstanceOf(Error);
    await clients.close();
  });
});
