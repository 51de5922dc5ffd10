/** @file Batches over links, and how many requests an invocation makes of clients that dialled in. */

import { create } from '@bufbuild/protobuf';
import * as tf from '@tensorflow/tfjs';
import {
  atClients,
  ExecutionContext,
  federatedComputation,
  federatedMap,
  int32,
  remoteExecutorFactory,
  tensorComputation,
  withContext,
} from 'fedloom';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BatchRequestSchema } from '../../../computations/wire/gen/fedloom/v1/batch_pb.ts';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { leafExecutor } from '../../../runtime/index.ts';
import type { ConnectedClient } from '../../../runtime/remote/connected-client.ts';
import { ConnectedClients } from '../../../runtime/remote/connected-clients.ts';
import type { ServedCall } from '../../../runtime/remote/envelope/call-server.ts';
import { EnvelopeClient, type ServedCalls } from '../../../runtime/remote/envelope/client.ts';
import { memoryLinks } from '../../../runtime/remote/memory-link.ts';
import { addConstant, INT, int } from '../../executors/blocks.ts';
import { type TrackedBackend, trackedBackend } from '../../executors/tracked-backend.ts';
import { DESCRIPTION, PLENTY } from './envelope.helpers.ts';

let backend: TrackedBackend;
let host: ExecutorHost;
let clients: ConnectedClients;
/** What the clients were asked, in order. */
let asked: string[];

beforeEach(async () => {
  backend = await trackedBackend();
  host = new ExecutorHost({ makeExecutor: async () => leafExecutor(backend) });
  clients = new ConnectedClients();
  asked = [];
});

afterEach(async () => {
  await clients.close();
  expect(host.usage.values).toBe(0);
  await host.close();
});

async function connected(
  name: string,
  connect: () => ServedCalls = () => host.connect(),
): Promise<ConnectedClient> {
  const around = <T>({ method }: ServedCall, work: () => Promise<T>): Promise<T> => {
    asked.push(method);
    return work();
  };
  const client = new EnvelopeClient({ ...DESCRIPTION, name, connect, around });
  const links = memoryLinks();
  const accepted = clients.accept(links.left);
  await client.serve(links.right);
  return (await accepted) as ConnectedClient;
}

/** Calls that know of no batches, as of another make. */
function withoutBatches(): ServedCalls {
  const calls = host.connect();
  return {
    call: (method, request, options) => calls.call(method, request, options),
    close: () => calls.close(),
  };
}

async function seven(client: ConnectedClient): Promise<unknown> {
  const executor = new RemoteExecutor(client);
  const fn = await executor.createValue(addConstant(3), addConstant(3).type);
  const result = await executor.createCall(fn, await executor.createValue(int(4), INT));
  const value = await result.compute();
  await executor.close();
  return value;
}

describe('a batch over a link', () => {
  it('is one request of the client', async () => {
    const client = await connected('ada');
    expect(await seven(client)).toMatchObject({ data: Int32Array.of(7) });
    expect(asked.slice(0, 4)).toEqual(['getExecutor', 'createValue', 'batch', 'compute']);
  });

  it('is refused by a client that takes none, which is then asked one by one', async () => {
    const client = await connected('ada', withoutBatches);
    const request = create(BatchRequestSchema, { executor: { id: 'any' } });
    await expect(client.batch(request, PLENTY)).rejects.toMatchObject({
      code: 'transport.unimplemented',
    });
    expect(await seven(client)).toMatchObject({ data: Int32Array.of(7) });
    expect(asked).toContain('createCall');
    expect(asked).not.toContain('batch');
  });

  it('that cannot be read fails, and the session goes on', async () => {
    const client = await connected('ada');
    const value = new Uint8Array(64).fill(255);
    const request = create(BatchRequestSchema, { steps: [{ kind: { case: 'value', value } }] });
    await expect(client.batch(request, PLENTY)).rejects.toMatchObject({
      code: 'transport.invalid_argument',
    });
    expect(await seven(client)).toMatchObject({ data: Int32Array.of(7) });
  });

  it('is taken back when nobody waits for its answer', async () => {
    const client = await connected('ada');
    const executor = new RemoteExecutor(client);
    const fn = await executor.createValue(addConstant(3), addConstant(3).type);
    const argument = await executor.createValue(int(1), INT);
    const controller = new AbortController();
    const calling = executor.createCall(fn, argument, { signal: controller.signal });
    await vi.waitFor(() => expect(asked).toContain('batch'));
    controller.abort(new Error('enough'));
    await Promise.allSettled([calling.then((result) => result[Symbol.dispose]())]);
    argument[Symbol.dispose]();
    await executor.flush();
    // The function alone.
    await vi.waitFor(() => expect(host.usage.values).toBe(1));
    await executor.close();
  });
});

describe('a map over clients that dialled in', () => {
  it('asks each twice: to call the function on its value, and for the result', async () => {
    const chosen = await Promise.all(['ada', 'bob', 'eve'].map((name) => connected(name)));
    const workers = chosen.map((client) => ({ name: client.name, calls: client, clients: 1 }));
    await using context = new ExecutionContext(
      remoteExecutorFactory(workers, { clients: 'one-by-one' }),
    );
    const addOne = tensorComputation([int32()], (x) => tf.add(x, tf.scalar(1, 'int32')));
    const map = federatedComputation([atClients(int32())], (x) => federatedMap(addOne, x));
    await withContext(context, () => map([1, 2, 3]));
    asked.splice(0);
    expect(await withContext(context, () => map([4, 5, 6]))).toEqual([5, 6, 7]);
    expect(asked.sort()).toEqual([...Array(3).fill('batch'), ...Array(3).fill('compute')]);
  });
});
