/**
 * @file Clients in other processes, which dialled in over gRPC on loopback: a large tensor each way, a
 * tiny map at many, one request to very many.
 */

import * as tf from '@tensorflow/tfjs';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { atClients, int32, TensorValue, tensorOfShape } from '../../computations/types/index.ts';
import { RemoteExecutor } from '../../executors/remote/remote-executor.ts';
import { federatedMap } from '../../intrinsics/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';
import { Peers } from '../support/peers.ts';
import { median } from '../support/secagg-round.ts';

const TENSOR_BYTES = 64 * 2 ** 20;

const benchmark: Benchmark = {
  name: 'remote',
  target:
    'a tensor of 64 MiB at 400 MB/s each way; a federatedMap of a tiny graph on 100 clients in 5 ' +
    'processes at 1 ms a client; 1,000 clients in one process answer within 2 s',
  long: true,
  async run() {
    return [...(await largeTensor()), await tinyMap(), await manyClients()];
  },
};

export default benchmark;

async function largeTensor(): Promise<BenchmarkFigure[]> {
  await using peers = await Peers.start(1, 1);
  const [client] = (await peers.cohort()).clients;
  const executor = new RemoteExecutor(client!);
  const data = new Float32Array(TENSOR_BYTES / 4).map((_, i) => i);
  const type = tensorOfShape('float32', [data.length]);
  const times = { up: [] as number[], down: [] as number[] };
  for (let i = 0; i < 9; i += 1) {
    const start = performance.now();
    using value = await executor.createValue(new TensorValue('float32', [data.length], data), type);
    const sent = performance.now();
    const read = await value.compute();
    const end = performance.now();
    if (read.kind !== 'tensor' || read.data[data.length - 1] !== data[data.length - 1]) {
      throw new Error('The tensor came back as another one.');
    }
    if (i < 2) continue;
    times.up.push(sent - start);
    times.down.push(end - sent);
  }
  await executor.close();
  return (['up', 'down'] as const).map((way) => ({
    case: `64 MiB ${way}`,
    unit: 'MB/s',
    value: TENSOR_BYTES / 1e3 / median(times[way]),
    limit: { atLeast: 400 },
  }));
}

async function tinyMap(): Promise<BenchmarkFigure> {
  const clients = 100;
  await using peers = await Peers.start(clients, 5);
  const cohort = await peers.cohort();
  await using context = cohort.context();
  const addOne = tensorComputation([int32()], (x) => tf.add(x, tf.scalar(1, 'int32')));
  const mapped = federatedComputation([atClients(int32())], (x) => federatedMap(addOne, x));
  const data = Array.from({ length: clients }, (_, client) => client);
  const times: number[] = [];
  // At first six processes compile what they run.
  for (let i = 0; i < 80; i += 1) {
    const start = performance.now();
    await context.invoke(mapped, [data]);
    if (i >= 30) times.push(performance.now() - start);
  }
  const value = median(times) / clients;
  return { case: 'map at 100 clients', unit: 'ms/client', value, limit: { atMost: 1 } };
}

async function manyClients(): Promise<BenchmarkFigure> {
  const clients = 1_000;
  await using peers = await Peers.start(clients, 1);
  const cohort = await peers.cohort();
  const value = new TensorValue('int32', [], Int32Array.of(1));
  const start = performance.now();
  await Promise.all(
    cohort.clients.map(async (client) => {
      const executor = new RemoteExecutor(client);
      using handle = await executor.createValue(value, int32());
      await handle.compute();
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  return { case: '1,000 clients answer', unit: 's', value: seconds, limit: { atMost: 2 } };
}
