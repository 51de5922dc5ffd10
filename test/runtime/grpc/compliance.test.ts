/** @file The compliance suite over real connections, and stacks over services that die. */

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { federatedComputation } from '../../../computations/index.ts';
import { atClients, float32, int32 } from '../../../computations/types/index.ts';
import { RemoteExecutor } from '../../../executors/remote/client/remote-executor.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { masking } from '../../../executors/secure/index.ts';
import { federatedSecureSumBitwidth, federatedSum } from '../../../intrinsics/index.ts';
import { type GrpcCalls, grpcCalls } from '../../../runtime/grpc/grpc-channel.node.ts';
import { type GrpcService, serveGrpc } from '../../../runtime/grpc/grpc-server.node.ts';
import { grpcWorkers } from '../../../runtime/grpc/grpc-workers.node.ts';
import { ExecutionContext, leafExecutor, localExecutorFactory } from '../../../runtime/index.ts';
import { remoteExecutorFactory } from '../../../runtime/remote/remote-factory.ts';
import { workerExecutors } from '../../../runtime/remote/worker-executors.ts';
import { describeExecutor } from '../../compliance/executor.ts';
import { type TrackedBackend, trackedBackend } from '../../executors/tracked-backend.ts';

interface Worker {
  readonly calls: GrpcCalls;
  readonly service: GrpcService;
  readonly host: ExecutorHost;
}

let backend: TrackedBackend;
const workers: Worker[] = [];

beforeAll(async () => {
  backend = await trackedBackend();
  for (let i = 0; i < 3; i++) workers.push(await startWorker());
  workers.push(await startWorker({ answers: 'at-once' }));
});

afterAll(async () => {
  for (const { calls, service, host } of workers) {
    await calls.close();
    await service.close();
    await host.close();
  }
});

async function startWorker({
  listen = '127.0.0.1:0',
  answers = 'when-made',
}: {
  readonly listen?: string;
  readonly answers?: 'when-made' | 'at-once';
} = {}): Promise<Worker> {
  const factory = localExecutorFactory({ backend });
  const { operators } = masking().secureStack();
  const host = new ExecutorHost({
    answers,
    makeExecutor: workerExecutors({ leaf: () => leafExecutor(backend, { operators }), factory }),
  });
  const service = await serveGrpc({ listen, host: () => host.connect() });
  return { host, service, calls: grpcCalls(service.address, { maxReconnectMs: 100 }) };
}

const sentWhole = { readsAgain: 'a sequence is read when it is sent, and sent as a whole' };
const settle = () => vi.waitFor(() => expect(backend.live()).toBe(0));
const fixture = { liveTensors: () => backend.live(), settle };

describeExecutor(
  'leaf over gRPC',
  async () => ({
    ...fixture,
    create: async () => new RemoteExecutor((workers[0] as Worker).calls),
  }),
  { skip: { placed: 'it knows no placements' }, ...sentWhole },
);
describeExecutor(
  'clients of a service that answers at once, as that of TensorFlow Federated',
  async () => ({
    ...fixture,
    create: (clients) => {
      const remote = { answers: 'at-once' } as const;
      const { calls } = workers[3] as Worker;
      return remoteExecutorFactory([{ calls }], { backend, remote }).createExecutor({ clients });
    },
  }),
);
for (const clients of ['together', 'one-by-one'] as const) {
  describeExecutor(`workers over gRPC, clients ${clients}`, async () => ({
    ...fixture,
    create: (count) =>
      remoteExecutorFactory(workers.slice(0, 3), { backend, clients }).createExecutor({
        clients: count,
      }),
  }));
}

describe('a context over gRPC', () => {
  const sum = federatedComputation([atClients(int32())], (x) => federatedSum(x));

  it('goes on when a service dies and comes back', async () => {
    const first = await startWorker();
    const second = workers[1] as Worker;
    const owned = [first, second].map(({ calls }) => ({ calls }));
    const factory = remoteExecutorFactory(owned, { backend, probeTimeoutMs: 2_000 });
    const context = new ExecutionContext(factory);
    expect(await context.invoke(sum, [[1, 2, 3]])).toBe(6);
    await first.service.close(0);
    expect(await context.invoke(sum, [[1, 2, 3]])).toBe(6);
    expect(first.host.usage.executors).toBe(0);
    const again = await startWorker({ listen: first.service.address });
    await first.calls.ready();
    expect(await context.invoke(sum, [[1, 2, 3]])).toBe(6);
    expect(again.host.usage.executors).toBe(1);
    await context.close();
    await vi.waitFor(() => expect(again.host.usage).toEqual({ executors: 0, values: 0 }));
    await first.calls.close();
    await again.calls.close();
    await again.service.close();
    await first.host.close();
    await again.host.close();
  });

  it('sums securely', async () => {
    const secureSum = federatedComputation([atClients(int32())], (x) =>
      federatedSecureSumBitwidth(x, 8),
    );
    const owned = workers.slice(0, 3).map(({ calls }) => ({ calls }));
    const factory = remoteExecutorFactory(owned, { backend, secureAggregation: masking() });
    const context = new ExecutionContext(factory);
    expect(await context.invoke(secureSum, [[1, 2, 3, 4, 5]])).toBe(15);
    await context.close();
  });

  it('moves 16 MiB each way', async () => {
    const big = federatedComputation([atClients(float32(2 ** 22))], (x) => federatedSum(x));
    const addresses = workers
      .slice(0, 3)
      .map(({ service }, i) => ({ address: service.address, clients: i }));
    const factory = remoteExecutorFactory(grpcWorkers(addresses), { backend });
    const context = new ExecutionContext(factory);
    const vector = new Float32Array(2 ** 22).fill(0.5);
    const result = await context.invoke(big, [[vector, vector, vector]]);
    expect(result.data.at(-1)).toBe(1.5);
    await context.close();
  });
});
