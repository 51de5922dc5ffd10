/** @file A client that stays connected: when it dials again, and when it gives up. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { transportError } from '../../../executors/remote/status.ts';
import { ConnectedClients } from '../../../runtime/remote/connected-clients.ts';
import type { Link } from '../../../runtime/remote/link.ts';
import { type MemoryLinks, memoryLinks } from '../../../runtime/remote/memory-link.ts';
import {
  Reconnector,
  type ReconnectorOptions,
  type ReconnectorState,
} from '../../../runtime/remote/reconnector.ts';
import { echoClient, select } from './envelope.helpers.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const backOff = { firstMs: 100, factor: 2, mostMs: 1000, jitter: 0.5, stableMs: 1000 };

describe('a reconnector', () => {
  it('waits longer after each failure, with jitter, up to a limit', async () => {
    const { reconnector, states } = start({
      dial: async () => {
        throw transportError('transport.unavailable', 'down');
      },
      random: () => 0.5,
    });
    const stopped = reconnector.run();
    await vi.advanceTimersByTimeAsync(5000);
    const waits = states.flatMap((state) => (state.kind === 'waiting' ? [state.waitMs] : []));
    expect(waits.slice(0, 6)).toEqual([75, 150, 300, 600, 750, 750]);
    reconnector.stop();
    await stopped;
    expect(reconnector.state).toEqual({ kind: 'stopped', reason: null });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('resumes the session after its link broke, and begins with short waits again', async () => {
    const { reconnector, states, links, clients, client } = start();
    const stopped = reconnector.run();
    await vi.advanceTimersByTimeAsync(2000);
    const remote = clients.get('ada')!;
    for (let i = 0; i < 3; i += 1) {
      links.at(-1)?.stall();
      const call = select(remote, i);
      await vi.advanceTimersByTimeAsync(0);
      links.at(-1)?.break();
      await vi.advanceTimersByTimeAsync(2000);
      expect(await call).toBe(i);
    }
    const connects = states.filter(({ kind }) => kind === 'connected');
    expect(connects).toMatchObject([
      { resumed: false, session: remote.session },
      { resumed: true, session: remote.session },
      { resumed: true },
      { resumed: true },
    ]);
    for (const state of states) if (state.kind === 'waiting') expect(state.waitMs).toBe(100);
    reconnector.stop();
    await stopped;
    await Promise.all([client.close(), clients.close()]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not hurry after links that hardly last', async () => {
    const { reconnector, states, clients, client } = start({}, (links) => {
      setTimeout(() => links.break(), 1);
    });
    const stopped = reconnector.run();
    await vi.advanceTimersByTimeAsync(2000);
    const waits = states.flatMap((state) => (state.kind === 'waiting' ? [state.waitMs] : []));
    expect(waits.slice(0, 4)).toEqual([100, 200, 400, 800]);
    reconnector.stop();
    await stopped;
    await Promise.all([client.close(), clients.close()]);
  });

  it.each([
    'transport.unauthenticated',
    'transport.permission_denied',
    'transport.unimplemented',
  ] as const)('gives up when it is refused with %s', async (code) => {
    const { reconnector, clients } = start({}, () => {}, {
      admit: () => {
        throw transportError(code, 'No.');
      },
    });
    const run = expect(reconnector.run()).rejects.toMatchObject({ code });
    await vi.advanceTimersByTimeAsync(10);
    await run;
    expect(reconnector.state).toMatchObject({ kind: 'stopped', reason: { code } });
    await clients.close();
    await vi.advanceTimersByTimeAsync(2000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives up when it is dismissed for good, and not when it is just dismissed', async () => {
    const { reconnector, clients, client } = start();
    const run = expect(reconnector.run()).rejects.toMatchObject({
      code: 'transport.permission_denied',
      message: expect.stringContaining('You cheated.'),
    });
    await vi.advanceTimersByTimeAsync(1500);
    await clients.get('ada')?.close();
    await vi.advanceTimersByTimeAsync(1500);
    const again = clients.get('ada')!;
    expect(again.isConnected).toBe(true);
    await again.close(0, 'You cheated.', 7);
    await vi.advanceTimersByTimeAsync(10);
    await run;
    await Promise.all([client.close(), clients.close()]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives up after so many failures in a row', async () => {
    let dials = 0;
    const { reconnector } = start({
      maxFailures: 3,
      dial: async () => {
        dials += 1;
        throw transportError('transport.unavailable', `down ${dials}`);
      },
    });
    const run = expect(reconnector.run()).rejects.toThrow('down 3');
    await vi.advanceTimersByTimeAsync(5000);
    await run;
    expect(dials).toBe(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not wait for ever for a dial or a welcome; a link that comes late is closed', async () => {
    let answer: (link: Link) => void = () => {};
    const { reconnector, states, client } = start({
      dialMs: 500,
      dial: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const stopped = reconnector.run();
    await vi.advanceTimersByTimeAsync(510);
    expect(states.at(-1)).toMatchObject({
      kind: 'waiting',
      reason: { code: 'transport.deadline_exceeded' },
    });
    const late = memoryLinks();
    let isClosed = false;
    late.left.listen({ frame() {}, closed: () => (isClosed = true) });
    answer(late.right);
    await vi.advanceTimersByTimeAsync(1);
    expect(isClosed).toBe(true);
    await vi.advanceTimersByTimeAsync(200);
    // Nobody greets at the other end of this one.
    answer(memoryLinks().right);
    await vi.advanceTimersByTimeAsync(10_010);
    expect(states.filter(({ kind }) => kind === 'waiting')).toHaveLength(2);
    reconnector.stop();
    await stopped;
    await client.close();
    await vi.advanceTimersByTimeAsync(2000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

function start(
  options: Partial<ReconnectorOptions> = {},
  dialled: (links: MemoryLinks) => void = () => {},
  coordinator: ConstructorParameters<typeof ConnectedClients>[0] = {},
) {
  const clients = new ConnectedClients(coordinator);
  const client = echoClient();
  const links: MemoryLinks[] = [];
  const states: ReconnectorState[] = [];
  const reconnector = new Reconnector({
    dial: async () => {
      const pair = memoryLinks();
      links.push(pair);
      void clients.accept(pair.left);
      dialled(pair);
      return pair.right;
    },
    serve: (link, within) => client.serve(link, within),
    backOff,
    random: () => 0,
    onState: (state) => states.push(state),
    ...options,
  });
  return { reconnector, states, links, clients, client };
}
