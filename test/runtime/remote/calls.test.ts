/** @file Calls over the envelope: what goes in comes out, small and large, many at a time. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import { ExecutionError, PolicyError } from '../../../computations/types/index.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { decodeFrame } from '../../../runtime/remote/envelope/frames.ts';
import type { RecordedFrame } from '../../../runtime/remote/memory-link.ts';
import { bytesOf, connected, PLENTY, put, select, take } from './envelope.helpers.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('a call', () => {
  it('is answered', async () => {
    const pair = await connected();
    expect(await select(pair.remote, 7)).toBe(7);
    expect(pair.echo.selected).toEqual([7]);
    await pair.close();
  });

  it.each([0, 1, 4095, 4096, 262_143, 262_144, 262_145, 5_000_000])(
    'brings %d bytes there and back',
    async (length) => {
      const pair = await connected();
      const content = bytesOf(length);
      await put(pair.remote, content);
      // Element by element, `toEqual` takes a minute.
      expect(Buffer.compare((await take(pair.remote)) ?? new Uint8Array(), content)).toBe(0);
      await pair.close();
    },
  );

  it('shares its frame with the others of the same moment', async () => {
    const frames: RecordedFrame[] = [];
    const pair = await connected({ link: { record: (frame) => frames.push(frame) } });
    frames.length = 0;
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => select(pair.remote, i)),
    );
    expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(frames.filter(({ from }) => from === 'left')).toHaveLength(1);
    expect(frames.length).toBeLessThan(4);
    await pair.close();
  });

  it('is not held up by a large one', async () => {
    const pair = await connected({ coordinator: { limits: { chunkBytes: 16_384 } } });
    const order: string[] = [];
    const large = put(pair.remote, bytesOf(2_000_000)).then(() => order.push('large'));
    const small = select(pair.remote, 1).then(() => order.push('small'));
    await Promise.all([large, small]);
    expect(order).toEqual(['small', 'large']);
    await pair.close();
  });

  it('fails with the error that the other side threw', async () => {
    const pair = await connected();
    pair.echo.fails = new ExecutionError('execution.empty_mean', 'No values.');
    await expect(select(pair.remote, 1)).rejects.toMatchObject({
      name: 'ExecutionError',
      code: 'execution.empty_mean',
    });
    pair.echo.fails = new PolicyError('policy.release_refused', 'No.', { rule: 'smallest cohort' });
    await expect(select(pair.remote, 1)).rejects.toMatchObject({ rule: 'smallest cohort' });
    pair.echo.fails = new Error('\u0000 odd '.repeat(100_000));
    await expect(select(pair.remote, 1)).rejects.toMatchObject({ code: 'transport.unknown' });
    pair.echo.fails = null;
    expect(await select(pair.remote, 2)).toBe(2);
    await pair.close();
  });

  it('tells how much time is left, and what the trace is', async () => {
    vi.useFakeTimers();
    const traces: string[] = [];
    const pair = await connected({
      coordinator: { traceparent: () => '00-trace' },
      client: {
        around: (call, work) => {
          traces.push(`${call.method} ${call.traceparent}`);
          return work();
        },
      },
    });
    pair.links.hold();
    const answered = select(pair.remote, 3, { timeoutMs: 10_000 });
    await vi.advanceTimersByTimeAsync(4000);
    pair.links.release();
    await answered;
    expect(pair.echo.timeouts).toEqual([10_000]);
    expect(traces).toEqual(['createSelection 00-trace']);
    await pair.close();
  });
});

describe('a call that nobody waits for any more', () => {
  it('rejects with the reason of its signal, and interrupts the work', async () => {
    const pair = await connected();
    pair.echo.gate = new Promise(() => {});
    const controller = new AbortController();
    const call = put(pair.remote, bytesOf(10), { ...PLENTY, signal: controller.signal });
    await vi.waitFor(() => expect(pair.echo.signals).toHaveLength(1));
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await vi.waitFor(() => expect(pair.echo.signals[0]?.aborted).toBe(true));
    expect(pair.remote.pending).toBe(0);
    expect(pair.client.serving).toBe(0);
    await pair.close();
  });

  it('fails when its time is up, and interrupts the work; a late answer is dropped', async () => {
    vi.useFakeTimers();
    const pair = await connected();
    let answer = (): void => {};
    pair.echo.gate = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const call = expect(select(pair.remote, 1, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'transport.deadline_exceeded',
    });
    await vi.advanceTimersByTimeAsync(60);
    await call;
    expect(pair.echo.signals[0]?.reason).toMatchObject({ code: 'transport.cancelled' });
    answer();
    pair.echo.gate = null;
    await vi.advanceTimersByTimeAsync(1);
    expect(await select(pair.remote, 2)).toBe(2);
    await pair.close();
  });

  it('is not sent at all if it was aborted before', async () => {
    const pair = await connected();
    const controller = new AbortController();
    const call = put(pair.remote, bytesOf(10), { ...PLENTY, signal: controller.signal });
    controller.abort(new Error('at once'));
    await expect(call).rejects.toThrow('at once');
    await expect(
      put(pair.remote, bytesOf(10), { ...PLENTY, signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before');
    expect(await select(pair.remote, 1)).toBe(1);
    expect(pair.echo.methods).toEqual(['createSelection']);
    await pair.close();
  });

  it('stops in the middle of a large message, whose memory is given back', async () => {
    const controller = new AbortController();
    let bytes = 0;
    const record = (frame: RecordedFrame): void => {
      bytes += frame.bytes.length;
      if (bytes > 3_000_000) controller.abort(new Error('enough'));
    };
    const pair = await connected({ link: { record } });
    const call = put(pair.remote, bytesOf(20_000_000), { ...PLENTY, signal: controller.signal });
    await expect(call).rejects.toThrow('enough');
    await vi.waitFor(() => expect(pair.client.serving).toBe(0));
    expect(pair.echo.methods).toEqual([]);
    expect(bytes).toBeLessThan(6_000_000);
    expect(await select(pair.remote, 5)).toBe(5);
    await pair.close();
  });
});

describe('what is too large', () => {
  it('is refused by whoever knows first, and the session lives', async () => {
    const pair = await connected({
      client: { limits: { maxMessageBytes: 100_000 } },
      coordinator: { limits: { maxMessageBytes: 50_000 } },
    });
    const exhausted = { code: 'transport.resource_exhausted' };
    await expect(put(pair.remote, bytesOf(100_001))).rejects.toMatchObject(exhausted);
    expect(pair.echo.methods).toEqual([]);
    await put(pair.remote, bytesOf(60_000));
    await expect(take(pair.remote)).rejects.toMatchObject(exhausted);
    await put(pair.remote, bytesOf(40_000));
    expect(await take(pair.remote)).toHaveLength(40_000);
    await pair.close();
  });

  it('is refused when all requests together are too large to hold', async () => {
    const pair = await connected({ client: { limits: { maxBufferedBytes: 1_000_000 } } });
    let answer = (): void => {};
    pair.echo.gate = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const calls = Array.from({ length: 3 }, () => put(pair.remote, bytesOf(450_000)));
    await expect(Promise.race(calls)).rejects.toMatchObject({
      code: 'transport.resource_exhausted',
    });
    answer();
    const results = await Promise.allSettled(calls);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    pair.echo.gate = null;
    await put(pair.remote, bytesOf(450_000));
    await pair.close();
  });

  it('waits for others of its kind, so that a receiver need not hold all of them in part', async () => {
    const pair = await connected({ client: { limits: { maxBufferedBytes: 6_000_000 } } });
    await Promise.all(Array.from({ length: 20 }, () => put(pair.remote, bytesOf(1_000_000))));
    expect(pair.echo.methods).toHaveLength(20);
    await pair.close();
  });

  it('is refused when there are too many calls', async () => {
    const pair = await connected({ client: { limits: { maxCalls: 2 } } });
    pair.echo.gate = new Promise(() => {});
    const calls = [1, 2, 3].map((index) => select(pair.remote, index));
    await expect(calls[2]).rejects.toMatchObject({ code: 'transport.resource_exhausted' });
    for (const call of calls) call.catch(() => {});
    await pair.close();
  });
});

describe('closing', () => {
  it('lets calls finish, refuses new ones, and says goodbye', async () => {
    const frames: RecordedFrame[] = [];
    const pair = await connected({ link: { record: (frame) => frames.push(frame) } });
    let answer = (): void => {};
    pair.echo.gate = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const call = select(pair.remote, 1);
    await vi.waitFor(() => expect(pair.client.serving).toBe(1));
    const closing = pair.client.close({ drainMs: 10_000 });
    await expect(select(pair.remote, 2)).rejects.toMatchObject({ code: 'transport.unavailable' });
    answer();
    expect(await call).toBe(1);
    await closing;
    expect(decodeFrame(frames.at(-1)?.bytes as Uint8Array)).toMatchObject({ kind: 'bye', code: 0 });
    await vi.waitFor(() => expect(pair.remote.lost.aborted).toBe(true));
    expect(pair.echo.closed).toBe(1);
    expect(pair.clients.clients).toEqual([]);
    await pair.close();
  });

  it('does not wait longer than it may', async () => {
    vi.useFakeTimers();
    const pair = await connected();
    pair.echo.gate = new Promise(() => {});
    const call = expect(select(pair.remote, 1)).rejects.toMatchObject({
      code: 'transport.unavailable',
    });
    const closing = pair.clients.close({ drainMs: 500 });
    await vi.advanceTimersByTimeAsync(501);
    await closing;
    await call;
    expect(pair.echo.signals[0]?.aborted).toBe(true);
    expect(pair.echo.closed).toBe(1);
    await pair.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('twice is closing once, and leaves no timers', async () => {
    vi.useFakeTimers();
    const pair = await connected();
    await select(pair.remote, 1);
    await Promise.all([pair.close(), pair.close()]);
    await pair.close();
    expect(vi.getTimerCount()).toBe(0);
    await expect(select(pair.remote, 1)).rejects.toMatchObject({ code: 'transport.unavailable' });
  });

  it('releases what was served though the executors cannot be reached any more', async () => {
    const pair = await connected();
    pair.echo.fails = transportError('transport.unavailable', 'gone');
    await expect(select(pair.remote, 1)).rejects.toMatchObject({ code: 'transport.unavailable' });
    await pair.close();
    expect(pair.echo.closed).toBe(1);
  });
});

describe('a response that nobody takes', () => {
  it('is taken back, as long as it is on its way', async () => {
    const pair = await connected();
    let answer = (): void => {};
    pair.echo.gate = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const controller = new AbortController();
    const call = put(pair.remote, bytesOf(10), { ...PLENTY, signal: controller.signal });
    await vi.waitFor(() => expect(pair.echo.methods).toEqual(['createValue']));
    pair.links.hold();
    answer();
    await vi.waitFor(() => expect(pair.links.inFlight).toBeGreaterThan(0));
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    pair.links.release();
    await vi.waitFor(() => expect(pair.echo.methods).toEqual(['createValue', 'dispose']));
    await pair.close();
  });
});
