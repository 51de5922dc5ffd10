/** @file The clients of a coordinator: who is let in under which name, who comes back, who is chosen. */

import { inspect } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FrameSchema, HelloSchema } from '../../../computations/wire/gen/fedloom/v1/envelope_pb.ts';
import { transportError } from '../../../executors/remote/status.ts';
import { deterministicRng } from '../../../protocols/crypto/random.ts';
import {
  type ClientEvent,
  ConnectedClients,
  type ConnectedClientsOptions,
} from '../../../runtime/remote/connected-clients.ts';
import type { EnvelopeClientOptions } from '../../../runtime/remote/envelope/client.ts';
import { decodeFrame } from '../../../runtime/remote/envelope/frames.ts';
import type { ClientHello } from '../../../runtime/remote/envelope/greeting.ts';
import {
  type MemoryLinkOptions,
  memoryLinks,
  type RecordedFrame,
} from '../../../runtime/remote/memory-link.ts';
import { choose } from '../../../runtime/remote/selection.ts';
import { connected, DESCRIPTION, echoClient, select } from './envelope.helpers.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('a client that says hello', () => {
  it('is known by what it says', async () => {
    const pair = await connected();
    expect(pair.remote).toMatchObject(DESCRIPTION);
    expect(pair.clients.get('ada')).toBe(pair.remote);
    expect(pair.remote.session).toMatch(/^[0-9a-f]{16}$/);
    await pair.close();
  });

  it('is refused under a name that its certificate does not prove', async () => {
    const clients = new ConnectedClients();
    await expect(
      join(clients, { name: 'ada' }, { right: { name: 'eve', address: 'x' } }),
    ).rejects.toMatchObject({ code: 'transport.permission_denied' });
    await join(clients, { name: 'eve' }, { right: { name: 'eve', address: 'x' } });
    await clients.close();
  });

  it('is refused without a certificate where one is asked for', async () => {
    const clients = new ConnectedClients({ allowUnproven: false });
    await expect(join(clients)).rejects.toMatchObject({ code: 'transport.unauthenticated' });
    await clients.close();
  });

  it('is refused by whoever decides, at once or after a while', async () => {
    const events: ClientEvent[] = [];
    const clients = new ConnectedClients({
      admit: async ({ name }, { address }) => {
        await null;
        if (name !== 'ada') {
          throw transportError(
            'transport.permission_denied',
            `${name} at ${address} is not listed.`,
          );
        }
      },
      onEvent: (event) => events.push(event),
    });
    await expect(join(clients, { name: 'bob' })).rejects.toMatchObject({
      code: 'transport.permission_denied',
      message: expect.stringContaining('bob at memory is not listed'),
    });
    expect(events).toMatchObject([{ kind: 'refused', peer: { address: 'memory' } }]);
    await join(clients);
    await clients.close();
  });

  it('is refused when nobody decides in time', async () => {
    vi.useFakeTimers();
    const clients = new ConnectedClients({ admit: () => new Promise(() => {}), helloMs: 100 });
    const joined = expect(join(clients)).rejects.toMatchObject({ code: 'transport.unavailable' });
    await vi.advanceTimersByTimeAsync(150);
    await joined;
    await clients.close();
    await vi.advanceTimersByTimeAsync(1500);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is refused in a version that is not spoken here', async () => {
    const { clients, closed, frames } = await greetWith({ versions: [2, 3], name: 'ada' });
    await closed;
    expect(frames[0]).toMatchObject({ kind: 'bye', code: 12 });
    await clients.close();
  });

  it.each([
    ['no name', { name: '' }],
    ['a name of two lines', { name: 'a\nb' }],
    ['a long name', { name: 'x'.repeat(201) }],
    ['a token of one byte', { name: 'ada', resume: { token: new Uint8Array(1) } }],
    ['a policy without end', { name: 'ada', policy: { text: 'x'.repeat(17_000) } }],
    ['too many operators', { name: 'ada', capabilities: { operators: Array(101).fill('x') } }],
    ['no length of messages', { name: 'ada', maxMessageBytes: 0n }],
  ])('is refused with %s', async (_, hello) => {
    const { clients, closed, frames } = await greetWith({
      versions: [1],
      maxMessageBytes: 1000n,
      ...hello,
    });
    await closed;
    expect(frames[0]).toMatchObject({ kind: 'bye', code: 3 });
    expect(clients.clients).toEqual([]);
    await clients.close();
  });

  it('does not have its token printed', async () => {
    const hellos: ClientHello[] = [];
    const record = ({ bytes }: RecordedFrame): void => {
      const frame = decodeFrame(bytes);
      if (frame.kind === 'welcome') token = frame.welcome.token;
    };
    let token: Uint8Array = new Uint8Array(0);
    const pair = await connected({
      link: { record },
      coordinator: { admit: (hello) => void hellos.push(hello) },
    });
    pair.links.break();
    await pair.reconnect();
    expect(hellos[1]?.resume?.token.reveal()).toEqual(token);
    expect(token).toHaveLength(32);
    const all = [pair.clients, pair.client, pair.remote, hellos];
    const printed = inspect(all, { depth: 20, showHidden: true }) + JSON.stringify(all);
    expect(printed).toContain('[secret of 32 bytes]');
    expect(printed.replaceAll(/\s/g, '')).not.toContain(token.slice(0, 6).join(','));
    await pair.close();
  });
});

