/**
 * @file A process with clients that dial in to the coordinator of a benchmark, over plain text on
 * loopback: `peer-process.ts <address> <seed of identities> <place> …`, each the place of a client in the
 * simulated roster. They are under no guard: what is measured is the way there.
 */

import { loadBackend } from '../../computations/tensors/index.ts';
import { TensorValue } from '../../computations/types/index.ts';
import { secAggPlus, simulatedIdentities } from '../../executors/index.ts';
import { toSecureStack } from '../../executors/secure/secure-stack.ts';
import { ClientProcess } from '../../runtime/dial-in/client-process.node.ts';
import { leafExecutor } from '../../runtime/leaf-executor.ts';

const [address = '', seed = '', ...places] = process.argv.slice(2);
const backend = await loadBackend();
const identities = simulatedIdentities(Buffer.from(seed, 'hex'));
const { operators } = toSecureStack(secAggPlus({ identities }));

const clients = places.map(
  (place) =>
    new ClientProcess({
      connect: address,
      name: `client ${place}`,
      capabilities: { operators: [], backend: backend.name, platform: 'benchmark', version: '' },
      policy: { text: '', hash: new Uint8Array(0) },
      makeExecutor: async () =>
        leafExecutor(backend, {
          operators,
          dataSource: {
            resolve: (uri) =>
              uri === 'first' ? new TensorValue('int32', [], Int32Array.of(Number(place))) : null,
          },
        }),
    }),
);
process.once('SIGTERM', () => {
  void Promise.all(clients.map((client) => client.close(0))).then(() => process.exit(0));
});
await Promise.all(clients.map((client) => client.run()));
