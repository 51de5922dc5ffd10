/** @file Sessions that outlive their links: everything arrives once and in order, whatever breaks. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Caller } from '../../../runtime/remote/envelope/caller.ts';
import { decodeFrame, encodeControl } from '../../../runtime/remote/envelope/frames.ts';
import { withDefaultLimits } from '../../../runtime/remote/envelope/options.ts';
import { Port } from '../../../runtime/remote/envelope/port.ts';
import { Session } from '../../../runtime/remote/envelope/session.ts';
import { memoryLinks, type RecordedFrame } from '../../../runtime/remote/memory-link.ts';
import { bytesOf, connected, put, select, take } from './envelope.helpers.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('a session whose link breaks', () => {
  it('goes on over the next one, with the calls that were on their way', async () => {
    const pair = await connected();
    pair.links.stall();
    const calls = [1, 2, 3].map((index) => select(pair.remote, index));
    const large = put(pair.remote, bytesOf(1_000_000));
    await Promise.resolve();
    pair.links.break();
    expect(pair.remote.isConnected).toBe(false);
    const later = select(pair.remote, 4);
    await pair.reconnect();
    expect(await Promise.all(calls)).toEqual([1, 2, 3]);
    await large;
    expect(await later).toBe(4);
    expect(pair.echo.selected).toEqual([1, 2, 3, 4]);
    expect(pair.echoes).toHaveLength(1);
    await pair.close();
  });

  it('handles everything once and in order, whenever links break', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            frames: fc.integer({ min: 1, max: 12 }),
            how: fc.constantFrom('break' as const, 'stall' as const),
          }),
          { maxLength: 6 },
        ),
        fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 4096, max: 20_000 }),
        async (faults, lengths, chunkBytes) => {
          const limits = { chunkBytes, windowBytes: chunkBytes + 300_000 };
          const pair = await connected({ client: { limits }, coordinator: { limits } });
          const faulted = runFaults(pair, faults);
          const indices = Array.from({ length: 40 }, (_, i) => i);
          const answers = Promise.all(
            indices.map(async (index) => {
              // Some at once, some later.
              for (let turn = 0; turn < index % 7; turn += 1) await null;
              return await select(pair.remote, index);
            }),
          );
          for (const [i, length] of lengths.entries()) {
            const content = bytesOf(length, i + 1);
            await put(pair.remote, content);
            const back = (await take(pair.remote)) ?? new Uint8Array();
            expect(Buffer.compare(back, content)).toBe(0);
          }
          expect(await answers).toEqual(indices);
          expect([...pair.echo.selected].sort((a, b) => a - b)).toEqual(indices);
          expect(pair.echo.methods).toHaveLength(40 + 2 * lengths.length);
          expect(pair.echoes).toHaveLength(1);
          await faulted;
          await pair.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is resumed by the link that shows its token, though the old one seems to be alive', async () => {
    const pair = await connected();
    const before = pair.links;
    before.stall();
    const call = select(pair.remote, 9);
    await pair.reconnect();
    expect(await call).toBe(9);
    expect(pair.remote.isConnected).toBe(true);
    expect(pair.clients.clients).toEqual([pair.remote]);
    await pair.close();
  });

  it('is lost when nobody comes back in time', async () => {
    vi.useFakeTimers();
    const events: string[] = [];
    const pair = await connected({
      coordinator: { heartbeat: { graceMs: 5000 }, onEvent: ({ kind }) => events.push(kind) },
    });
    pair.echo.gate = new Promise(() => {});
    const call = expect(select(pair.remote, 1)).rejects.toMatchObject({
      code: 'transport.unavailable',
    });
    await vi.advanceTimersByTimeAsync(1);
    pair.links.break();
    await vi.advanceTimersByTimeAsync(4990);
    expect(pair.remote.lost.aborted).toBe(false);
    expect(pair.echo.closed).toBe(0);
    await vi.advanceTimersByTimeAsync(20);
    await call;
    expect(pair.remote.lost.reason).toMatchObject({ code: 'transport.unavailable' });
    expect(pair.echo.signals[0]?.aborted).toBe(true);
    expect(pair.echo.closed).toBe(1);
    expect(events).toEqual(['joined', 'interrupted', 'lost']);
    await pair.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('begins anew with a coordinator that does not know it', async () => {
    const pair = await connected();
    await select(pair.remote, 1);
    pair.links.break();
    await pair.clients.close();
    const other = await connected();
    await other.client.close();
    const links = memoryLinks();
    const accepted = other.clients.accept(links.left);
    const attached = await pair.client.serve(links.right);
    expect(attached.resumed).toBe(false);
    expect(pair.echoes).toHaveLength(2);
    expect(pair.echo.closed).toBe(1);
    expect(await select((await accepted)!, 5)).toBe(5);
    expect(pair.echoes[1]?.selected).toEqual([5]);
    await Promise.all([pair.close(), other.close()]);
  });
});

describe('a message that is kept to be sent again', () => {
  it('is not copied for each of its receivers', async () => {
    const content = bytesOf(4_000_000);
    const pairs = await Promise.all(Array.from({ length: 30 }, () => connected()));
    for (const { links } of pairs) links.stall();
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    collect();
    const before = process.memoryUsage().arrayBuffers;
    const calls = pairs.map(({ remote }) => put(remote, content));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await vi.waitFor(
      () => {
        // What is collected is given back a little later.
        collect();
        // Their frames together have 120 MB.
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(12_000_000);
      },
      { timeout: 8000 },
    );
    for (const pair of pairs) {
      pair.links.break();
      await pair.reconnect();
    }
    await Promise.all(calls);
    const back = await Promise.all(pairs.map(({ remote }) => take(remote)));
    for (const bytes of back) expect(Buffer.compare(bytes ?? bytesOf(1), content)).toBe(0);
    await Promise.all(pairs.map((pair) => pair.close()));
  });
});

describe('the window', () => {
  it('bounds what is sent and not acknowledged', async () => {
    const sent: number[] = [];
    let onTheWay = 0;
    const limits = { chunkBytes: 16_384, windowBytes: 300_000 };
    const pair = await connected({
      coordinator: { limits },
      link: {
        capacityBytes: 2 ** 30,
        record: ({ from, bytes }) => {
          if (from === 'left') onTheWay += bytes.length;
          sent.push(onTheWay);
        },
      },
    });
    pair.links.hold();
    const call = put(pair.remote, bytesOf(3_000_000));
    await vi.waitFor(() => expect(onTheWay).toBeGreaterThan(270_000));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(onTheWay).toBeLessThan(310_000);
    pair.links.release();
    await call;
    await pair.close();
  });

  it('opens again with whatever limits are allowed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 4096, max: 2 ** 20 }),
        fc.integer({ min: 0, max: 2 ** 20 }),
        fc.integer({ min: 1, max: 2 ** 21 }),
        async (chunkBytes, more, length) => {
          const limits = { chunkBytes, windowBytes: chunkBytes + 2 ** 18 + more };
          const pair = await connected({ coordinator: { limits }, client: { limits } });
          const content = bytesOf(length);
          await put(pair.remote, content);
          const back = (await take(pair.remote)) ?? new Uint8Array();
          expect(Buffer.compare(back, content)).toBe(0);
          await pair.close();
        },
      ),
      { numRuns: 15, examples: [[4096, 0, 2 ** 21]] },
    );
  });

  it('opens again also for messages that are hardly more than their heads', async () => {
    const chunkBytes = 2 ** 20;
    const limits = { chunkBytes, windowBytes: chunkBytes + 2 ** 18, maxCalls: 20_000 };
    const pair = await connected({ coordinator: { limits }, client: { limits } });
    // No response may bring an acknowledgement with it.
    let answer = (): void => {};
    pair.echo.gate = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const indices = Array.from({ length: 14_000 }, (_, i) => i);
    const answers = Promise.all(indices.map((index) => select(pair.remote, index)));
    await vi.waitFor(() => expect(pair.echo.selected).toHaveLength(14_000), { timeout: 8000 });
    answer();
    expect(await answers).toEqual(indices);
    await pair.close();
  });
});

describe('liveness', () => {
  const heartbeat = { heartbeatMs: 1000, silenceMs: 3000, graceMs: 5000 };

  it('is asked for when it is quiet, and costs little', async () => {
    vi.useFakeTimers();
    const frames: RecordedFrame[] = [];
    const pair = await connected({
      coordinator: { heartbeat },
      link: { record: (frame) => frames.push(frame) },
    });
    frames.length = 0;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(pair.remote.isConnected).toBe(true);
    expect(frames.length).toBeLessThanOrEqual(240);
    expect(new Set(frames.map(({ bytes }) => decodeFrame(bytes).kind))).toEqual(
      new Set(['ping', 'pong']),
    );
    await pair.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is missed at both ends of a half-open link, in the stated time', async () => {
    vi.useFakeTimers();
    const pair = await connected({ coordinator: { heartbeat } });
    await vi.advanceTimersByTimeAsync(10_000);
    pair.links.stall();
    await vi.advanceTimersByTimeAsync(1900);
    expect(pair.remote.isConnected).toBe(true);
    await vi.advanceTimersByTimeAsync(1200);
    expect(pair.remote.isConnected).toBe(false);
    await pair.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is missed in a peer that reads nothing, though it sends', async () => {
    vi.useFakeTimers();
    let say = (): void => {};
    const session = new Session({
      limits: withDefaultLimits(),
      heartbeat,
      peerMaxMessageBytes: 1_000_000,
    });
    const caller = new Caller(session);
    const lost = session.attach(
      new Port({
        peer: { name: null, address: 'test' },
        listen({ frame }) {
          say = () => void frame(encodeControl({ case: 'ping', acknowledged: 0 }));
        },
        send: () => new Promise(() => {}),
        close() {},
      }),
      0,
    );
    const call = expect(select(caller, 1)).rejects.toMatchObject({ code: 'transport.unavailable' });
    for (let ms = 0; ms < 3500; ms += 500) {
      say();
      await vi.advanceTimersByTimeAsync(500);
    }
    expect((await lost).message).toMatch('has read nothing');
    await vi.advanceTimersByTimeAsync(heartbeat.graceMs);
    await call;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not denied to a peer because this process was busy', async () => {
    vi.useFakeTimers();
    const pair = await connected({ coordinator: { heartbeat } });
    await vi.advanceTimersByTimeAsync(500);
    // The clock goes on, and no timer comes: what a long computation does.
    const now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now + 20_000);
    await vi.advanceTimersByTimeAsync(600);
    expect(pair.remote.isConnected).toBe(true);
    vi.restoreAllMocks();
    await pair.close();
  });
});

/** Lets links break, or go silent until the client comes over another, after so many frames. */
async function runFaults(
  pair: Awaited<ReturnType<typeof connected>>,
  faults: readonly { readonly frames: number; readonly how: 'break' | 'stall' }[],
): Promise<void> {
  for (const { frames, how } of faults) {
    for (let turn = 0; turn < frames * 3; turn += 1) await null;
    if (how === 'break') pair.links.break();
    else pair.links.stall();
    await pair.reconnect();
  }
}
