/**
 * @file What the guard of a client costs: a secure sum of vectors of the model's size, and a map of a tiny
 * graph, over clients with `guardedLeaf` and with a plain leaf. All are in one process, behind the twin of
 * a transport; rounds of both alternate, so that what else the machine does hits both.
 */

import * as tf from '@tensorflow/tfjs';
import { federatedComputation, tensorComputation } from '../../computations/index.ts';
import { type Backend, loadBackend } from '../../computations/tensors/index.ts';
import {
  atClients,
  atServer,
  float32,
  int32,
  TensorValue,
} from '../../computations/types/index.ts';
import type { Executor } from '../../executors/executor.ts';
import {
  ExecutorHost,
  guardedLeaf,
  type IdentityProvider,
  inMemoryCalls,
  secAggPlus,
  simulatedIdentities,
} from '../../executors/index.ts';
import { toSecureStack } from '../../executors/secure/secure-stack.ts';
import {
  federatedBroadcast,
  federatedData,
  federatedMap,
  federatedSecureSumBitwidth,
} from '../../intrinsics/index.ts';
import {
  ExecutionContext,
  leafExecutor,
  type RemoteWorker,
  remoteExecutorFactory,
} from '../../runtime/index.ts';
import type { Benchmark } from '../benchmark.ts';
import { median } from '../support/secagg-round.ts';

const CLIENTS = 10;
const VALUES = 100_000;

const benchmark: Benchmark = {
  name: 'guard',
  target:
    'with the guard, a secure sum of 100,000 values over 10 clients takes at most 10 % more processor ' +
    'time, and a map of a tiny graph at most 0.3 ms more a client',
  async run() {
    const backend = await loadBackend();
    const identities = simulatedIdentities(new Uint8Array(32).fill(7));
    await using plain = contextOf(identities, () => plainLeaf(backend, identities));
    await using guarded = contextOf(identities, () =>
      guardedLeaf({ backend, identities, dataSource: DATA, policy: { computations: 'any' } }),
    );
    const both = { plain, guarded };
    const weights = Float32Array.from({ length: VALUES }, (_, i) => i % 7);
    const sum = await alternating(both, 40, (context) => context.invoke(SECURE_SUM, [weights]));
    const points = Array.from({ length: CLIENTS }, (_, client) => client);
    const map = await alternating(both, 200, (context) => context.invoke(TINY_MAP, [points]));
    const overhead = (100 * sum.guarded) / sum.plain - 100;
    return [
      { case: 'secure sum without guard', unit: 'ms', value: sum.plain },
      { case: 'secure sum with guard', unit: 'ms', value: sum.guarded },
      { case: 'guard of a secure sum', unit: '% more', value: overhead, limit: { atMost: 10 } },
      { case: 'tiny map without guard', unit: 'ms/client', value: map.plain / CLIENTS },
      {
        case: 'guard of a tiny map',
        unit: 'ms/client more',
        value: (map.guarded - map.plain) / CLIENTS,
        limit: { atMost: 0.3 },
      },
    ];
  },
};

export default benchmark;

/** Integers that depend on a client's data and on a model that the server sends to all. */
const SECURE_SUM = (() => {
  const update = tensorComputation([float32(VALUES), int32()], (weights, own) =>
    tf.add(tf.cast(weights, 'int32'), own),
  );
  return federatedComputation([atServer(float32(VALUES))], (weights) =>
    federatedSecureSumBitwidth(
      federatedMap(update, [federatedBroadcast(weights), federatedData('own', int32())]),
      17,
    ),
  );
})();

const TINY_MAP = (() => {
  const addOne = tensorComputation([int32()], (x) => tf.add(x, tf.scalar(1, 'int32')));
  return federatedComputation([atClients(int32())], (x) => federatedMap(addOne, x));
})();

const DATA = {
  resolve: (uri: string) => (uri === 'own' ? new TensorValue('int32', [], Int32Array.of(5)) : null),
};

function plainLeaf(backend: Backend, identities: IdentityProvider): Executor {
  const { operators } = toSecureStack(secAggPlus({ identities }));
  return leafExecutor(backend, { operators, dataSource: DATA });
}

/** @param makeLeaf makes the executor of one client. */
function contextOf(identities: IdentityProvider, makeLeaf: () => Executor): ExecutionContext {
  const workers = Array.from({ length: CLIENTS }, (_, client): RemoteWorker => {
    const host = new ExecutorHost({ makeExecutor: async () => makeLeaf() });
    return { name: `client ${client}`, calls: inMemoryCalls(host), clients: 1 };
  });
  return new ExecutionContext(
    remoteExecutorFactory(workers, { secureAggregation: secAggPlus({ identities }) }),
  );
}

/** Medians of the processor time that each takes, in milliseconds. */
async function alternating(
  contexts: { readonly plain: ExecutionContext; readonly guarded: ExecutionContext },
  rounds: number,
  work: (context: ExecutionContext) => Promise<unknown>,
): Promise<{ readonly plain: number; readonly guarded: number }> {
  const times = { plain: [] as number[], guarded: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    const order = ['plain', 'guarded'] as const;
    // What one leaves to be collected must not always fall to the other.
    for (const name of round % 2 === 0 ? order : order.toReversed()) {
      const before = process.cpuUsage();
      await work(contexts[name]);
      const { user, system } = process.cpuUsage(before);
      if (round >= rounds / 4) times[name].push((user + system) / 1000);
    }
  }
  return { plain: median(times.plain), guarded: median(times.guarded) };
}
