/** @file Faults of one client and its line, over gRPC: a dead line, a value too large, frames twice. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { int32, TensorValue } from '../../../computations/types/index.ts';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import {
  ClientProcess,
  type ClientProcessOptions,
} from '../../../runtime/dial-in/client-process.node.ts';
import { Coordinator, type CoordinatorOptions } from '../../../runtime/dial-in/coordinator.node.ts';
import { tlsCredentials } from '../../../runtime/grpc/credentials.node.ts';
import { openGrpcLink } from '../../../runtime/grpc/grpc-channel.node.ts';
import { leafExecutor } from '../../../runtime/leaf-executor.ts';
import { ConnectedClients } from '../../../runtime/remote/connected-clients.ts';
import { decodeFrame } from '../../../runtime/remote/envelope/frames.ts';
import type { Link } from '../../../runtime/remote/link.ts';
import { testAuthority } from '../grpc/certificates.ts';
import { Opened } from '../grpc/fixture.ts';
import {
  bytesOf,
  DESCRIPTION,
  type Echo,
  echoClient,
  put,
  select,
  take,
} from '../remote/envelope.helpers.ts';
import { SlowNetwork } from './slow-network.ts';

let opened: Opened;
beforeEach(() => {
  opened = new Opened();
});
afterEach(() => opened.close());

async function coordinate(options: Partial<CoordinatorOptions> = {}) {
  const events: string[] = [];
  const coordinator = await Coordinator.start({
    listen: '127.0.0.1:0',
    ...options,
    clients: { ...options.clients, onEvent: ({ kind }) => events.push(kind) },
  });
  opened.closeLater(() => coordinator.close(100));
  return { coordinator, events, port: Number(coordinator.address.split(':').at(-1)) };
}

function run(options: Partial<ClientProcessOptions> & { readonly connect: string }): ClientProcess {
  const client = new ClientProcess({
    ...DESCRIPTION,
    makeExecutor: () => Promise.reject(new Error('nobody asks for it')),
    backOff: { firstMs: 10, mostMs: 50 },
    ...options,
  });
  opened.closeLater(() => client.close(100));
  client.run().catch(() => {});
  return client;
}

test('a client that begins anew while its last line is half-open is let in at once, by its certificate', async () => {
  const authority = await testAuthority();
  const issue = async (uris: readonly string[] = []) =>
    tlsCredentials({ ca: authority.ca, ...(await authority.issue({ uris })) });
  const credentials = await issue();
  // Without the question, it would take the half minute after which a silent line counts as dead.
  const { events, port, coordinator } = await coordinate({
    credentials,
    clients: { takeoverMs: 200 },
  });
  const network = await SlowNetwork.start(port);
  opened.closeLater(() => network[Symbol.asyncDispose]());
  const ada = await issue(['fedloom:client:ada']);
  run({ connect: `localhost:${network.port}`, credentials: ada });
  await vi.waitFor(() => expect(events).toEqual(['joined']), { timeout: 10_000 });
  network.freeze();
  run({ connect: `localhost:${port}`, credentials: ada });
  await vi.waitFor(() => expect(events).toEqual(['joined', 'lost', 'joined']), { timeout: 10_000 });
  expect(coordinator.clients.get('ada')?.isConnected).toBe(true);
});

test('a value beyond what a client says to take is RESOURCE_EXHAUSTED, and the client lives', async () => {
  const backend = await loadBackend();
  const { coordinator } = await coordinate();
  const client = run({
    connect: coordinator.address,
    limits: { maxMessageBytes: 100_000 },
    makeExecutor: async () => leafExecutor(backend),
  });
  await coordinator.clients.select({ atLeast: 1, within: 10_000 });
  const ada = coordinator.clients.get('ada')!;
  const executor = new RemoteExecutor(ada);
  const create = (length: number) =>
    executor.createValue(
      new TensorValue('int32', [length], new Int32Array(length).fill(7)),
      int32(length),
    );
  const small = await create(1_000);
  await expect(create(50_000)).rejects.toMatchObject({ code: 'transport.resource_exhausted' });
  expect(ada.isConnected).toBe(true);
  expect(await small.compute()).toMatchObject({ shape: [1_000] });
  expect(client.usage).toMatchObject({ values: 1 });
  small[Symbol.dispose]();
  await executor.close();
});

test('a message that comes twice is handled once, in a session over gRPC', async () => {
  let doubled = 0;
  const twice = (link: Link): Link => ({
    peer: link.peer,
    listen: (listener) => link.listen(listener),
    close: (reason) => link.close(reason),
    async send(frame) {
      const copy = frame.slice();
      await link.send(frame);
      if (decodeFrame(copy).kind !== 'data') return;
      doubled += 1;
      await link.send(copy);
    },
  });
  const clients = new ConnectedClients();
  opened.closeLater(() => clients.close());
  const service = await opened.serve({ links: (link) => void clients.accept(twice(link)) });
  const echoes: Echo[] = [];
  const client = echoClient(echoes);
  opened.closeLater(() => client.close());
  await client.serve(twice(await openGrpcLink(service.address)));
  const ada = clients.get('ada')!;
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  expect(await Promise.all(numbers.map((number) => select(ada, number)))).toEqual(numbers);
  for (const number of numbers.slice(0, 10)) await select(ada, 100 + number);
  await put(ada, bytesOf(1_000_000));
  const taken = (await take(ada)) ?? new Uint8Array(0);
  expect(Buffer.compare(taken, bytesOf(1_000_000))).toBe(0);
  expect(echoes[0]?.selected).toEqual([...numbers, ...numbers.slice(0, 10).map((n) => 100 + n)]);
  expect(doubled).toBeGreaterThan(20);
  expect(ada.isEnded).toBe(false);
});
