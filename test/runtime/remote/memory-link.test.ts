/** @file Links in memory: what is sent arrives in order, and faults are as real as those of a network. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Link, MAX_FRAME_BYTES } from '../../../runtime/remote/link.ts';
import { memoryLinks } from '../../../runtime/remote/memory-link.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('a link in memory', () => {
  it('delivers in order, also what came before anybody listened', async () => {
    const { left, right } = memoryLinks();
    await left.send(Uint8Array.of(1));
    await left.send(Uint8Array.of(2));
    const { frames } = listen(right);
    await left.send(Uint8Array.of(3));
    await vi.waitFor(() => expect(frames).toEqual([[1], [2], [3]]));
  });

  it('makes a sender wait for a receiver that is busy, or held up', async () => {
    const links = memoryLinks({ capacityBytes: 10 });
    let goOn = (): void => {};
    const frames: number[] = [];
    links.right.listen({
      frame(bytes) {
        frames.push(bytes.length);
        return new Promise((resolve) => {
          goOn = resolve;
        });
      },
      closed() {},
    });
    listen(links.left);
    await links.left.send(new Uint8Array(8));
    let isSent = false;
    const sent = links.left.send(new Uint8Array(8)).then(() => {
      isSent = true;
    });
    await vi.waitFor(() => expect(frames).toEqual([8]));
    expect(isSent).toBe(false);
    links.hold();
    goOn();
    await sent;
    expect(frames).toEqual([8]);
    links.release();
    await vi.waitFor(() => expect(frames).toEqual([8, 8]));
    expect(links.inFlight).toBe(8);
  });

  it('tells both ends once that it broke, and a sender that waits', async () => {
    const links = memoryLinks({ capacityBytes: 10 });
    const [left, right] = [listen(links.left), listen(links.right)];
    links.hold();
    const sent = expect(links.left.send(new Uint8Array(20))).rejects.toThrow('broke');
    links.break(new Error('it broke'));
    links.break();
    await sent;
    expect(left.closed).toEqual(['it broke']);
    expect(right.closed).toEqual(['it broke']);
    await expect(links.right.send(new Uint8Array(1))).rejects.toThrow('broke');
  });

  it('delivers what was sent before it was closed', async () => {
    const { left, right } = memoryLinks();
    const [leftEnd, rightEnd] = [listen(left), listen(right)];
    await left.send(Uint8Array.of(1));
    left.close();
    left.close();
    await vi.waitFor(() => expect(rightEnd.closed).toHaveLength(1));
    expect(rightEnd.frames).toEqual([[1]]);
    expect(leftEnd.closed).toHaveLength(1);
    await expect(right.send(Uint8Array.of(1))).rejects.toMatchObject({
      code: 'transport.unavailable',
    });
  });

  it('loses frames and tells nobody when it is stalled', async () => {
    const links = memoryLinks();
    const [left, right] = [listen(links.left), listen(links.right)];
    links.stall();
    await links.left.send(Uint8Array.of(1));
    links.left.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(right).toEqual({ frames: [], closed: [] });
    expect(left.closed).toHaveLength(1);
  });

  it('takes its time, and leaves no timer behind', async () => {
    vi.useFakeTimers();
    const links = memoryLinks({ delayMs: 50 });
    const { frames } = listen(links.right);
    listen(links.left);
    await links.left.send(Uint8Array.of(1));
    await vi.advanceTimersByTimeAsync(49);
    expect(frames).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(frames).toEqual([[1]]);
    links.delay(10);
    await links.left.send(Uint8Array.of(2));
    await vi.advanceTimersByTimeAsync(5);
    links.break();
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(frames).toEqual([[1]]);
  });

  it('refuses frames that are too long, and a second listener', async () => {
    const { left } = memoryLinks();
    await expect(left.send(new Uint8Array(MAX_FRAME_BYTES + 1))).rejects.toMatchObject({
      code: 'transport.resource_exhausted',
    });
    listen(left);
    expect(() => listen(left)).toThrow('once');
  });
});

function listen(link: Link) {
  const heard = { frames: [] as number[][], closed: [] as string[] };
  link.listen({
    frame: (bytes) => void heard.frames.push([...bytes]),
    closed: ({ message }) => void heard.closed.push(message),
  });
  return heard;
}
