/**
 * @file A coordinator in a process of its own, as a user would start it, which measures how quickly a
 * large tensor goes to a client in another process and back: `tensor-transfer.js <bytes> <peer-process.js>`.
 * Tells its parent the `TransferRates`.
 */

import { spawn } from 'node:child_process';
import { TensorValue, tensorOfShape } from '../../computations/types/index.ts';
import { RemoteExecutor } from '../../executors/remote/client/remote-executor.ts';
import { Coordinator } from '../../runtime/dial-in/coordinator.node.ts';
import { median } from './secagg-round.ts';

/** In MB/s, over a connection that is warm. */
export interface TransferRates {
  /** To the client. */
  readonly up: number;
  readonly down: number;
}

const [bytes = '', peerScript = ''] = process.argv.slice(2);
const coordinator = await Coordinator.start({ listen: '127.0.0.1:0' });
const seed = '00'.repeat(32);
const peer = spawn(process.execPath, [peerScript, coordinator.address, seed, '0'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
try {
  const { clients } = await coordinator.select({ atLeast: 1, within: 60_000 });
  const executor = new RemoteExecutor(clients[0]!);
  const data = Float32Array.from({ length: Number(bytes) / 4 }, (_, i) => i);
  const tensor = new TensorValue('float32', [data.length], data);
  const type = tensorOfShape('float32', [data.length]);
  const up = await rateOf(async () => {
    using _ = await executor.createValue(tensor, type);
  });
  using value = await executor.createValue(tensor, type);
  const down = await rateOf(async () => {
    const read = await value.compute();
    if (read.kind !== 'tensor' || read.data[data.length - 1] !== data[data.length - 1]) {
      throw new Error('The tensor came back as another one.');
    }
  });
  await executor.close();
  process.send?.({ up, down } satisfies TransferRates);
} finally {
  peer.kill();
  await coordinator.close(0);
  if (process.connected) process.disconnect();
}

async function rateOf(transfer: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 35; i += 1) {
    const start = performance.now();
    await transfer();
    if (i >= 10) times.push(performance.now() - start);
  }
  return Number(bytes) / 1e3 / median(times);
}
