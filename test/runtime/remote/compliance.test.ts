/**
 * @file The compliance suite over the envelope: executors of a client that dialled in, over a quiet link
 * and over one that breaks all the time; and what is left of them when the client is lost.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { leafExecutor, localExecutorFactory } from '../../../runtime/index.ts';
import type { ConnectedClient } from '../../../runtime/remote/connected-client.ts';
import { ConnectedClients } from '../../../runtime/remote/connected-clients.ts';
import { EnvelopeClient } from '../../../runtime/remote/envelope/client.ts';
import { type MemoryLinks, memoryLinks } from '../../../runtime/remote/memory-link.ts';
import { workerExecutors } from '../../../runtime/remote/worker-executors.ts';
import { describeExecutor } from '../../compliance/executor.ts';
import { INT, int } from '../../executors/blocks.ts';
import { type TrackedBackend, trackedBackend } from '../../executors/tracked-backend.ts';
import { DESCRIPTION } from './envelope.helpers.ts';

let backend: TrackedBackend;
let host: ExecutorHost;

beforeAll(async () => {
  backend = await trackedBackend();
  const factory = localExecutorFactory({ backend });
  host = new ExecutorHost({
    makeExecutor: workerExecutors({ leaf: () => leafExecutor(backend), factory }),
  });
});

afterAll(() => host.close());

const sentWhole = { readsAgain: 'a sequence is read when it is sent, and sent as a whole' };

for (const everyFrames of [Number.POSITIVE_INFINITY, 7]) {
  const kind = everyFrames === 7 ? 'a link that breaks at every seventh frame' : 'a link';
  describe(`over ${kind}`, () => {
    const clients = new ConnectedClients();
    const client = new EnvelopeClient({ ...DESCRIPTION, connect: () => host.connect() });
    let remote: ConnectedClient;
    let isClosing = false;
    let connections = 0;

    /** Connects, and connects anew as soon as the link is gone. */
    const connect = async (): Promise<ConnectedClient | null> => {
      let frames = 0;
      connections += 1;
      const links: MemoryLinks = memoryLinks({
        record: () => {
          frames += 1;
          if (frames % everyFrames === 0) queueMicrotask(() => links.break());
        },
      });
      const accepted = clients.accept(links.left);
      const { lost } = await client.serve(links.right);
      void lost.then(async () => {
        if (!isClosing) await connect();
      });
      return await accepted;
    };

    beforeAll(async () => {
      remote = (await connect()) as ConnectedClient;
    });

    afterAll(async () => {
      isClosing = true;
      await Promise.all([clients.close(), client.close()]);
      expect(host.usage).toEqual({ executors: 0, values: 0 });
      expect(connections > 50).toBe(everyFrames === 7);
    });

    afterEach(() => {
      expect(clients.clients).toEqual([remote]);
    });

    describeExecutor(
      `federated executors of a client over ${kind}`,
      async () => ({
        create: async (count) =>
          new RemoteExecutor(remote, { cardinalities: { clients: count, server: 1 } }),
        liveTensors: () => backend.live(),
        settle: () => vi.waitFor(() => expect(backend.live()).toBe(0)),
      }),
      sentWhole,
    );
  });
}

describe('a client that is lost', () => {
  it('releases what the coordinator held, and fails what it waited for', async () => {
    vi.useFakeTimers();
    try {
      const clients = new ConnectedClients({ heartbeat: { graceMs: 1000 } });
      const client = new EnvelopeClient({ ...DESCRIPTION, connect: () => host.connect() });
      const links = memoryLinks();
      const accepted = clients.accept(links.left);
      await client.serve(links.right);
      const executor = new RemoteExecutor((await accepted) as ConnectedClient);
      const handle = await executor.createValue(int(1), INT);
      expect(await handle.compute()).toBeDefined();
      expect(host.usage).toMatchObject({ executors: 1 });
      links.break();
      const late = expect(handle.compute()).rejects.toMatchObject({
        code: 'transport.unavailable',
      });
      await vi.advanceTimersByTimeAsync(1001);
      await late;
      await vi.waitFor(() => expect(host.usage).toEqual({ executors: 0, values: 0 }));
      await executor.close();
      await Promise.all([clients.close(), client.close()]);
    } finally {
      vi.useRealTimers();
    }
  });
});