describe('a name', () => {
  it('is not given twice while its client has a link', async () => {
    const pair = await connected();
    await expect(join(pair.clients)).rejects.toMatchObject({
      code: 'transport.unavailable',
      message: expect.stringContaining('connected already'),
    });
    expect(await select(pair.remote, 1)).toBe(1);
    await pair.close();
  });

  it('is given to a client that begins anew, when the one before has no link', async () => {
    const events: string[] = [];
    const pair = await connected({ coordinator: { onEvent: ({ kind }) => events.push(kind) } });
    const call = expect(select(pair.remote, 1)).rejects.toMatchObject({
      code: 'transport.unavailable',
    });
    pair.links.break();
    const { client } = await join(pair.clients);
    await call;
    expect(pair.remote.lost.aborted).toBe(true);
    expect(pair.clients.clients).toHaveLength(1);
    expect(events).toEqual(['joined', 'interrupted', 'lost', 'joined']);
    await client.close();
    await pair.close();
  });

  describe('that is proven, by a client that begins anew', () => {
    const right = { name: 'ada', address: 'here' };

    it('is given at once when the link before does not answer', async () => {
      vi.useFakeTimers();
      const events: string[] = [];
      const pair = await connected({
        link: { right },
        coordinator: { onEvent: ({ kind }) => events.push(kind), takeoverMs: 500 },
      });
      const call = expect(select(pair.remote, 1)).rejects.toMatchObject({
        code: 'transport.unavailable',
        message: expect.stringContaining('came again from here'),
      });
      pair.links.stall();
      const again = join(pair.clients, {}, { right });
      await vi.advanceTimersByTimeAsync(400);
      expect(pair.remote.isEnded).toBe(false);
      await vi.advanceTimersByTimeAsync(200);
      const { client } = await again;
      await call;
      expect(events).toEqual(['joined', 'lost', 'joined']);
      expect(pair.clients.clients.map(({ isConnected }) => isConnected)).toEqual([true]);
      const closed = Promise.all([client.close(), pair.close()]);
      await vi.advanceTimersByTimeAsync(2000);
      await closed;
      expect(vi.getTimerCount()).toBe(0);
    });

    it('is not given while the link before answers', async () => {
      const pair = await connected({ link: { right } });
      await expect(join(pair.clients, {}, { right })).rejects.toMatchObject({
        code: 'transport.unavailable',
        message: expect.stringContaining('connected already'),
      });
      expect(await select(pair.remote, 1)).toBe(1);
      await pair.close();
    });

    it('is asked for once, however many come', async () => {
      vi.useFakeTimers();
      const pair = await connected({ link: { right }, coordinator: { takeoverMs: 500 } });
      pair.links.stall();
      const first = join(pair.clients, {}, { right });
      const others = Array.from({ length: 20 }, () =>
        expect(join(pair.clients, {}, { right })).rejects.toMatchObject({
          code: 'transport.unavailable',
        }),
      );
      // Without waiting for the answer that the first one waits for.
      await Promise.all(others);
      await vi.advanceTimersByTimeAsync(600);
      const { client } = await first;
      const closed = Promise.all([client.close(), pair.close()]);
      await vi.advanceTimersByTimeAsync(2000);
      await closed;
    });
  });

  it('that is only claimed is not given, though the link before does not answer', async () => {
    vi.useFakeTimers();
    const pair = await connected({ coordinator: { takeoverMs: 500 } });
    pair.links.stall();
    await expect(join(pair.clients)).rejects.toMatchObject({ code: 'transport.unavailable' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(pair.remote.isEnded).toBe(false);
    const closed = pair.close();
    await vi.advanceTimersByTimeAsync(2000);
    await closed;
  });

  it('is not taken over with a token that is not its own', async () => {
    const pair = await connected();
    const other = await connected();
    const { left, right } = memoryLinks();
    void pair.clients.accept(left);
    await expect(other.client.serve(right)).rejects.toMatchObject({
      code: 'transport.unavailable',
    });
    expect(pair.remote.isConnected).toBe(true);
    await Promise.all([pair.close(), other.close()]);
  });
});

describe('many links', () => {
  it('that never speak neither keep others out nor stay', async () => {
    vi.useFakeTimers();
    const clients = new ConnectedClients({ maxGreeting: 100, helloMs: 5000 });
    const silent = Array.from({ length: 500 }, () => memoryLinks());
    const refused = silent.map(({ left }) => clients.accept(left));
    expect(clients.greeting).toBe(100);
    const joined: Awaited<ReturnType<typeof join>>[] = [];
    for (let i = 0; i < 500; i += 1) joined.push(await join(clients, { name: `client ${i}` }));
    expect(clients.clients).toHaveLength(500);
    await vi.advanceTimersByTimeAsync(7000);
    expect(await Promise.all(refused)).toEqual(Array(500).fill(null));
    expect(clients.greeting).toBe(0);
    await clients.close();
    await Promise.all(joined.map(({ client }) => client.close()));
    await vi.advanceTimersByTimeAsync(2000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are refused when there are too many clients', async () => {
    const clients = new ConnectedClients({ maxClients: 2 });
    await join(clients, { name: 'a' });
    await join(clients, { name: 'b' });
    await expect(join(clients, { name: 'c' })).rejects.toMatchObject({
      code: 'transport.resource_exhausted',
    });
    await clients.close();
  });

  it('are refused after the coordinator was closed', async () => {
    const clients = new ConnectedClients();
    await clients.close();
    await expect(join(clients)).rejects.toMatchObject({ code: 'transport.unavailable' });
  });
});

describe('a cohort', () => {
  it('is chosen of those connected who can do what is asked for', async () => {
    const clients = new ConnectedClients();
    const none = { ...DESCRIPTION.capabilities, operators: [] };
    await join(clients, { name: 'a' });
    await join(clients, { name: 'b', capabilities: none });
    await join(clients, { name: 'c' });
    const { links } = await join(clients, { name: 'd' });
    links.break();
    const names = async (selection: Omit<Parameters<typeof clients.select>[0], 'within'>) =>
      (await clients.select({ ...selection, within: 0 })).map(({ name }) => name).sort();
    expect(await names({ atLeast: 3 })).toEqual(['a', 'b', 'c']);
    expect(await names({ atLeast: 2, operators: ['paillier'] })).toEqual(['a', 'c']);
    expect(await names({ atLeast: 1, where: ({ name }) => name > 'b' })).toEqual(['c']);
    expect(await names({ atLeast: 1, atMost: 2 })).toHaveLength(2);
    await clients.close();
  });

  it('is waited for, and fails with how many there are', async () => {
    vi.useFakeTimers();
    const clients = new ConnectedClients();
    await join(clients, { name: 'a' });
    const enough = clients.select({ atLeast: 2, within: 1000 });
    const never = expect(clients.select({ atLeast: 9, within: 1000 })).rejects.toThrow(
      '9 clients were asked for within 1000 ms; there are 2 that may be chosen, of 2 connected.',
    );
    await vi.advanceTimersByTimeAsync(500);
    await join(clients, { name: 'b' });
    expect(await enough).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(501);
    await never;
    await clients.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not waited for any more when the signal or the coordinator says so', async () => {
    const clients = new ConnectedClients();
    const controller = new AbortController();
    const aborted = clients.select({ atLeast: 1, within: 60_000, signal: controller.signal });
    const closed = clients.select({ atLeast: 1, within: 60_000 });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await clients.close();
    await expect(closed).rejects.toMatchObject({ code: 'transport.unavailable' });
  });

  it('fails with what a condition throws, also while it is waited for', async () => {
    const clients = new ConnectedClients();
    const where = (): boolean => {
      throw new Error('a bad condition');
    };
    const chosen = expect(clients.select({ atLeast: 1, within: 60_000, where })).rejects.toThrow(
      'a bad condition',
    );
    await join(clients);
    await chosen;
    await clients.close();
  });

  it.each([
    { atLeast: 0, within: 0 },
    { atLeast: 2, atMost: 1, within: 0 },
    { atLeast: 1.5, within: 0 },
    { atLeast: 1, within: -1 },
    { atLeast: 1, within: Number.NaN },
  ])('is refused for %j', async (selection) => {
    await expect(new ConnectedClients().select(selection)).rejects.toMatchObject({
      code: 'value.out_of_range',
    });
  });

  it('depends on names and random bytes, and not on who came first', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 20 }),
        fc.nat(20),
        fc.uint8Array({ minLength: 1, maxLength: 4 }),
        (names, count, seed) => {
          const from = names.map((name) => ({ name }));
          const chosen = choose(from, count, deterministicRng(seed));
          expect(choose([...from].reverse(), count, deterministicRng(seed))).toEqual(chosen);
          expect(new Set(chosen).size).toBe(Math.min(count, names.length));
        },
      ),
    );
  });

  it('is uniform', () => {
    const rng = deterministicRng(Uint8Array.of(1));
    const from = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name }));
    const counts = new Map<string, number>();
    const rounds = 10_000;
    for (let i = 0; i < rounds; i += 1) {
      const key = choose(from, 2, rng)
        .map(({ name }) => name)
        .join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(20);
    // Pearson's test with 19 degrees of freedom: 43.8 is exceeded once in a thousand seeds.
    const expected = rounds / 20;
    const chi = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(chi).toBeLessThan(43.8);
  });
});

/** Connects a client of ours over a link of its own. */
async function join(
  clients: ConnectedClients,
  options: Partial<EnvelopeClientOptions> = {},
  link: MemoryLinkOptions = {},
) {
  const links = memoryLinks(link);
  void clients.accept(links.left);
  const client = echoClient([], options);
  await client.serve(links.right);
  return { client, links };
}

/** Sends a hello that is written by hand. */
async function greetWith(
  hello: Parameters<typeof create<typeof HelloSchema>>[1],
  options: ConnectedClientsOptions = {},
) {
  const clients = new ConnectedClients(options);
  const { left, right } = memoryLinks();
  void clients.accept(left);
  const frames: ReturnType<typeof decodeFrame>[] = [];
  const closed = new Promise<void>((resolve) => {
    right.listen({
      frame: (bytes) => void frames.push(decodeFrame(bytes)),
      closed: () => resolve(),
    });
  });
  const kind = { case: 'hello' as const, value: create(HelloSchema, hello) };
  await right.send(toBinary(FrameSchema, create(FrameSchema, { kind })));
  return { clients, closed, frames };
}
