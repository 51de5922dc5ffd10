/** @file The command `fedloom worker`: serves executors over gRPC to whoever connects. */

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadBackend } from '../../../computations/tensors/index.ts';
import { ExecutorHost } from '../../../executors/remote/host/host.ts';
import { transportError } from '../../../executors/remote/status.ts';
import type { ConnectExecutors, ConnectionCalls } from '../../grpc/connected-executors.node.ts';
import { serveGrpc } from '../../grpc/grpc-server.node.ts';
import { leafExecutor } from '../../leaf-executor.ts';
import { localExecutorFactory } from '../../local-factory.ts';
import { stderrLogger } from '../../logging/stderr-logger.node.ts';
import type { PeerIdentity } from '../../remote/link.ts';
import { workerExecutors } from '../../remote/worker-executors.ts';
import { printColumns } from '../../worker/data/index.ts';
import { clientLeaf } from '../client-leaf.node.ts';
import { type Command, type Surroundings, UsageError } from '../command.ts';
import { readKeyFolder } from '../key-folder.node.ts';
import { quantizationOf, requiredOption } from '../options.ts';

export const workerCommand: Command = {
  name: 'worker',
  summary: 'Serves executors over gRPC, for data of its own or for a simulation',
  usage: `Usage: fedloom worker --listen <host:port> (--keys <folder> [options] | --simulate)

Serves tensorflow_federated.v0.ExecutorGroup, with health and reflection.

  --listen <host:port>   where it is called; port 0 takes a free one
  --announce <file>      writes the address there once it listens

With --keys it is one client: it has data, a policy, and certificates that callers are asked for. Other
clients of the roster may not call it.

  --keys <folder>        as 'fedloom keys --client-host …' makes them
  --data <name=file>     data that computations may name; may be repeated
  --policy <file>        what is allowed, as JSON (default: secure sums of at least three clients)
  --clipping-range <c>   floats in sums are clipped to -c … c (default: 8); as the caller has it
  --max-weight <w>       the largest weight of a mean (default: 1000); as the caller has it
  --state <folder>       remembers sessions over restarts; without it a restart forgets them
  --audit <file>         every release and refusal, as JSON lines

With --simulate it has any number of clients whose data comes from its caller, and nothing to protect; it
answers as TensorFlow Federated's worker does. Plain text, on this machine only.

Examples:
  npx fedloom worker --listen 0.0.0.0:7444 --keys keys/hospital-a --data readings=./readings.csv
  npx fedloom worker --listen 127.0.0.1:10000 --simulate`,

  async run(args, surroundings) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        listen: { type: 'string' },
        announce: { type: 'string' },
        keys: { type: 'string' },
        simulate: { type: 'boolean', default: false },
        data: { type: 'string', multiple: true, default: [] },
        policy: { type: 'string' },
        state: { type: 'string' },
        audit: { type: 'string' },
        'clipping-range': { type: 'string' },
        'max-weight': { type: 'string' },
      },
    });
    const listen = requiredOption('--listen', values.listen);
    if (values.simulate !== (values.keys === undefined)) {
      throw new UsageError('A worker has --keys, or --simulate.');
    }
    if (values.simulate) {
      const backend = await loadBackend();
      const factory = localExecutorFactory({ backend });
      const makeExecutor = workerExecutors({ leaf: () => leafExecutor(backend), factory });
      const host = new ExecutorHost({ makeExecutor, answers: 'at-once' });
      try {
        const connect = (): ConnectionCalls => host.connect();
        return await serve(host, connect, { listen, announce: values.announce }, surroundings);
      } finally {
        await factory.close();
      }
    }
    const { credentials, roster, roles, identity } = await readKeyFolder(values.keys ?? '');
    if (identity === null || roles.positions.has(identity.client)) {
      throw new UsageError(
        `${values.keys} has no identity of a client: it is not the folder of one.`,
      );
    }
    const log = stderrLogger({ env: surroundings.env }).with({ client: identity.client });
    using leaf = await clientLeaf({
      ...values,
      quantization: quantizationOf(values),
      roster,
      roles,
      identity,
      log,
    });
    for (const { name, kind, rows, columns } of leaf.data) {
      surroundings.out(`${name}  ${kind}  ${rows ?? 'unknown'} rows  ${printColumns(columns)}`);
    }
    const host = new ExecutorHost({
      makeExecutor: async (cardinalities) => {
        if (Object.keys(cardinalities).length === 0) return leaf.makeExecutor();
        throw transportError(
          'transport.invalid_argument',
          `This worker is one client, without placements; asked for ${JSON.stringify(cardinalities)}. Take clients: 'one-by-one'.`,
        );
      },
      // Each has a guard of its own, with limits of its own.
      limits: { maxExecutors: MOST_EXECUTORS },
    });
    const connect = ({ name }: PeerIdentity): ConnectionCalls => {
      if (name !== null && !roster.positions.has(name)) return host.connect();
      throw transportError(
        'transport.permission_denied',
        `${name === null ? 'Who proves no name' : `The client ${JSON.stringify(name)}`} may not call this worker.`,
      );
    };
    return serve(host, connect, { listen, announce: values.announce, credentials }, surroundings);
  },
};

interface Serving {
  readonly listen: string;
  readonly announce: string | undefined;
  readonly credentials?: Awaited<ReturnType<typeof readKeyFolder>>['credentials'];
}

/** Serves until the process is asked to stop. */
async function serve(
  host: ExecutorHost,
  connect: ConnectExecutors,
  { listen, announce, credentials }: Serving,
  { signal, env }: Surroundings,
): Promise<0> {
  const log = stderrLogger({ env });
  const service = await serveGrpc({
    listen,
    host: connect,
    ...(credentials !== undefined && { credentials }),
  });
  try {
    log.info('Listening', { address: service.address });
    if (announce !== undefined) writeFileSync(announce, service.address);
    await new Promise<void>((resolve) => {
      if (signal?.aborted) resolve();
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await service.close();
    await host.close();
  }
  return 0;
}

/** Of callers of one client at a time; a server needs one a stack. */
const MOST_EXECUTORS = 16;
