/**
 * @file Clients in other processes, which dialled in over gRPC on loopback: a large tensor each way, a
 * tiny map at many, one request to very many.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { atClients, int32, TensorValue } from '../../computations/types/index.ts';
import { RemoteExecutor } from '../../executors/remote/client/remote-executor.ts';
import { federatedMap } from '../../intrinsics/index.ts';
import type { Benchmark, BenchmarkFigure } from '../benchmark.ts';
import { bundle, bundleFolder, Peers } from '../support/peers.ts';
import { median } from '../support/secagg-round.ts';
import type { TransferRates } from '../support/tensor-transfer.ts';

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
  const folder = bundleFolder();
  try {
    await bundle(folder, ['tensor-transfer.ts', 'peer-process.ts']);
    const [measuring, peer] = ['tensor-transfer.js', 'peer-process.js'].map((script) =>
      join(folder, script),
    );
    const child = fork(measuring!, [String(TENSOR_BYTES), peer!], { execArgv: [] });
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`The coordinator that measures ended with ${code}.`);
    });
    const [rates] = (await Promise.race([once(child, 'message'), failed])) as [TransferRates];
    failed.catch(() => {});
    if (child.exitCode === null) await once(child, 'exit');
    return Object.entries(rates).map(([way, value]) => ({
      case: `64 MiB ${way}`,
      unit: 'MB/s',
      value,
      limit: { atLeast: 400 },
    }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
